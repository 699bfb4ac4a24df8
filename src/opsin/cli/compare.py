"""``opsin compare``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsin.cli.console import console, table
from opsin.cli.options import AsJson

if TYPE_CHECKING:
    from opsin.evaluation.comparison.result import Compared, Comparison

app = typer.Typer(add_completion=False)

SIDE_BY_SIDE = 5  # recipes shown with all scores; of more recipes, only the score that decides is shown

EXAMPLES = """[bold]Examples[/bold]

  opsin compare runs/cells-3f9a1c runs/cells-77aa01

  opsin compare runs/mlp-* runs/resnet-* --score macro_f1 --out compare.html"""


@app.command(epilog=EXAMPLES)
def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN...", help="Folders of two or more runs with the same data and split.")
    ],
    score: Annotated[
        str | None,
        typer.Option(
            metavar="SCORE",
            help="Score that decides; default: the main score. For classification: accuracy, balanced_accuracy, "
            "macro_f1, roc_auc, average_precision or log_loss.",
        ),
    ] = None,
    split: Annotated[
        str, typer.Option(metavar="test|validation", help="Split whose stored predictions are compared.")
    ] = "test",
    out: Annotated[
        Path | None,
        typer.Option(help="HTML page to write: differences, curves, recipes, images that the runs disagree on."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare runs on the same images, and test whether one recipe is better than another.

    Runs whose recipes differ only in the seed count as one recipe. If no difference is significant, the output says
    how many images it would take. The comparison uses stored predictions and does not open the test split again.
    """
    from opsin.evaluation.comparison.compare import compare as compare_runs
    from opsin.workflow.report import report

    comparison = compare_runs(runs, split=split, score=score)
    if out is not None:
        report(comparison, out)
    if as_json:
        typer.echo(json.dumps(comparison.to_dict(), indent=2, ensure_ascii=False))
        return
    screen = console()
    screen.print(comparison.sentence)
    for finding in comparison.findings:
        screen.print(f"{finding.severity}: {finding.sentence} {finding.evidence} {finding.advice}")
    _print_scores(comparison, screen)
    if comparison.differences:
        _print_differences(comparison, screen)
    if comparison.keys:
        named = [recipe.name for recipe in comparison.recipes]
        values = [[key, *map(_value, found)] for key, found in comparison.keys.items()]
        screen.print(table(["differs in the recipe", *named], values))
    for note in comparison.notes:
        screen.print(note)
    if out is not None:
        screen.print(f"written to {out}", soft_wrap=True)


def _print_scores(comparison: Comparison, screen: Any) -> None:
    recipes = comparison.recipes
    from opsin.evaluation.verdict.finding import score_words

    if len(recipes) <= SIDE_BY_SIDE:
        seeds = ["seeds" if len(comparison.runs) > len(recipes) else "seed", *map(_seeds, recipes)]
        rows = [[score_words(name), *(_mean(recipe, name) for recipe in recipes)] for name in recipes[0].scores]
        screen.print(table(["", *(recipe.name for recipe in recipes)], [seeds, *rows]))
    else:
        name = comparison.score
        rows = [[recipe.name, _mean(recipe, name), _seeds(recipe)] for recipe in recipes]
        screen.print(table(["recipe", score_words(name), "seeds"], rows))


def _print_differences(comparison: Comparison, screen: Any) -> None:
    from opsin.evaluation.verdict.finding import score_words

    rows = [
        (
            f"{comparison.recipes[each.first].name} − {comparison.recipes[each.second].name}",
            score_words(each.score),
            f"{each.value:+.3f} ({each.low:+.3f} to {each.high:+.3f})",
            f"{each.p_value:.2g}",
            f"{each.corrected:.2g}",
            "no significant difference" if each.better is None else f"{comparison.recipes[each.better].name} is better",
        )
        for each in comparison.differences
    ]
    columns = ["difference", "score", "value (95 % interval)", "p", "p (Holm)", "in words"]
    screen.print(table(columns, rows, numbers=["p", "p (Holm)"]))
    for line in comparison.methods:
        screen.print(line)


def _seeds(recipe: Compared) -> str:
    return ", ".join(map(str, recipe.seeds))


def _mean(recipe: Compared, score: str) -> str:
    deviation = recipe.deviation(score)
    return f"{recipe.mean(score):.3f}" + ("" if deviation is None else f" ± {deviation:.3f}")


def _value(value: Any) -> str:
    return "–" if value is None else str(value)
