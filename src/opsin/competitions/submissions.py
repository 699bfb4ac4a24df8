"""Submission files of competitions: columns, ids and order of rows."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from opsin.errors import DataError, nearest
from opsin.storage.atomic import write_csv
from opsin.tasks.base import Answers as TaskAnswers
from opsin.tasks.registry import task_spec
from opsin.workflow.find_images import find_images
from opsin.workflow.predict import Answers, mask_writer, predict
from opsin.workflow.run import Run

FORMATS = ("csv", "isic", "kaggle")
ID, LABEL = "id", "label"
ISIC = {"task_1": "melanoma", "task_2": "seborrheic keratosis"}


@dataclass(frozen=True)
class Submission:
    """Plan of a submission file.

    Attributes:
        columns: Heading -> ``("id", "")``, ``("label", "")`` or ``("probability", class)``.
        ids: Id of each row.
        images: Image of each row.
        left_over: Number of given images without a row.
    """

    columns: dict[str, tuple[str, str]]
    ids: list[str]
    images: list[Path]
    left_over: int = 0

    def write(self, path: Path, classes: Sequence[str], predictions: Any, said: TaskAnswers) -> None:
        """Write the CSV.

        Args:
            path: The file.
            classes: Class names, in the order of the probabilities.
            predictions: Predictions of the images, in the same order.
            said: Their textual form; the first cell is the predicted label.
        """
        rows = []
        for row, name in enumerate(self.ids):
            content = {ID: name, LABEL: said.cells(row, True)[0][0]}
            cells = [
                f"{predictions.probabilities[row][classes.index(wanted)]:.9g}"
                if kind == "probability"
                else content[kind]
                for kind, wanted in self.columns.values()
            ]
            rows.append(cells)
        write_csv(path, self.columns, rows)

    def describe(self) -> str:
        """Return a description of the columns."""
        words = {ID: "id", LABEL: "prediction"}
        return ", ".join(
            f"{heading}: {words.get(kind) or f'probability of {wanted}'}"
            for heading, (kind, wanted) in self.columns.items()
        )


def write_submission(
    run: Run | str | Path,
    images: Sequence[str | Path],
    out: str | Path,
    form: str,
    *,
    sample: Path | None = None,
    columns: Mapping[str, str] | None = None,
) -> tuple[Submission, Answers]:
    """Predict images and write the file that a competition asks for.

    Args:
        run: A run or its folder.
        images: Image files, folders and globs.
        out: The CSV file.
        form: "isic" or "kaggle".
        sample: See `plan_submission`.
        columns: See `plan_submission`.

    Returns:
        The submission, and the predictions of its images.

    Raises:
        DataError: A class or column is unknown, an id has no image or several, or the run predicts masks.
    """
    run = run if isinstance(run, Run) else Run(run)
    if mask_writer(run.folder.task) is not None:
        raise DataError(
            f"--format {form} has one answer for each image, but {run.path} draws masks; --masks writes them."
        )
    named = run.folder.classes if task_spec(run.folder.task).outputs[0] else ()
    submission = plan_submission(form, find_images(images), named, sample=sample, columns=columns)
    answers = predict(run, submission.images)
    submission.write(Path(out), run.folder.classes, answers.predictions, answers.said)
    return submission, answers


def plan_submission(
    form: str,
    paths: Sequence[Path],
    classes: Sequence[str],
    *,
    sample: Path | None = None,
    columns: Mapping[str, str] | None = None,
) -> Submission:
    """Plan a submission before any image is predicted.

    Args:
        form: "isic" (columns Id, task_1, task_2; requires ``sample``) or "kaggle".
        paths: The given images.
        classes: Classes of the run.
        sample: Sample file of the competition, which defines the ids and their order.
        columns: For "isic", ``task_1`` and ``task_2`` -> class. For "kaggle", ``id`` -> heading of the ids, ``label``
            -> heading of the predicted class, and any other heading (also ``label``) -> a class, for its
            probability. Default: the headings of the sample, or ``id`` and ``label``.

    Raises:
        DataError: A class or column is unknown, or an id matches no image or several.
    """
    chosen = dict(columns or {})
    if form == "isic" and sample is None:
        raise DataError("--format isic needs --sample, the file that defines the images and their order.")
    headings, ids, lines = _read_sample(sample) if sample else ([], [], [])
    contents = _isic_columns(chosen, classes) if form == "isic" else _kaggle_columns(chosen, classes, headings)
    if sample is None:
        return Submission(contents, [path.name for path in paths], list(paths))
    if sorted(contents) != sorted(headings):
        raise DataError(
            f"{sample} has the columns {', '.join(headings)}, but the submission would have {', '.join(contents)}; "
            "use --columns to define the content of each column."
        )
    ordered = {heading: contents[heading] for heading in headings}
    images = _match(ids, lines, paths, sample)
    return Submission(ordered, ids, images, len(paths) - len(images))


def parse_columns(text: str) -> dict[str, str]:
    """Parse ``task_1=melanoma,task_2=seborrheic_keratosis``; a name may contain commas.

    Raises:
        DataError: The ``=`` is missing.
    """
    parts: list[str] = []
    for piece in text.split(",") if text else []:
        if "=" not in piece and parts:
            parts[-1] += f",{piece}"
        else:
            parts.append(piece)
    pairs = [part.partition("=") for part in parts]
    for heading, equals, content in pairs:
        if not (heading.strip() and equals and content.strip()):
            raise DataError(f"--columns {text}: write COLUMN=CLASS, several separated by commas.")
    return {heading.strip(): content.strip() for heading, _, content in pairs}


def _isic_columns(chosen: Mapping[str, str], classes: Sequence[str]) -> dict[str, tuple[str, str]]:
    for heading in chosen:
        if heading not in ISIC:
            raise DataError(f"--columns {heading}=…: ISIC has the columns task_1 and task_2{nearest(heading, ISIC)}.")
    wanted = ISIC | dict(chosen)
    return {"Id": (ID, "")} | {
        heading: ("probability", _class_of(name, classes, heading)) for heading, name in wanted.items()
    }


def _kaggle_columns(
    chosen: dict[str, str], classes: Sequence[str], headings: Sequence[str]
) -> dict[str, tuple[str, str]]:
    columns = {chosen.pop(ID, headings[0] if headings else ID): (ID, "")}
    if not chosen:
        others = [heading for heading in headings if heading not in columns] or [LABEL]
        known = {_plain(name): name for name in classes}
        if all(_plain(heading) in known for heading in others):
            chosen = {heading: known[_plain(heading)] for heading in others}
        elif len(others) == 1:
            chosen = {LABEL: others[0]}
        else:
            raise DataError(
                f"The sample has the columns {', '.join(headings)}, which are not classes of the run "
                f"({', '.join(classes)}); define their content with --columns COLUMN=CLASS."
            )
    for heading, content in chosen.items():
        if heading == LABEL and content not in classes:
            columns[content] = (LABEL, "")
        else:
            columns[heading] = ("probability", _class_of(content, classes, heading))
    return columns


def _class_of(name: str, classes: Sequence[str], heading: str) -> str:
    """Return the class of a name, ignoring case, hyphens and underscores."""
    if name in classes:
        return name
    if not classes:
        raise DataError(f"Column {heading}: the run predicts a number, not classes; use --columns label={heading}.")
    alike = [each for each in classes if _plain(each) == _plain(name)]
    if len(alike) == 1:
        return alike[0]
    raise DataError(
        f"Column {heading}: the run has no class '{name}'{nearest(name, classes)}; its classes are "
        f"{', '.join(classes)}. "
        f"Choose one with --columns {heading}=CLASS."
    )


def _plain(name: str) -> str:
    return " ".join(name.replace("_", " ").replace("-", " ").split()).casefold()


def _read_sample(path: Path) -> tuple[list[str], list[str], list[int]]:
    """Return the headings of a sample file, and the id and the line of each row."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file, strict=True)
            rows = [(reader.line_num, cells) for cells in reader if cells]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}.") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not a CSV file in UTF-8: {error}.") from None
    headings = [cell.strip() for cell in rows[0][1]] if rows else []
    if len(rows) < 2 or len(headings) < 2 or len(set(headings)) < len(headings):
        raise DataError(f"{path} is not a sample file: it needs a header with unique names and one row per image.")
    ids, lines = [cells[0].strip() for _, cells in rows[1:]], [line for line, _ in rows[1:]]
    first: dict[str, int] = {}
    for name, line in zip(ids, lines, strict=True):
        if first.setdefault(name, line) != line:
            raise DataError(f"{path}, line {line}: Id {name} is already in line {first[name]}.")
    return headings, ids, lines


def _match(ids: Sequence[str], lines: Sequence[int], paths: Sequence[Path], sample: Path) -> list[Path]:
    """Return the image of each id, matched by path, or by name if that is unique."""
    named: dict[str, list[int]] = {}
    for place, path in enumerate(paths):
        for name in {path.name, path.stem}:
            named.setdefault(name, []).append(place)
    taken: dict[int, str] = {}
    for name, line in zip(ids, lines, strict=True):
        where = f"{sample}, line {line}, Id {name}"
        wanted = PurePosixPath(name.replace("\\", "/")).parts
        found = named.get(wanted[-1] if wanted else "", [])
        exact = [place for place in found if _same_end(wanted, paths[place].parts)]
        found = exact if len(exact) == 1 else found
        if not found:
            raise DataError(f"{where}: none of the {len(paths):,} given images has this name.")
        if len(found) > 1:
            several = " and ".join(str(paths[place]) for place in found[:2])
            raise DataError(f"{where}: ambiguous, {several} both match; give only the images of the sample.")
        if found[0] in taken:
            raise DataError(f"{where}: the only match, {paths[found[0]]}, is already used for Id {taken[found[0]]}.")
        taken[found[0]] = name
    return [paths[place] for place in taken]


def _same_end(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether one path is the end of the other."""
    shorter = min(len(first), len(second))
    return tuple(first[-shorter:]) == tuple(second[-shorter:])
