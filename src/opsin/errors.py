"""Errors that the user can fix.

The message of each says what is wrong, where, and what to do. The command line prints it and ends with exit code 2;
any other exception is a bug and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path

SHOWN = 5  # unreadable images listed in a message


class OpsinError(Exception):
    """Base class of all errors that the user can fix."""


class RecipeError(OpsinError):
    """A recipe has an unknown key, a wrong type or a value out of range."""


class DataError(OpsinError):
    """A data set cannot be read or cannot be used for training."""


class UnreadableImageError(DataError):
    """One image file cannot be read.

    Attributes:
        path: The file.
        reason: The problem, as the end of a sentence ("is empty (0 bytes)").
    """

    def __init__(self, path: Path | str, reason: str):
        super().__init__(f"{path} {reason}")
        self.path = Path(path)
        self.reason = reason


class NetworkError(OpsinError):
    """A network is unknown, or its weights are unavailable or do not fit."""


class RunError(OpsinError):
    """A run folder is missing, damaged, of another format version, or already taken."""


class TrainingError(OpsinError):
    """Training cannot continue: the loss is not a number, or the disk is full."""


class TrainingInterrupted(OpsinError):  # noqa: N818 - not an error
    """Training was stopped by Ctrl-C or a termination signal after its state was saved."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint with the known words that are closest to ``word``.

    Args:
        word: The word that the user wrote.
        known: The valid words.

    Returns:
        `` (did you mean 'epochs'?)``, or an empty string if no word is close.
    """
    close = difflib.get_close_matches(word, list(known), n=3, cutoff=0.55)
    if not close:
        return ""
    return f" (did you mean {' or '.join(repr(name) for name in close)}?)"


def unreadable_message(where: str, reasons: dict[str, str], skippable: bool = True) -> str:
    """Return a message that lists unreadable images with their reasons."""
    named = "; ".join(f"{name} {reason}" for name, reason in list(reasons.items())[:SHOWN])
    more = f"; and {len(reasons) - SHOWN:,} more" if len(reasons) > SHOWN else ""
    count = "1 image cannot" if len(reasons) == 1 else f"{len(reasons):,} images cannot"
    skip = ", or leave them out with --skip-unreadable" if skippable else ""
    return f"{where}: {count} be read: {named}{more}. Repair or remove them{skip}."
