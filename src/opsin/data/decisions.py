"""``decisions.csv``: a person's decisions about single images. No image is ever deleted.

::

    image,decision,label,reason
    cat/017.jpg,exclude,,a dog
    dog/003.jpg,relabel,cat,
    dog/110.jpg,keep,,"dark, but a dog"

An image with the decision ``exclude`` is not read, one with ``relabel`` gets the class in the column ``label``, and one
with ``keep`` is not reported by `opsin check` again.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from opsin.data.csv_table import Table, parse_table
from opsin.data.readers.common import join_words
from opsin.errors import DataError, nearest

COLUMNS = ("image", "decision", "label", "reason")
EXCLUDE, RELABEL, KEEP = "exclude", "relabel", "keep"
WORDS = (EXCLUDE, RELABEL, KEEP)
FILE = "decisions.csv"


@dataclass(frozen=True)
class Decision:
    """One row.

    Attributes:
        image: The image's name in its data set.
        decision: "exclude", "relabel" or "keep".
        label: The new class of a relabeled image; empty for the others.
        reason: The person's reason; may be empty.
        line: Line number of the row in the file.
    """

    image: str
    decision: str
    label: str = ""
    reason: str = ""
    line: int = 0


@dataclass(frozen=True)
class Decisions:
    """The rows of one file.

    Attributes:
        path: The file.
        rows: In the order of the file, each image once.
    """

    path: Path
    rows: tuple[Decision, ...]

    def images(self, word: str) -> frozenset[str]:
        """Return the names of the images with one decision."""
        return frozenset(row.image for row in self.rows if row.decision == word)

    def counts(self) -> dict[str, int]:
        """Return the number of images for each decision."""
        found = Counter(row.decision for row in self.rows)
        return {word: found[word] for word in WORDS}

    def describe(self) -> str:
        """Return a sentence such as "12 images excluded, 3 relabeled by decisions.csv."; empty for no rows."""
        said = {EXCLUDE: "excluded", RELABEL: "relabeled", KEEP: "reviewed and kept"}
        parts = [f"{number:,} {said[word]}" for word, number in self.counts().items() if number]
        if not parts:
            return ""
        number, _, rest = parts[0].partition(" ")
        first = f"{number} image{'' if number == '1' else 's'} {rest}"
        return f"{', '.join([first, *parts[1:]])} by {self.path.name}."


def default_path(source: Path) -> Path:
    """Return the default path of the decisions: in the folder, or ``scans.decisions.csv`` next to a file."""
    return source / FILE if source.is_dir() else source.with_name(f"{source.stem}.{FILE}")


def is_decisions_file(path: Path) -> bool:
    """Return whether a file has the name of a file of decisions, so that readers skip it."""
    return path.name.lower() == FILE or path.name.lower().endswith(f".{FILE}")


def read_decisions(path: Path) -> Decisions:
    """Read a file of decisions.

    Raises:
        DataError: It cannot be read, a column is missing, a decision is unknown or incomplete, or an image occurs
            twice; the message names the line.
    """
    if not path.exists():
        raise DataError(f"The file of decisions {path} does not exist; make one on the page of `opsin check`.")
    table = parse_table(path, ",".join(COLUMNS), empty=True)
    image, word = table.column("image"), table.column("decision")
    label, reason = table.find("label"), table.find("reason")
    first: dict[str, int] = {}
    rows = []
    for cells, line in zip(table.rows, table.lines, strict=True):
        row = Decision(
            cells[image],
            cells[word].lower(),
            "" if label is None else cells[label],
            "" if reason is None else cells[reason],
            line,
        )
        _check_row(table, row)
        if row.image in first:
            raise DataError(
                f"{path}, lines {first[row.image]} and {line}: two decisions about {row.image}; keep one of the rows."
            )
        first[row.image] = line
        rows.append(row)
    return Decisions(path, tuple(rows))


def _check_row(table: Table, row: Decision) -> None:
    where = f"{table.path}, line {row.line}"
    if not row.image:
        raise DataError(f"{where}: the column image is empty; fill it in or remove the row.")
    if row.decision not in WORDS:
        hint = nearest(row.decision, WORDS)
        raise DataError(f"{where}: the decision {row.decision!r} is unknown{hint}; write {join_words(WORDS, 'or')}.")
    if row.decision == RELABEL and not row.label:
        raise DataError(f"{where}: {row.image} is relabeled, but the column label is empty; fill in its class.")
    if row.decision != RELABEL and row.label:
        raise DataError(
            f"{where}: {row.image} has a label, but the decision is {row.decision!r}; write relabel, or empty the "
            "column label."
        )
