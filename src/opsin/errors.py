"""What can go wrong through no fault of the program, each said in one sentence.

Every exception here is meant for the user: its message says what is wrong, where, and what to do. The command line
prints the message and ends with exit code 2; everything else that is raised is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

SHOWN = 5  # unreadable images that a message names


class OpsinError(Exception):
    """Base of all errors that a user can mend: what is wrong, where, what to do."""


class RecipeError(OpsinError):
    """A recipe has an unknown key, a wrong type or a value out of range."""


class DataError(OpsinError):
    """A data set cannot be read or cannot be used for training."""


class UnreadableImageError(DataError):
    """One image file cannot be read.

    Attributes:
        path: The file.
        reason: What is wrong with it, as the end of a sentence ("is empty (0 bytes)").
    """

    def __init__(self, path: Path | str, reason: str):
        super().__init__(f"{path} {reason}")
        self.path = Path(path)
        self.reason = reason


class NetworkError(OpsinError):
    """A network is unknown, or its weights cannot be had or do not fit."""


class RunError(OpsinError):
    """A run folder is missing, damaged, of another format version, or already taken."""


class TrainingError(OpsinError):
    """Training cannot go on: the loss is not a number, or the disk is full."""


class TrainingInterrupted(OpsinError):  # noqa: N818 - it is no error of anybody's
    """Training was stopped by Ctrl-C or a termination signal after its state was saved."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return the hint that names the known words most like ``word``.

    Args:
        word: What the user wrote.
        known: What could have been meant.

    Returns:
        `` (did you mean 'epochs'?)``, or an empty string where nothing is near.
    """
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.55)
    if not close:
        return ""
    return f" (did you mean {' or '.join(repr(name) for name in close)}?)"


def unreadable_message(where: str, reasons: dict[str, str], skippable: bool = True) -> str:
    """Return the sentence that names images that cannot be read, each with its reason, and says what to do."""
    named = "; ".join(f"{name} {reason}" for name, reason in list(reasons.items())[:SHOWN])
    more = f"; and {len(reasons) - SHOWN:,} more" if len(reasons) > SHOWN else ""
    count = "1 image cannot" if len(reasons) == 1 else f"{len(reasons):,} images cannot"
    skip = ", or leave them out with --skip-unreadable" if skippable else ""
    return f"{where}: {count} be read: {named}{more}. Mend or remove them{skip}."
