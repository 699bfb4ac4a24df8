"""What a comparison of runs asks of the scores of a task."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from opsin.evaluation.comparison.pairing import Paired
from opsin.statistics.paired_tests import mcnemar, paired_proportions


class Exact(NamedTuple):
    """A test of single images that is better than the bootstrap's.

    Attributes:
        test: Its name.
        p_value: Its outcome; None where only the name is another one.
        bounds: The bounds of the difference; None to keep those of the bootstrap.
        method: How they were found.
    """

    test: str
    p_value: float | None = None
    bounds: tuple[float, float] | None = None
    method: str = ""

    @classmethod
    def of_right(cls, first: NDArray[np.bool_], second: NDArray[np.bool_]) -> Self:
        """Test the parts of N images that two runs are right about, which bool ``(N,)`` say: McNemar's test."""
        only = int((first & ~second).sum()), int((second & ~first).sum())
        bounds = paired_proportions(*only, len(first))
        return cls("McNemar's test (mid-p)", mcnemar(*only), bounds, "Bonett and Price")


class Measure(Protocol):
    """The scores of R runs on the same N images.

    Attributes:
        paired: The predictions.
        summed: Scores that are functions of sums over images.
        ranked: Scores of which the value and the influence of each image are known.
        remark: A sentence on what is not compared; may be empty.
        dispute: What is said of images on which runs disagree, after their number.
        agreement: The question that the table of the runs' answers to an image answers.
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
        """Return a score of `ranked` and by how much each image moves it, float64 ``(N,)``, whose sum is 0."""

    def one_image(self, score: str) -> float:
        """Return the mean square of what one image changes in a score; intervals are widened by it."""

    def largest(self, score: str) -> float:
        """Return the largest value that a score may have, infinite where there is none."""

    def exact(self, score: str, first: int, second: int) -> Exact | None:
        """Return a better test of two runs on single images, where there is one."""

    def right(self, runs: Sequence[int]) -> NDArray[np.bool_]:
        """Return which images which runs are right about, or do best, bool ``(runs, N)``."""

    def merit(self, run: int) -> NDArray[np.floating]:
        """Return how good each answer of a run is, float ``(N,)``; the runs' answers differ where these differ."""

    def said(self, run: int, image: int) -> tuple[str, float | None]:
        """Return what a run says of an image, and how sure it is of that; None where it does not say."""
