"""``opsin report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opsin.cli.console import console
from opsin.cli.options import RunArgument

app = typer.Typer(add_completion=False)

EXAMPLES = """[bold]Examples[/bold]

  opsin report runs/photos-3f9a1c --anonymous

  opsin report runs/lesions-1b22c0 --positive melanoma --sensitivity 0.9 --cost-of-miss 20

  opsin report runs/lesions-1b22c0 --reader-study doctors.csv"""


@app.command(epilog=EXAMPLES)
def report(
    run: RunArgument,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Keep file names out of it.")] = False,
    positive: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Of two classes the one that is looked for; left out: the rarer in training.",
            rich_help_panel="Thresholds, remembered by the run",
        ),
    ] = None,
    sensitivity: Annotated[
        float | None,
        typer.Option(
            help="The least sensitivity that a threshold is to reach; at first 0.95.",
            rich_help_panel="Thresholds, remembered by the run",
        ),
    ] = None,
    cost_of_miss: Annotated[
        float | None,
        typer.Option(
            help="What a missed image of the class costs, in any unit; at first 1.",
            rich_help_panel="Thresholds, remembered by the run",
        ),
    ] = None,
    cost_of_false_alarm: Annotated[
        float | None,
        typer.Option(
            help="What a false alarm costs, in the same unit; at first 1.",
            rich_help_panel="Thresholds, remembered by the run",
        ),
    ] = None,
    reader_study: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="What people reached on the test images: reader,sensitivity,specificity or reader,image,call.",
            rich_help_panel="Thresholds, remembered by the run",
        ),
    ] = None,
) -> None:
    """Write the report of a run and its verdict anew, from the files in its folder alone."""
    from opsin.evaluation.evaluate_split import judge
    from opsin.workflow.report import report as write_report
    from opsin.workflow.run import load_run

    opened = load_run(run)
    if any(value is not None for value in (positive, sensitivity, cost_of_miss, cost_of_false_alarm)):
        opened.set_operating_point(
            positive=positive,
            sensitivity=sensitivity,
            cost_of_miss=cost_of_miss,
            cost_of_false_alarm=cost_of_false_alarm,
        )
    if reader_study is not None:
        opened.add_reader_study(reader_study)
    if opened.scorecard:
        judge(opened.folder)
    path = write_report(opened, anonymous=anonymous)
    console().print(f"report {path}", soft_wrap=True)
