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
    """Result of the audit of a data set.

    Attributes:
        dataset: The readable images, with existing decisions applied.
        findings: The most severe first.
        place: The file of decisions that was given, or the default path; None if there is neither.
        sizes: The range of image sizes, as text.
        pixels: uint8 ``(N, H, W, C)``, the images at the size at which they were compared.
        shapes: int64 ``(N, 3)``; height, width and channels of each stored image.
    """

    dataset: Dataset
    findings: tuple[ImageFinding, ...]
    place: Path | None
    sizes: str
    pixels: NDArray[np.uint8]
    shapes: NDArray[np.int64]

    @property
    def usable(self) -> bool:
        """Whether `opsin.train` would accept the data."""
        return not any(finding.kind in ("unusable", "unreadable") for finding in self.findings)

    def headline(self) -> str:
        """Return ``2 warnings, 1 note``, or ``nothing``."""
        return headline(finding.severity for finding in self.findings)
