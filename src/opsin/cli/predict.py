"""``opsin predict``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsin.cli.console import console, table
from opsin.cli.options import AsJson, Images, RunArgument, SkipUnreadable
from opsin.errors import DataError, nearest

if TYPE_CHECKING:
    from opsin.competitions.submissions import Submission
    from opsin.workflow.predict import Answers

app = typer.Typer(add_completion=False)

SHOWN = 10  # rows of the table

ABSTAINING, SEGMENTATION, COMPETITIONS = "Abstaining", "Segmentation", "Competitions"

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
    run: RunArgument,
    images: Images,
    out: Annotated[
        Path | None, typer.Option(help="CSV file to write: a row per image with its prediction and all probabilities.")
    ] = None,
    as_json: AsJson = False,
    skip_unreadable: SkipUnreadable = False,
    pool_by: Annotated[
        str,
        typer.Option(
            metavar="PATTERN|folder:-1|FILE.csv|group",
            help="Give one prediction per group of images (patient, slide), from the mean of their probabilities. The "
            "group is what the brackets of PATTERN match in the path, the folder that holds the image (folder:-1), the "
            "column group of a CSV file with the columns image and group, or the groups of training (group).",
        ),
    ] = "",
    abstain: Annotated[
        bool,
        typer.Option(
            "--abstain",
            help="Abstain on images that are unlike the training images.",
            rich_help_panel=ABSTAINING,
        ),
    ] = False,
    target_accuracy: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            max=1.0,
            help="Abstain also below a confidence that is chosen on the validation images so that the remaining "
            "predictions reach this accuracy.",
            rich_help_panel=ABSTAINING,
        ),
    ] = None,
    abstain_below: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Abstain also below this confidence.", rich_help_panel=ABSTAINING),
    ] = None,
    masks: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write the mask of each image, the mask laid over the image, and areas.csv, at the image's own size.",
            rich_help_panel=SEGMENTATION,
        ),
    ] = None,
    tiles: Annotated[
        bool,
        typer.Option(
            "--tiles",
            help="With --masks: predict images at their own resolution in overlapping tiles, not shrunk.",
            rich_help_panel=SEGMENTATION,
        ),
    ] = False,
    probabilities: Annotated[
        bool,
        typer.Option(
            "--probabilities",
            help="With --masks: also write the probabilities of all classes, one page of a TIFF file per class.",
            rich_help_panel=SEGMENTATION,
        ),
    ] = False,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            metavar="csv|isic|kaggle",
            help="Contents of --out: all probabilities (csv), or the submission file of a competition.",
            rich_help_panel=COMPETITIONS,
        ),
    ] = "csv",
    sample: Annotated[
        Path | None,
        typer.Option(
            help="The competition's sample file: --out gets its rows, in its order.", rich_help_panel=COMPETITIONS
        ),
    ] = None,
    columns: Annotated[
        str,
        typer.Option(
            metavar="COLUMN=CLASS,…",
            help="isic: the classes of task_1 and task_2. kaggle: id=COLUMN names the column of the ids, label=COLUMN "
            "that of the predicted class; COLUMN=CLASS holds the probability of a class.",
            rich_help_panel=COMPETITIONS,
        ),
    ] = "",
) -> None:
    """Predict new images with the network of a run.

    Images go through the same preprocessing as in training. Folders are searched with all their subfolders. Images
    that are unlike the training images get a warning, because predictions mean little there.
    """
    from opsin.workflow import predict as workflow
    from opsin.workflow.find_images import find_images

    submission = None
    if form == "csv":
        if sample is not None or columns:
            raise DataError("--sample and --columns go with --format isic or kaggle.")
        answers = workflow.predict(
            run,
            find_images(images),
            skip_unreadable=skip_unreadable,
            abstain=abstain,
            abstain_below=abstain_below,
            target_accuracy=target_accuracy,
            pool_by=pool_by,
            out=out,
            masks=masks,
            tiles=tiles,
            probabilities=probabilities,
        )
    else:
        if abstain or target_accuracy is not None or abstain_below is not None or pool_by:
            raise DataError(f"--format {form} has a row for every image: leave out the options that abstain or pool.")
        if masks is not None or tiles or probabilities:
            raise DataError(f"--format {form} has no masks: leave out --masks, --tiles and --probabilities.")
        submission, answers = _submit(run, images, form, sample, columns, out, skip_unreadable)
    for name, reason in answers.left_out.items():
        console(stderr=True).print(f"left out: {name} {reason}", soft_wrap=True)
    if masks is not None:
        console(stderr=True).print(f"{answers.masks:,} masks written to {masks}", soft_wrap=True)
    if as_json:
        typer.echo(json.dumps(answers.entries(), indent=2, ensure_ascii=False))
        return
    _print(answers, out)
    if submission is not None:
        console().print(submission.describe(), soft_wrap=True)
        if submission.left_over:
            console().print(f"{submission.left_over:,} of the images given are not in {sample} and were left out")


def _submit(
    run: Path,
    images: list[str],
    form: str,
    sample: Path | None,
    columns: str,
    out: Path | None,
    skip_unreadable: bool,
) -> tuple[Submission, Answers]:
    from opsin.competitions.submissions import FORMATS, parse_columns, write_submission

    if form not in FORMATS:
        raise DataError(f"--format {form}: there are {', '.join(FORMATS)}{nearest(form, FORMATS)}.")
    if out is None:
        raise DataError(f"--format {form} needs --out, the file to write.")
    if skip_unreadable:
        raise DataError(f"--format {form} needs a row for every image: leave out --skip-unreadable.")
    return write_submission(run, images, out, form, sample=sample, columns=parse_columns(columns))


def _print(answers: Answers, out: Path | None) -> None:
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
        screen.print(f"{answers.strange}; do not trust the predictions there.", soft_wrap=True)
    withheld = len(answers) - int(answers.answered.sum())
    if withheld:
        screen.print(f"{withheld:,} of {number} without a prediction: the model abstains.")
    if answers.threshold:
        screen.print(answers.threshold, soft_wrap=True)
    if out is not None:
        screen.print(f"written to {out}", soft_wrap=True)
