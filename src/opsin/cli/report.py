"""``opsin report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from opsin.cli.console import console
from opsin.cli.options import Anonymous, RunArgument

app = typer.Typer(add_completion=False)

EXAMPLES = """[bold]Examples[/bold]

  opsin report runs/photos-3f9a1c --anonymous

  opsin report runs/lesions-1b22c0 --positive melanoma --sensitivity 0.9 --cost-of-miss 20

  opsin report runs/lesions-1b22c0 --reader-study doctors.csv"""


@app.command(epilog=EXAMPLES)
def report(
    run: RunArgument,
    anonymous: Anonymous = False,
    positive: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS",
            help="Positive class of a two-class run; default: the rarer class in training.",
            rich_help_panel="Operating point (the run remembers it)",
        ),
    ] = None,
    sensitivity: Annotated[
        float | None,
        typer.Option(
            help="Sensitivity that a threshold has to reach; default: 0.95.",
            rich_help_panel="Operating point (the run remembers it)",
        ),
    ] = None,
    cost_of_miss: Annotated[
        float | None,
        typer.Option(
            help="Cost of a false negative, in any unit; default: 1.",
            rich_help_panel="Operating point (the run remembers it)",
        ),
    ] = None,
    cost_of_false_alarm: Annotated[
        float | None,
        typer.Option(
            help="Cost of a false positive, in the same unit; default: 1.",
            rich_help_panel="Operating point (the run remembers it)",
        ),
    ] = None,
    reader_study: Annotated[
        Path | None,
        typer.Option(
            metavar="CSV",
            help="Performance of human readers on the test images; columns: reader,sensitivity,specificity or "
            "reader,image,call.",
            rich_help_panel="Operating point (the run remembers it)",
        ),
    ] = None,
) -> None:
    """Write the report and the verdict of a run again, from the files in its folder.

    The operating point decides which thresholds the report recommends. The run remembers it for later reports.
    """
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
