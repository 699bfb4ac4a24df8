"""The spec of segmentation: `SPEC` is its line in `opsin.tasks.registry`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from opsin.data.targets import DecodedMasks, EncodedTargets
from opsin.recipe.recipe import Recipe
from opsin.statistics.bootstrap import Interval
from opsin.tasks.base import TaskSpec, TrainingBudget
from opsin.tasks.segmentation.files import MaskStore
from opsin.tasks.segmentation.predictions import SegmentationMasks

if TYPE_CHECKING:
    from torch import nn

    from opsin.tasks.segmentation.answers import MaskAnswers
    from opsin.tasks.segmentation.evaluation import SegmentationEvaluation
    from opsin.tasks.segmentation.learner import SegmentationLearner
    from opsin.tasks.segmentation.report import SegmentationReport


class Segmentation:
    """See `TaskSpec`."""

    name: str = "segmentation"
    title: str = "Image segmentation"
    outputs: tuple[str, str] = ("class", "classes")
    exclusive: bool = False
    metrics: tuple[str, ...] = ("dice", "iou", "mean_iou", "pixel_accuracy", "boundary_f", "checkerboard")
    details: tuple[str, ...] = ("dice", "iou", "boundary_f")
    main_metric: str = "dice"
    compared: tuple[str, ...] = ("dice", "iou", "mean_iou", "pixel_accuracy")
    per_image_metric: str = "dice"
    learning_metric: str = "dice"
    losses: tuple[str, ...] = (
        "cross-entropy+dice",
        "focal+dice",
        "cross-entropy",
        "dice",
        "focal",
        "tversky",
        "focal+tversky",
    )
    inspections: tuple[str, ...] = ("robustness",)
    networks: tuple[str, str] = ("unet:tf_efficientnet_lite0", "unet")
    budget: TrainingBudget = TrainingBudget(
        fine_tuning=(8_000, 20, 100), scratch=(12_000, 30, 150), batches=(8, 16, 16), scratch_rate=0.25
    )
    averaging: str = "probabilities"

    def learner(
        self,
        recipe: Recipe,
        num_outputs: int,
        targets: EncodedTargets | None = None,
        fitted: Mapping[str, Any] | None = None,
    ) -> SegmentationLearner:
        """See `TaskSpec.learner`."""
        from opsin.tasks.segmentation.learner import create_segmentation

        return create_segmentation(recipe, num_outputs, None if targets is None else targets.data, fitted or {})

    def check_network(self, name: str, pretrained: bool) -> None:
        """See `TaskSpec.check_network`."""
        from opsin.networks.segmentation.registry import check_segmentation_network

        check_segmentation_network(name, pretrained)

    def network(self, recipe: Recipe, num_outputs: int, pretrained: bool = False) -> nn.Module:
        """See `TaskSpec.network`."""
        from opsin.training.network import build_segmentation_network

        return build_segmentation_network(recipe, num_outputs, pretrained)

    def store(self) -> MaskStore:
        """See `TaskSpec.store`."""
        return MaskStore()

    def answers(self, predictions: SegmentationMasks, classes: Sequence[str]) -> MaskAnswers:
        """See `TaskSpec.answers`."""
        from opsin.tasks.segmentation.answers import MaskAnswers

        return MaskAnswers(predictions, classes)

    def score(
        self,
        predictions: SegmentationMasks,
        targets: DecodedMasks,
        classes: Sequence[str],
        groups: NDArray[Any] | None = None,
        positive: str | None = None,
    ) -> dict[str, Interval]:
        """See `TaskSpec.score`."""
        from opsin.tasks.segmentation.scorecard import score_masks

        return score_masks(predictions, targets.values, classes, groups, positive)

    def per_image(self, targets: DecodedMasks, predictions: SegmentationMasks) -> NDArray[Any]:
        """See `TaskSpec.per_image`."""
        from opsin.tasks.segmentation.scorecard import dice_of_masks

        return dice_of_masks(targets.values, predictions)

    def calibrate(
        self,
        learner: Any,
        predictions: SegmentationMasks,
        targets: DecodedMasks,
        groups: NDArray[Any] | None,
    ) -> dict[str, Any]:
        """See `TaskSpec.calibrate`."""
        return {}

    def mask_writer(self) -> Callable[..., int]:
        """See `TaskSpec.mask_writer`."""
        from opsin.tasks.segmentation.write_masks import write_masks

        return write_masks

    def evaluation(self) -> SegmentationEvaluation:
        """See `TaskSpec.evaluation`."""
        from opsin.tasks.segmentation.evaluation import SegmentationEvaluation

        return SegmentationEvaluation()

    def report(self) -> SegmentationReport:
        """See `TaskSpec.report`."""
        from opsin.tasks.segmentation.report import SegmentationReport

        return SegmentationReport()


SPEC: TaskSpec[DecodedMasks, SegmentationMasks] = Segmentation()
