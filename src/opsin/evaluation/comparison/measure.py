"""Interface between a comparison of runs and the scores of a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from opsin.evaluation.comparison.pairing import Paired
from opsin.statistics.paired_tests import mcnemar, paired_proportions


class Exact(NamedTuple):
    """A test on single images that replaces the bootstrap.

    Attributes:
        test: Its name.
        p_value: Its p-value; None if only the name differs.
        bounds: The bounds of the difference; None to keep those of the bootstrap.
        method: Method of the bounds.
    """

    test: str
    p_value: float | None = None
    bounds: tuple[float, float] | None = None
    method: str = ""

    @classmethod
    def of_right(cls, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Self:
        """McNemar's test of the fractions correct of two runs, given as bool ``(N,)``."""
        only = int((first & ~second).sum()), int((second & ~first).sum())
        bounds = paired_proportions(*only, len(first))
        return cls("McNemar's test (mid-p)", mcnemar(*only), bounds, "Bonett and Price")


class Measure(Protocol):
    """The scores of R runs on the same N images.

    Attributes:
        paired: The predictions.
        summed: Scores that are functions of sums over images.
        ranked: Scores with known influence of each image.
        remark: A sentence on scores that are not compared; may be empty.
        dispute: Text on the images on which runs disagree, after their number.
        agreement: Title of the table of the correct runs; its last word is the column header.
    """

    paired: Paired
    summed: tuple[str, ...]
    ranked: tuple[str, ...]
    remark: str
    dispute: str
    agreement: str

    def terms(self, run: int) -> sparse.csr_array:
        """Return what each image adds to the sums of a run, sparse ``(N, M)``."""

    def scores(self, sums: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scores of `summed` ``(..., S)`` of sums ``(..., M)``; nan where undefined."""

    def area(self, run: int, score: str) -> tuple[float, NDArray[np.float64]]:
        """Return a score of `ranked` and the influence of each image, float64 ``(N,)``, whose sum is 0."""

    def one_image(self, score: str) -> float:
        """Return the mean squared change of a score by one image; intervals are widened by it."""

    def largest(self, score: str) -> float:
        """Return the largest value that a score may have, infinite if there is none."""

    def exact(self, score: str, first: int, second: int) -> Exact | None:
        """Return a better test of two runs on single images, if there is one."""

    def right(self, runs: Sequence[int]) -> NDArray[np.bool_]:
        """Return whether each run is correct, or best, on each image, bool ``(runs, N)``."""

    def merit(self, run: int) -> NDArray[np.floating]:
        """Return the quality of a run's prediction for each image, float ``(N,)``."""

    def said(self, run: int, image: int) -> tuple[str, float | None]:
        """Return a run's prediction for an image and its confidence, None if it has none."""
