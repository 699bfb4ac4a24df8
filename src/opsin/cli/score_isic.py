"""``opsin score-isic``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from opsin.cli.console import console, table
from opsin.cli.options import AsJson

app = typer.Typer(add_completion=False)

EXAMPLES = """[bold]Examples[/bold]

  opsin score-isic submission.csv truth.csv

  opsin score-isic submission.csv truth.csv --threshold 0.2 --out isic.html"""


@app.command(epilog=EXAMPLES)
def score_isic(
    predictions: Annotated[
        Path,
        typer.Argument(metavar="PREDICTIONS", help="CSV file with the columns Id,task_1,task_2: the probabilities."),
    ],
    truth: Annotated[
        Path, typer.Argument(metavar="TRUTH", help="CSV file with the same columns and rows: the true values, 0 or 1.")
    ],
    threshold: Annotated[
        float, typer.Option(help="A lesion counts as melanoma if task_1 is at least this.", min=0, max=1)
    ] = 0.5,
    any_order: Annotated[
        bool, typer.Option("--any-order", help="Accept rows in another order; they are matched by Id.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="HTML page to write: ROC curves, confusion matrix, histograms.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score skin lesions by the rules of ISIC 2017, part 3.

    Category 1 is the area under the ROC curve of melanoma (task_1) against the rest, category 2 that of seborrheic
    keratosis (task_2), category 3 their mean. Each comes with its interval and its rank among the published scores.
    """
    from opsin.competitions import isic
    from opsin.workflow.report import report

    scores = isic.score_isic(predictions, truth, threshold=threshold, any_order=any_order)
    if out is not None:
        report(scores, out)
    if as_json:
        typer.echo(json.dumps(scores.to_dict(), indent=2))
        return
    screen = console()
    rows = [
        (
            str(category.number),
            category.name,
            f"{category.score.value:.5f}",
            f"{category.score.low:.3f}–{category.score.high:.3f}",
            f"{category.place} of {category.entries + 1}",
        )
        for category in scores.categories
    ]
    screen.print(table(["category", "area under the ROC curve", "score", "95 % interval", "place"], rows))
    named = zip(("melanoma", "any other lesion"), scores.confusion().tolist(), strict=True)
    calls = [(name, *(f"{count:,} ({100 * count / sum(counts):.1f} %)" for count in counts)) for name, counts in named]
    columns = [f"threshold {threshold:g}", "called melanoma", "not called so"]
    screen.print(table(columns, calls, numbers=columns[1:]))
    for sentence in scores.sentences:
        screen.print(sentence)
    if out is not None:
        screen.print(f"written to {out}", soft_wrap=True)
