"""What a task is: the loss, the predictions and the scores of a network, and nothing else."""

from __future__ import annotations

from typing import Any, Protocol

from torch import Tensor, nn

from opsin.data.batches import Batch


class Task(Protocol):
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

    def rarity(self, targets: Tensor) -> Tensor:
        """Return how often each training image is to be drawn where kinds are to come up evenly, float ``(N,)``."""

    def better(self, scores: dict[str, float], best: dict[str, float]) -> bool:
        """Whether an epoch's validation scores beat the best so far."""
