"""What a heat map is asked, in words."""

from __future__ import annotations

from dataclasses import dataclass

Words = tuple[tuple[str, bool], ...]  # pieces of a line, each with whether it is emphasized


@dataclass(frozen=True)
class Questions:
    """What is asked of the images of the gallery, and what the colors answer.

    Attributes:
        second: What a second row of maps is about; empty where there is none.
        negative: What blue stands for, in a word: "against".
        positive: What orange stands for: "for".
        subject: For or against what.
        supports: What an orange place does.
        score: What falls where such a place is covered.
        explained: A sentence on what is explained.
        each: Of each image, a question for each row of maps.
    """

    second: str
    negative: str
    positive: str
    subject: str
    supports: str
    score: str
    explained: str
    each: list[list[Words]]
