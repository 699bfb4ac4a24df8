"""What a task is: the loss, the predictions and the scores of a network, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from opsin.data.batches import Batch


class Learner(Protocol):
    """A task knows nothing of devices, checkpoints, files or drawing.

    Attributes:
        name: As in ``recipe.task``.
        main_score: The score by which the best epoch is chosen, and on which progress is reported.
        lower_is_better: Whether the lower `main_score` is the better one.
        mixed: How many classes images that are mixed with each other (mixup, cutmix) may be of.
    """

    name: str
    main_score: str
    lower_is_better: bool
    mixed: int

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return scalars of one batch: "loss" is minimized, all others are logged as means over the epoch."""

    def predict(self, network: nn.Module, images: Tensor) -> Any:
        """Return predictions, the task's own validated type, of normalized images ``(N, C, H, W)``."""

    def join(self, parts: list[Any]) -> Any:
        """Return the predictions of several batches as one."""

    def score(self, predictions: Any, targets: Tensor) -> dict[str, float]:
        """Return scores over a whole split, never averages of batches; "loss" and `main_score` are among them."""

    def known(self) -> dict[str, Any]:
        """Return what predicting needs of the training targets, plain values for JSON; the run folder keeps them."""

    def sampling_weights(self, targets: Tensor) -> Tensor:
        """Return how often each training image is to be drawn where kinds are to come up evenly, float ``(N,)``."""

    def better(self, scores: dict[str, float], best: dict[str, float]) -> bool:
        """Whether an epoch's validation scores beat the best so far."""


class Predictions(Protocol):
    """What every result type can do with its N images."""

    def __len__(self) -> int: ...

    def take(self, rows: ArrayLike) -> Any:
        """Return the predictions of some images: int64 or bool ``(K,)``, or a slice."""

    def reorder(self, order: Sequence[int]) -> Any:
        """Return them with the outputs in another order: place in the new order -> place in the old one."""

    def mean(self, group_of: NDArray[np.int64], groups: int) -> Any:
        """Return one prediction for each of G groups of images, of which ``group_of`` (int64 ``(N,)``) is the group."""

    @classmethod
    def join(cls, parts: Sequence[Any]) -> Any:
        """Return at least one part after the other as one."""


class Answering(Protocol):
    """Predictions of N images or groups, to be told.

    Attributes:
        header: Headings of the columns that say what was answered, and of those that say it in full.
        shown: Headings of the columns on the terminal.
        confidence: float ``(N,)``, how sure each answer is; None where the task does not know.
    """

    header: tuple[list[str], list[str]]
    shown: list[str]
    confidence: NDArray[np.floating] | None

    def cells(self, row: int, answered: bool) -> tuple[list[str], list[str]]:
        """Return what stands below the two parts of `header`; what is left open is empty."""

    def entry(self, row: int, answered: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the same as tables for JSON."""

    def show(self, row: int, answered: bool) -> list[str]:
        """Return what stands below `shown`."""

    def summary(self, answered: NDArray[np.bool_]) -> str:
        """Say in a few words what was answered, all rows together."""

    def prediction(self, row: int, name: str, unlike: float | None) -> Any:
        """Return what `Run.predict` gives for one image."""
