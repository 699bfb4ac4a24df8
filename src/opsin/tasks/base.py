"""The interface of a task: one `TaskSpec` per room, and the parts that training, inference and run folders use.

The layers above add what they need of a task where they need it: `opsin.evaluation.task` declares scores, verdict and
comparison, `opsin.reporting.task` the report. A room offers those parts by `TaskSpec.evaluation` and `TaskSpec.report`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, Protocol, Self, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from opsin.data.targets import EncodedTargets, Targets
from opsin.recipe.recipe import Recipe
from opsin.statistics.bootstrap import Interval

if TYPE_CHECKING:
    from torch import Tensor, nn

    from opsin.data.batches import Batch


class Predictions(Protocol):
    """Predictions for N images, validated when they are made."""

    def __len__(self) -> int: ...

    def take(self, rows: ArrayLike | slice) -> Self:
        """Return the predictions of some images: int64 or bool ``(K,)``, or a slice."""

    def reorder(self, order: Sequence[int]) -> Self:
        """Return them for another order of the outputs: place in the new order -> place in the old one."""

    def mean(self, group_of: NDArray[np.int64], groups: int) -> Self:
        """Return one prediction per group of images; ``group_of`` (int64 ``(N,)``) holds each image's group."""

    @classmethod
    def join(cls, parts: Sequence[Any]) -> Any:
        """Concatenate at least one part."""


TargetsT = TypeVar("TargetsT", bound=Targets)
PredictionsT = TypeVar("PredictionsT", bound=Predictions)


@dataclass(frozen=True)
class PredictedSplit(Generic[TargetsT, PredictionsT]):
    """Predictions for the N images of a split, and the true answers.

    Attributes:
        names: Name of each image.
        targets: Of the same images.
        predictions: Of the same images, in the task's own type.
        groups: ``(N,)``, the group (patient, slide, video) of each image; None where each stands for itself.
        digests: uint64 ``(N,)``, equal for images of equal pixels; None where they were not asked for.
    """

    names: list[str]
    targets: TargetsT
    predictions: PredictionsT
    groups: NDArray[Any] | None = None
    digests: NDArray[np.uint64] | None = None

    def __len__(self) -> int:
        return len(self.names)

    def take(self, rows: NDArray[np.int64] | slice) -> Self:
        """Return some images: int64 ``(K,)``, or a slice."""
        chosen = np.arange(len(self))[rows]
        return type(self)(
            [self.names[row] for row in chosen.tolist()],
            self.targets.take(chosen),
            self.predictions.take(chosen),
            None if self.groups is None else self.groups[chosen],
            None if self.digests is None else self.digests[chosen],
        )

    def reorder(self, order: Sequence[int]) -> Self:
        """Return targets and predictions for another order of the outputs."""
        return replace(self, targets=self.targets.reorder(order), predictions=self.predictions.reorder(order))

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """Concatenate at least one part; groups and digests stay where every part has them."""
        groups = [part.groups for part in parts if part.groups is not None]
        digests = [part.digests for part in parts if part.digests is not None]
        return cls(
            [name for part in parts for name in part.names],
            type(parts[0].targets).join([part.targets for part in parts]),
            type(parts[0].predictions).join([part.predictions for part in parts]),
            np.concatenate(groups) if len(groups) == len(parts) else None,
            np.concatenate(digests) if len(digests) == len(parts) else None,
        )


AnySplit = PredictedSplit[Any, Any]  # of whichever task

_Targets = TypeVar("_Targets", contravariant=True)
_Predictions = TypeVar("_Predictions", contravariant=True)


class PredictionStore(Protocol):
    """Predictions of a split as files of a run folder."""

    def write(self, path: Path, classes: Sequence[str], split: Any) -> None:
        """Write names, targets and predictions to ``predictions-SPLIT.csv`` and files beside it."""

    def read(self, path: Path, classes: Sequence[str]) -> AnySplit:
        """Read what `write` wrote.

        Raises:
            RunError: A file is damaged.
        """


class Answers(Protocol):
    """Predictions of N images or groups, in words and columns.

    Attributes:
        header: Headings of the columns of the short answer, and of those of the full answer.
        shown: Headings of the columns on the terminal.
        confidence: float ``(N,)``, the confidence of each answer; None where the task has none.
    """

    header: tuple[list[str], list[str]]
    shown: list[str]

    @property
    def confidence(self) -> NDArray[np.floating] | None:
        """Confidence of each answer, float ``(N,)``, or None."""

    def cells(self, row: int, answered: bool) -> tuple[list[str], list[str]]:
        """Return the cells below the two parts of `header`; an answer that is withheld is empty."""

    def entry(self, row: int, answered: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the same as tables for JSON."""

    def show(self, row: int, answered: bool) -> list[str]:
        """Return the cells below `shown`."""

    def summary(self, answered: NDArray[np.bool_]) -> str:
        """Summarize the answers of all rows in a few words."""

    def prediction(self, row: int, name: str, unlike: float | None) -> Any:
        """Return what `Run.predict` gives for one image."""


class Learner(Protocol):
    """Loss, predictions and scores of a network on batches; knows no devices, checkpoints, files or drawing.

    Attributes:
        name: As in ``recipe.task``.
        main_score: The score that selects the best epoch, and that progress shows.
        lower_is_better: Whether a lower `main_score` is better.
        num_mix_classes: Number of classes for mixup and cutmix; 0 where images cannot be mixed.
    """

    name: str
    main_score: str
    lower_is_better: bool
    num_mix_classes: int

    def loss(self, network: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return scalars of one batch: "loss" is minimized, all others are logged as means over the epoch."""

    def predict(self, network: nn.Module, images: Tensor) -> Any:
        """Return predictions, the task's own validated type, of normalized images ``(N, C, H, W)``."""

    def join(self, parts: list[Any]) -> Any:
        """Concatenate the predictions of batches; none is legal."""

    def score(self, predictions: Any, targets: Any) -> dict[str, float]:
        """Return scores over a whole split, never averages of batches; "loss" and `main_score` are among them.

        Args:
            predictions: Of N images.
            targets: `EncodedTargets.data` of the same images.
        """

    def fitted_state(self) -> dict[str, Any]:
        """Return what prediction needs of the training targets, plain values for JSON; the run folder keeps them."""

    def sampling_weights(self, targets: Any) -> Tensor:
        """Return sampling weights that balance the classes, float ``(N,)``; ``targets`` as for `score`."""

    def better(self, scores: dict[str, float], best: dict[str, float]) -> bool:
        """Whether an epoch's validation scores beat the best so far."""


class TrainingBudget(NamedTuple):
    """Defaults of a recipe that leaves the length of training open.

    Attributes:
        fine_tuning: Images to train on from pretrained weights, and the fewest and most epochs.
        scratch: The same from random weights.
        batches: Batch size for few images (below 500) or pretrained weights, for up to 10,000 images, and above.
        scratch_rate: Factor of the usual learning rate for random weights.
    """

    fine_tuning: tuple[int, int, int] = (24_000, 6, 30)
    scratch: tuple[int, int, int] = (660_000, 10, 60)
    batches: tuple[int, int, int] = (32, 64, 128)
    scratch_rate: float = 1.0


class TaskSpec(Protocol[_Targets, _Predictions]):
    """Everything that differs from task to task; each room in `opsin.tasks` has one, named `SPEC`.

    Methods import what is heavy inside themselves, so that a spec needs no torch.

    Attributes:
        name: As in ``recipe.task``.
        title: Title of a report whose name is hidden.
        outputs: Words for the network's outputs, one and several: "class", "classes"; empty for a single value.
        exclusive: Whether exactly one of the outputs is true of each image.
        metrics: Scores of a whole split, in the order in which they are shown.
        details: Scores of each output, named ``recall/cat``.
        main_metric: Selects the best epoch; `runs`, `train` and the headline of the report show it.
        compared: Those of `metrics` that `opsin compare` compares, the default first.
        per_image_metric: The metric that is the mean over the images of `per_image`.
        learning_metric: The metric from 0 to 1 whose distance from 1 a learning curve follows.
        losses: Names for ``training.loss``, the default first.
        inspections: Names of the inspections that apply (`opsin.inspection`).
        networks: Default networks: with ImageNet weights, and from random weights.
        budget: Defaults for the length of training.
        averaging: Kind of output, a key of `opsin.networks.averaging.AVERAGES`.
    """

    name: str
    title: str
    outputs: tuple[str, str]
    exclusive: bool
    metrics: tuple[str, ...]
    details: tuple[str, ...]
    main_metric: str
    compared: tuple[str, ...]
    per_image_metric: str
    learning_metric: str
    losses: tuple[str, ...]
    inspections: tuple[str, ...]
    networks: tuple[str, str]
    budget: TrainingBudget
    averaging: str

    def learner(
        self,
        recipe: Recipe,
        num_outputs: int,
        targets: EncodedTargets | None = None,
        fitted: Mapping[str, Any] | None = None,
    ) -> Learner:
        """Make the learner of a resolved recipe.

        Args:
            recipe: Decides loss, class weights and label smoothing.
            num_outputs: Number of classes, labels or values.
            targets: Of the training images; needed for training alone.
            fitted: What the run has fitted (`RunFolder.fitted_state`), in place of ``targets``.

        Raises:
            RecipeError: The recipe asks for something that the task does not have.
        """

    def check_network(self, name: str, pretrained: bool) -> None:
        """Check that there is such a network for the task, with pretrained weights where they are asked for.

        Raises:
            NetworkError: There is not; the nearest names are shown.
        """

    def network(self, recipe: Recipe, num_outputs: int, pretrained: bool = False) -> nn.Module:
        """Make the network of a resolved recipe.

        Raises:
            NetworkError: There is no such network, or it cannot take such images.
        """

    def store(self) -> PredictionStore:
        """Return how predictions of a split are written and read."""

    def answers(self, predictions: _Predictions, classes: Sequence[str]) -> Answers:
        """Return predictions in words and columns."""

    def score(
        self,
        predictions: _Predictions,
        targets: _Targets,
        classes: Sequence[str],
        groups: NDArray[Any] | None = None,
        positive: str | None = None,
    ) -> dict[str, Interval]:
        """Return every metric of a split with its 95 % interval.

        Args:
            predictions: Of N images.
            targets: Of the same images.
            classes: Names of the outputs.
            groups: ``(N,)``; intervals are by groups then.
            positive: Of two classes the one that is looked for.
        """

    def per_image(self, targets: _Targets, predictions: _Predictions) -> NDArray[Any]:
        """Return the score of each image, bool or float64 ``(N,)``; its mean is `per_image_metric`."""

    def calibrate(
        self, learner: Any, predictions: _Predictions, targets: _Targets, groups: NDArray[Any] | None
    ) -> dict[str, Any]:
        """Fit on validation images what predictions need, set it in the learner, and return it for JSON.

        Nothing to calibrate gives an empty table.
        """

    def mask_writer(self) -> Callable[..., int] | None:
        """Return the function that writes predicted masks of files to a folder; None for a task without masks."""

    def evaluation(self) -> Any:
        """Return an `opsin.evaluation.task.TaskEvaluation`; ask for it with `opsin.evaluation.task.evaluation_of`."""

    def report(self) -> Any:
        """Return an `opsin.reporting.task.TaskReport`; ask for it with `opsin.reporting.task.report_of`."""


AnyTask = TaskSpec[Any, Any]
