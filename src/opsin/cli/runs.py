"""``opsin evaluate``, ``opsin runs`` and ``opsin report``: what is known of runs that are there."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsin.cli.console import console, interval, table
from opsin.tasks.registry import task_spec

if TYPE_CHECKING:
    from opsin.runs.folder import RunFolder

app = typer.Typer(add_completion=False)

Run = Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run; `opsin runs` lists them.")]


@app.command()
def evaluate(
    run: Run,
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Other data with the same classes, all of which are scored."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="train|validation|test", help="Which of the run's own images to score; left out: test."),
    ] = None,
    data_root: Annotated[
        Path | None, typer.Option(help="Folder that holds data sets by name, in place of OPSIN_DATA.")
    ] = None,
) -> None:
    """Score a run on its test split, on another split, or on other data, each score with its 95 % interval.

    Every opening of the locked test split is logged in the run's looks.jsonl and shown in its report.
    """
    from opsin.metrics.names import DETAILS
    from opsin.runs.folder import RunFolder
    from opsin.workflow.evaluate import evaluate as score_run

    scores = score_run(run, data, split=split, data_root=data_root)
    screen = console()
    overall = {name: score for name, score in scores.items() if "/" not in name}
    rows = [_score_row(name, score) for name, score in overall.items()]
    screen.print(table(["score", "value (95 % interval)", "images", "method"], rows, numbers=["images"]))
    by_class = _by_class(scores)
    if by_class:
        # The average precision is in scorecard.json; a sixth column is more than a terminal has room for.
        kinds = [
            kind
            for kind in dict.fromkeys(kind for entries in by_class.values() for kind in entries)
            if kind != "average_precision"
        ]
        by_row = [[name, *(interval(entries.get(kind)) for kind in kinds)] for name, entries in by_class.items()]
        output = task_spec(RunFolder(run).task).outputs[0]
        screen.print(table([output, *(DETAILS[kind][0] for kind in kinds)], by_row))


def _score_row(name: str, score: Mapping[str, Any]) -> tuple[str, str, str, str]:
    from opsin.metrics.names import describe_score

    return describe_score(name).words, interval(score), f"{score.get('n', 0):,}", str(score.get("method", ""))


def _by_class(scores: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Mapping[str, Any]]]:
    """Return class -> score -> entry for the scores named ``recall/cat``."""
    result: dict[str, dict[str, Mapping[str, Any]]] = {}
    for name, score in scores.items():
        kind, slash, label = name.partition("/")
        if slash:
            result.setdefault(label, {})[kind] = score
    return result


@app.command()
def runs(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to look.")] = Path("runs"),
) -> None:
    """List the runs in a folder, newest first."""
    from opsin.runs.folder import list_runs

    found = list_runs(folder)
    screen = console()
    if not found:
        screen.print(f"No runs in {folder} yet; `opsin train digits` makes the first.")
        return
    from opsin.metrics.names import describe_score

    mains = {run.path: task_spec(run.task).main_metric for run in found}
    one = len(set(mains.values())) == 1
    words = {path: describe_score(main).words for path, main in mains.items()}
    columns = ["run", "data", "network", f"test {words[found[0].path] if one else 'score'}", "epochs", "state"]
    rows = [_run_row(run, mains[run.path], "" if one else words[run.path]) for run in found]
    screen.print(table([*columns, "when", "report"], rows, numbers=["epochs"]))


def _run_row(run: RunFolder, main: str, words: str) -> tuple[str, ...]:
    info = run.info
    when = datetime.fromisoformat(info["created"]).astimezone()
    report = run.path / "report.html"
    return (
        run.name,
        info.get("data", {}).get("name", run.recipe.data.source),
        info.get("network", {}).get("name", run.recipe.network.name or ""),
        f"{words} {interval(run.scorecard.get('test', {}).get(main))}".strip(),
        "–" if "ensemble" in info else f"{len(run.history)}/{run.recipe.training.epochs}",
        info["state"],
        f"{when:%Y-%m-%d %H:%M}",
        str(report) if report.exists() else "",
    )


REPORT_EXAMPLES = """[bold]Examples[/bold]

  opsin report runs/photos-3f9a1c --anonymous

  opsin report runs/lesions-1b22c0 --positive melanoma --sensitivity 0.9 --cost-of-miss 20

  opsin report runs/lesions-1b22c0 --readers doctors.csv"""


@app.command(epilog=REPORT_EXAMPLES)
def report(
    run: Run,
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
    readers: Annotated[
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
        opened.decide(
            positive=positive,
            sensitivity=sensitivity,
            cost_of_miss=cost_of_miss,
            cost_of_false_alarm=cost_of_false_alarm,
        )
    if readers is not None:
        opened.add_readers(readers)
    if opened.scorecard:
        judge(opened.folder)
    path = write_report(opened, anonymous=anonymous)
    console().print(f"report {path}", soft_wrap=True)
