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
from opsin.errors import DataError, nearest

if TYPE_CHECKING:
    from opsin.submissions import Submission
    from opsin.tasks.predictions import Classified

app = typer.Typer(add_completion=False)

SHOWN = 10  # rows of the table

EXAMPLES = """[bold]Examples[/bold]

  opsin predict runs/photos-3f9a1c new/ --out predictions.csv

  opsin predict runs/photos-3f9a1c a.jpg "scans/**/*.png" --json

  opsin predict runs/lesions-77aa01 test/ --format isic --sample sample.csv --out submission.csv

  opsin predict runs/photos-3f9a1c test/ --format kaggle --columns id=image,label=species --out submission.csv"""


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
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="csv|isic|kaggle",
            help="What --out holds: all probabilities (csv), or what a competition asks for.",
        ),
    ] = "csv",
    sample: Annotated[
        Path | None, typer.Option(help="The competition's sample file: --out gets its rows, in its order.")
    ] = None,
    columns: Annotated[
        str,
        typer.Option(
            metavar="COLUMN=CLASS,…",
            help="isic: the classes of task_1 and task_2. kaggle: id=COLUMN, label=COLUMN, COLUMN=CLASS for its "
            "probability.",
        ),
    ] = "",
) -> None:
    """Classify images with the network of a run, in its own preprocessing.

    Folders are searched with everything below them.
    """
    paths = expand(images)

    import opsin
    from opsin.runfolder import write_predictions

    trained = opsin.load_run(run)
    submission = _plan(form, paths, trained.folder.classes, sample, columns, out, skip_unreadable)
    paths = paths if submission is None else submission.images
    names, predictions, left_out = trained.predictor.predict(paths, skip_unreadable=skip_unreadable)
    classes = trained.folder.classes
    for name, reason in left_out.items():
        console(stderr=True).print(f"left out: {name} {reason}", soft_wrap=True)
    if submission is not None and out is not None:
        submission.write(out, classes, predictions)
    elif out is not None:
        write_predictions(out, names, classes, predictions)
    if as_json:
        typer.echo(json.dumps(_entries(names, classes, predictions), indent=2, ensure_ascii=False))
        return
    _print(names, [classes[label] for label in predictions.labels], predictions.confidence.tolist(), out)
    if submission is not None:
        console().print(submission.describe(), soft_wrap=True)
        if submission.left_over:
            console().print(f"{submission.left_over:,} of the images given are not in {sample} and were left out")


def _plan(
    form: str,
    paths: Sequence[Path],
    classes: Sequence[str],
    sample: Path | None,
    columns: str,
    out: Path | None,
    skip_unreadable: bool,
) -> Submission | None:
    """Return what a file for a competition holds; None for our own format."""
    from opsin.submissions import FORMATS, parse_columns, plan_submission

    if form not in FORMATS:
        raise DataError(f"--format {form}: there are {', '.join(FORMATS)}{nearest(form, FORMATS)}.")
    if form == "csv":
        if sample is not None or columns:
            raise DataError("--sample and --columns go with --format isic or kaggle.")
        return None
    if out is None:
        raise DataError(f"--format {form} needs --out, the file to write.")
    if skip_unreadable:
        raise DataError(f"--format {form} needs a row for every image, so none can be left out as unreadable.")
    return plan_submission(form, paths, classes, sample=sample, columns=parse_columns(columns))


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
