"""``opsin evaluate``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from opsin.cli.console import console, interval, table
from opsin.cli.options import DataRoot, RunArgument

app = typer.Typer(add_completion=False)


@app.command()
def evaluate(
    run: RunArgument,
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Other data with the same classes; all its images are scored."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(metavar="train|validation|test", help="Split of the run's own images; default: test."),
    ] = None,
    data_root: DataRoot = None,
) -> None:
    """Score a run on its test split, on another split, or on other data, with 95 % intervals.

    Every time the locked test split is opened, the run logs it in looks.jsonl and shows it in its report.
    """
    from opsin.metrics.names import DETAILS
    from opsin.runs.folder import RunFolder
    from opsin.tasks.registry import task_spec
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
