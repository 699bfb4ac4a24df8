"""Captions of the pictures in a gallery."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caption:
    """What is said of one picture.

    Attributes:
        right: Whether the answer is right; None where answers are not right or wrong.
        words: Pieces of a line, each with whether it is emphasized.
        detail: A second line.
        truth: What is true, to be chosen by.
        guess: What was predicted, to be chosen by.
        alt: The picture in words.
    """

    right: bool | None
    words: tuple[tuple[str, bool], ...]
    detail: str
    truth: str
    guess: str
    alt: str


@dataclass(frozen=True)
class Captions:
    """What is said of the pictures of a gallery.

    Attributes:
        order: What comes first and last.
        chosen: Which images are shown.
        each: Of each picture.
        choices: What the pictures can be chosen by; none where there is nothing to choose.
    """

    order: str
    chosen: str
    each: list[Caption]
    choices: list[str]
