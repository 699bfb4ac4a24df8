"""The result of a check of images and labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.audit.finding import ImageFinding, headline
from opsin.data.dataset import Dataset


@dataclass(frozen=True)
class Check:
    """What was found in a data set.

    Attributes:
        dataset: The images that can be read, with the decisions that were there already applied.
        findings: The gravest first.
        place: The file of decisions that was given, or where one would be found by itself; None where neither is.
        sizes: The sizes of the images, for people.
        pixels: uint8 ``(N, H, W, C)``, the images as they were compared.
        shapes: int64 ``(N, 3)``; height, width and channels of each image as it is stored.
    """

    dataset: Dataset
    findings: tuple[ImageFinding, ...]
    place: Path | None
    sizes: str
    pixels: NDArray[np.uint8]
    shapes: NDArray[np.int64]

    @property
    def usable(self) -> bool:
        """Whether `opsin.train` would take the data as they are."""
        return not any(finding.kind in ("unusable", "unreadable") for finding in self.findings)

    def headline(self) -> str:
        """Return ``2 warnings, 1 note``, or ``nothing``."""
        return headline(finding.severity for finding in self.findings)
