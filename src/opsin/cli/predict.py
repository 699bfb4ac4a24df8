"""``opsin predict``: what the network of a run says of files, folders and globs of images."""

from __future__ import annotations

import glob
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsin.cli.console import console, table
from opsin.errors import DataError, nearest
from opsin.tasks.registry import task_spec

if TYPE_CHECKING:
    from opsin.competitions.submissions import Submission
    from opsin.runs.folder import RunFolder
    from opsin.workflow.predict import Answers
    from opsin.workflow.run import Run

app = typer.Typer(add_completion=False)

SHOWN = 10  # rows of the table

EXAMPLES = """[bold]Examples[/bold]

  opsin predict runs/photos-3f9a1c new/ --out predictions.csv

  opsin predict runs/photos-3f9a1c a.jpg "scans/**/*.png" --json

  opsin predict runs/glands-90ab12 slides/ --masks masks/ --tiles

  opsin predict runs/photos-3f9a1c new/ --target-accuracy 0.99 --out predictions.csv

  opsin predict runs/smears-5b20f4 smears/ --pool-by 'patient_(\\d+)' --out patients.csv

  opsin predict runs/lesions-77aa01 test/ --format isic --sample sample.csv --out submission.csv

  opsin predict runs/photos-3f9a1c test/ --format kaggle --columns id=image,label=species --out submission.csv"""


@app.command(epilog=EXAMPLES)
def predict(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a run; `opsin runs` lists them.")],
    images: Annotated[list[str], typer.Argument(metavar="IMAGES...", help="Files, folders and globs.")],
    out: Annotated[
        Path | None, typer.Option(help="CSV to write: a row per image with the answer and all probabilities.")
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
    abstain: Annotated[
        bool, typer.Option("--abstain", help="Leave the answer open for images that are unlike the training images.")
    ] = False,
    target_accuracy: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1.0,
            help="Leave open also what is not sure enough, so that the answers reach this accuracy on validation.",
        ),
    ] = None,
    abstain_below: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Leave open also what is less confident than this.")
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Segmentation: write the mask of each image, the mask over the image, and areas.csv, all at the size "
            "of the image.",
        ),
    ] = None,
    tiles: Annotated[
        bool,
        typer.Option(
            "--tiles",
            help="With --masks: predict images at their own resolution, by overlapping tiles, rather than made small.",
        ),
    ] = False,
    probabilities: Annotated[
        bool,
        typer.Option(
            "--probabilities",
            help="With --masks: write the probabilities of all classes too, a page of a TIFF file for each.",
        ),
    ] = False,
    pool_by: Annotated[
        str,
        typer.Option(
            metavar="PATTERN|folder:-1|FILE.csv|group",
            help="One answer for each group of images, from the mean of their probabilities. The group is what the "
            "pattern's brackets match in the name, the image's folder, what a CSV with the columns image and group "
            "says, or as in training (group).",
        ),
    ] = "",
) -> None:
    """Predict images with the network of a run, in its own preprocessing.

    Folders are searched with everything below them. Images that are unlike the training images are warned of.
    """
    paths = expand(images)

    from opsin.workflow.predict import answer, find_groups
    from opsin.workflow.run import load_run

    trained = load_run(run)
    classes = trained.folder.classes
    abstaining = abstain or target_accuracy is not None or abstain_below is not None
    if form != "csv" and (abstaining or pool_by):
        raise DataError(f"--format {form} has a row with an answer for every image: leave out what abstains or pools.")
    if (tiles or probabilities) and masks is None:
        wanted = "--tiles" if tiles else "--probabilities"
        raise DataError(f"{wanted} goes with --masks, the folder for the masks.")
    if form != "csv" and trained.folder.task == "segmentation":
        raise DataError(f"--format {form} has one answer for each image, but {run} draws masks; --masks writes them.")
    named = classes if task_spec(trained.folder.task).outputs[0] else ()
    submission = _plan(form, paths, named, sample, columns, out, skip_unreadable)
    least, told = _threshold(trained.folder, target_accuracy, abstain_below, bool(pool_by))
    found = trained.predictor.predict(
        paths if submission is None else submission.images, skip_unreadable=skip_unreadable
    )
    groups = find_groups(trained.folder, found.names, pool_by) if pool_by else None
    answers = answer(found, trained.folder.task, classes, groups=groups, abstain=abstaining, least=least)
    for name, reason in found.left_out.items():
        console(stderr=True).print(f"left out: {name} {reason}", soft_wrap=True)
    if submission is not None and out is not None:
        submission.write(out, classes, found.predictions, answers.said)
    elif out is not None:
        answers.write(out)
    if masks is not None:
        _write_masks(trained, [path for path in paths if str(path) not in found.left_out], masks, tiles, probabilities)
    if as_json:
        typer.echo(json.dumps(answers.entries(), indent=2, ensure_ascii=False))
        return
    _print(answers, told, out)
    if submission is not None:
        console().print(submission.describe(), soft_wrap=True)
        if submission.left_over:
            console().print(f"{submission.left_over:,} of the images given are not in {sample} and were left out")


def _write_masks(trained: Run, paths: Sequence[Path], out: Path, tiles: bool, probabilities: bool) -> None:
    from opsin.inference.sliding_window import Tiling
    from opsin.tasks.segmentation.write_masks import write_masks

    number = write_masks(trained.folder, trained.predictor, paths, out, Tiling() if tiles else None, probabilities)
    console(stderr=True).print(f"{number:,} masks written to {out}", soft_wrap=True)


def _threshold(
    folder: RunFolder, target_accuracy: float | None, abstain_below: float | None, pooled: bool
) -> tuple[float, str]:
    """Return the confidence below which answers are left open, and a sentence on where it comes from."""
    if target_accuracy is None:
        return abstain_below or 0.0, ""
    if abstain_below is not None:
        raise DataError("Give either --target-accuracy or --abstain-below.")
    from opsin.workflow.predict import threshold_for

    return (chosen := threshold_for(folder, target_accuracy, pooled)).confidence, chosen.describe()


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
    from opsin.competitions.submissions import FORMATS, parse_columns, plan_submission

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
    from opsin.data.decoding import SUFFIXES

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


def _print(answers: Answers, told: str, out: Path | None) -> None:
    screen = console()
    said = answers.said
    rows = [
        [answers.names[row], *said.show(row, bool(answers.answered[row])), answers.warnings[row]]
        for row in range(min(len(answers), SHOWN))
    ]
    screen.print(table([answers.subject, *said.shown, "warning"], rows, numbers=["confidence", "value"]))
    more = len(answers) - len(rows)
    if more:
        screen.print(f"and {more:,} more" + ("" if out else "; --out predictions.csv writes them all"))
    number = f"{len(answers):,} {answers.subject}{'s' * (len(answers) != 1)}"
    screen.print(f"{number}: {said.summary(answers.answered)}")
    if answers.strange:
        screen.print(f"{answers.strange}; do not trust the answer there.", soft_wrap=True)
    open_answers = len(answers) - int(answers.answered.sum())
    if open_answers:
        screen.print(f"{open_answers:,} of {number} are left open.")
    if told:
        screen.print(told, soft_wrap=True)
    if out is not None:
        screen.print(f"written to {out}", soft_wrap=True)
