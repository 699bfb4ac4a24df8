"""``opsin predict``: classify files, folders and globs of images with the network of a run."""

from __future__ import annotations

import glob
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from opsin.cli.console import console, table
from opsin.errors import DataError

if TYPE_CHECKING:
    from opsin.tasks.predictions import Classified

app = typer.Typer(add_completion=False)

SHOWN = 10  # rows of the table

EXAMPLES = """[bold]Examples[/bold]

  opsin predict runs/photos-3f9a1c new/ --out predictions.csv

  opsin predict runs/photos-3f9a1c a.jpg "scans/**/*.png" --json"""


@app.command(epilog=EXAMPLES)
def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run; `opsin runs` lists them.")],
    images: Annotated[list[str], typer.Argument(metavar="IMAGES...", help="Files, folders and globs.")],
    out: Annotated[
        Path | None, typer.Option(help="CSV to write: a row per image with its class and all probabilities.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the predictions as JSON and nothing else.")] = False,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Name the images that cannot be read and leave them out.")
    ] = False,
) -> None:
    """Classify images with the network of a run, in its own preprocessing.

    Folders are searched with everything below them.
    """
    paths = expand(images)

    import opsin
    from opsin.runfolder import write_predictions

    trained = opsin.load_run(run)
    names, predictions, left_out = trained.predictor.predict(paths, skip_unreadable=skip_unreadable)
    classes = trained.folder.classes
    for name, reason in left_out.items():
        console(stderr=True).print(f"left out: {name} {reason}", soft_wrap=True)
    if out is not None:
        write_predictions(out, names, classes, predictions)
    if as_json:
        typer.echo(json.dumps(_entries(names, classes, predictions), indent=2, ensure_ascii=False))
        return
    _print(names, [classes[label] for label in predictions.labels], predictions.confidence.tolist(), out)


def expand(patterns: Sequence[str]) -> list[Path]:
    """Return the image files that the arguments mean, each once, in order.

    Args:
        patterns: Files (of any name), folders (searched with everything below them for files that are named like
            images) and globs, which not every shell expands.

    Raises:
        DataError: An argument means nothing that exists.
    """
    from opsin.data.decode import SUFFIXES

    found: dict[Path, None] = {}
    for pattern in patterns:
        path = Path(pattern)
        matches = [path] if path.exists() else [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]
        if not matches:
            hint = "matches nothing" if glob.has_magic(pattern) else "does not exist"
            raise DataError(f'{pattern} {hint}; give image files, folders or globs like "scans/*.png".')
        files = [match for match in matches if not match.is_dir()]
        for folder in sorted(set(matches) - set(files)):
            inside = sorted(file for file in folder.rglob("*") if file.suffix.lower() in SUFFIXES)
            if not inside:
                raise DataError(f"{folder} holds no images ({', '.join(sorted(SUFFIXES))}).")
            files += inside
        found |= dict.fromkeys(files)
    return list(found)


def _entries(names: Sequence[str], classes: Sequence[str], predictions: Classified) -> list[dict[str, Any]]:
    return [
        {
            "image": name,
            "class": classes[label],
            "confidence": float(row[label]),
            "probabilities": dict(zip(classes, row.tolist(), strict=True)),
        }
        for name, label, row in zip(names, predictions.labels, predictions.probabilities, strict=True)
    ]


def _print(names: Sequence[str], labels: Sequence[str], confidences: Sequence[float], out: Path | None) -> None:
    screen = console()
    rows = [(name, label, f"{p:.3f}") for name, label, p in zip(names, labels, confidences, strict=True)][:SHOWN]
    screen.print(table(["image", "class", "confidence"], rows, numbers=["confidence"]))
    more = len(names) - len(rows)
    if more:
        screen.print(f"and {more:,} more" + ("" if out else "; --out predictions.csv writes them all"))
    counts = ", ".join(f"{label} {number:,}" for label, number in Counter(labels).most_common())
    screen.print(f"{len(names):,} {'image' if len(names) == 1 else 'images'}: {counts}")
    if out is not None:
        screen.print(f"written to {out}", soft_wrap=True)
