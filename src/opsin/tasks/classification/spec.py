"""The spec of classification: `SPEC` is its line in `opsin.tasks.registry`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from opsin.data.targets import ClassTargets, EncodedTargets
from opsin.recipe.recipe import Recipe
from opsin.statistics.bootstrap import Interval
from opsin.tasks.base import TaskSpec, TrainingBudget
from opsin.tasks.classification.files import ClassificationStore
from opsin.tasks.classification.predictions import Classifications

if TYPE_CHECKING:
    from torch import nn

    from opsin.tasks.classification.answers import ClassAnswers
    from opsin.tasks.classification.evaluation import ClassificationEvaluation
    from opsin.tasks.classification.learner import ClassificationLearner
    from opsin.tasks.classification.report import ClassificationReport


class Classification:
    """See `TaskSpec`."""

    name: str = "classification"
    title: str = "Image classification"
    outputs: tuple[str, str] = ("class", "classes")
    exclusive: bool = True
    metrics: tuple[str, ...] = (
        "accuracy",
        "group_accuracy",
        "balanced_accuracy",
        "macro_f1",
        "roc_auc",
        "average_precision",
        "log_loss",
        "calibration_error",
    )
    details: tuple[str, ...] = ("recall", "precision", "f1", "auc", "average_precision")
    main_metric: str = "accuracy"
    compared: tuple[str, ...] = (
        "accuracy",
        "balanced_accuracy",
        "macro_f1",
        "roc_auc",
        "average_precision",
        "log_loss",
    )
    per_image_metric: str = "accuracy"
    learning_metric: str = "accuracy"
    losses: tuple[str, ...] = ("cross-entropy",)
    inspections: tuple[str, ...] = ("robustness", "attributions", "map")
    networks: tuple[str, str] = ("tf_efficientnet_lite0", "small_resnet")
    budget: TrainingBudget = TrainingBudget()
    averaging: str = "probabilities"

    def learner(
        self,
        recipe: Recipe,
        num_outputs: int,
        targets: EncodedTargets | None = None,
        fitted: Mapping[str, Any] | None = None,
    ) -> ClassificationLearner:
        """See `TaskSpec.learner`."""
        from opsin.tasks.classification.learner import create_classification

        return create_classification(recipe, num_outputs, None if targets is None else targets.data, fitted or {})

    def check_network(self, name: str, pretrained: bool) -> None:
        """See `TaskSpec.check_network`."""
        from opsin.networks.registry import check_network

        check_network(name, pretrained)

    def network(self, recipe: Recipe, num_outputs: int, pretrained: bool = False) -> nn.Module:
        """See `TaskSpec.network`."""
        from opsin.training.network import build_network

        return build_network(recipe, num_outputs, pretrained)

    def store(self) -> ClassificationStore:
        """See `TaskSpec.store`."""
        return ClassificationStore()

    def answers(self, predictions: Classifications, classes: Sequence[str]) -> ClassAnswers:
        """See `TaskSpec.answers`."""
        from opsin.tasks.classification.answers import ClassAnswers

        return ClassAnswers(predictions, classes)

    def score(
        self,
        predictions: Classifications,
        targets: ClassTargets,
        classes: Sequence[str],
        groups: NDArray[Any] | None = None,
        positive: str | None = None,
    ) -> dict[str, Interval]:
        """See `TaskSpec.score`."""
        from opsin.tasks.classification.scorecard import score

        return score(predictions, targets.values, classes, groups, positive)

    def per_image(self, targets: ClassTargets, predictions: Classifications) -> NDArray[Any]:
        """See `TaskSpec.per_image`."""
        from opsin.tasks.classification.scorecard import right_classes

        return right_classes(targets.values, predictions)

    def calibrate(
        self,
        learner: Any,
        predictions: Classifications,
        targets: ClassTargets,
        groups: NDArray[Any] | None,
    ) -> dict[str, Any]:
        """See `TaskSpec.calibrate`."""
        from opsin.tasks.classification.calibrate import calibrate_probabilities

        return calibrate_probabilities(learner, predictions, targets.values, groups)

    def mask_writer(self) -> None:
        """Return None: there are no masks."""
        return None

    def evaluation(self) -> ClassificationEvaluation:
        """See `TaskSpec.evaluation`."""
        from opsin.tasks.classification.evaluation import ClassificationEvaluation

        return ClassificationEvaluation()

    def report(self) -> ClassificationReport:
        """See `TaskSpec.report`."""
        from opsin.tasks.classification.report import ClassificationReport

        return ClassificationReport()


SPEC: TaskSpec[ClassTargets, Classifications] = Classification()
