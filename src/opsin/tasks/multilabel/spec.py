"""The spec of multilabel: `SPEC` is its line in `opsin.tasks.registry`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from opsin.data.targets import EncodedTargets, LabelTargets
from opsin.recipe.recipe import Recipe
from opsin.statistics.bootstrap import Interval
from opsin.tasks.base import TaskSpec, TrainingBudget
from opsin.tasks.multilabel.files import MultilabelStore
from opsin.tasks.multilabel.predictions import LabelSets

if TYPE_CHECKING:
    from torch import nn

    from opsin.tasks.multilabel.answers import SeveralLabels
    from opsin.tasks.multilabel.evaluation import MultilabelEvaluation
    from opsin.tasks.multilabel.learner import MultilabelLearner
    from opsin.tasks.multilabel.report import MultilabelReport


class Multilabel:
    """See `TaskSpec`."""

    name: str = "multilabel"
    title: str = "Several labels per image"
    outputs: tuple[str, str] = ("label", "labels")
    exclusive: bool = False
    metrics: tuple[str, ...] = ("map", "mean_auc", "macro_f1", "exact_match")
    details: tuple[str, ...] = ("average_precision", "auc", "f1", "recall", "precision")
    main_metric: str = "map"
    compared: tuple[str, ...] = ("map", "mean_auc", "macro_f1", "exact_match")
    per_image_metric: str = "exact_match"
    learning_metric: str = "map"
    losses: tuple[str, ...] = ("binary-cross-entropy",)
    inspections: tuple[str, ...] = ("robustness", "attributions")
    networks: tuple[str, str] = ("tf_efficientnet_lite0", "small_resnet")
    budget: TrainingBudget = TrainingBudget()
    averaging: str = "label-probabilities"

    def learner(
        self,
        recipe: Recipe,
        num_outputs: int,
        targets: EncodedTargets | None = None,
        fitted: Mapping[str, Any] | None = None,
    ) -> MultilabelLearner:
        """See `TaskSpec.learner`."""
        from opsin.tasks.multilabel.learner import create_multilabel

        return create_multilabel(recipe, num_outputs, None if targets is None else targets.data, fitted or {})

    def check_network(self, name: str, pretrained: bool) -> None:
        """See `TaskSpec.check_network`."""
        from opsin.networks.registry import check_network

        check_network(name, pretrained)

    def network(self, recipe: Recipe, num_outputs: int, pretrained: bool = False) -> nn.Module:
        """See `TaskSpec.network`."""
        from opsin.training.network import build_network

        return build_network(recipe, num_outputs, pretrained)

    def store(self) -> MultilabelStore:
        """See `TaskSpec.store`."""
        return MultilabelStore()

    def answers(self, predictions: LabelSets, classes: Sequence[str]) -> SeveralLabels:
        """See `TaskSpec.answers`."""
        from opsin.tasks.multilabel.answers import SeveralLabels

        return SeveralLabels(predictions, classes)

    def score(
        self,
        predictions: LabelSets,
        targets: LabelTargets,
        classes: Sequence[str],
        groups: NDArray[Any] | None = None,
        positive: str | None = None,
    ) -> dict[str, Interval]:
        """See `TaskSpec.score`."""
        from opsin.tasks.multilabel.scorecard import score

        return score(predictions, targets.values, classes, groups, positive)

    def per_image(self, targets: LabelTargets, predictions: LabelSets) -> NDArray[Any]:
        """See `TaskSpec.per_image`."""
        from opsin.tasks.multilabel.scorecard import right_labels

        return right_labels(targets.values, predictions)

    def calibrate(
        self, learner: Any, predictions: LabelSets, targets: LabelTargets, groups: NDArray[Any] | None
    ) -> dict[str, Any]:
        """See `TaskSpec.calibrate`."""
        from opsin.tasks.multilabel.calibrate import choose_label_thresholds

        return choose_label_thresholds(learner, predictions, targets.values)

    def mask_writer(self) -> None:
        """Return None: there are no masks."""
        return None

    def evaluation(self) -> MultilabelEvaluation:
        """See `TaskSpec.evaluation`."""
        from opsin.tasks.multilabel.evaluation import MultilabelEvaluation

        return MultilabelEvaluation()

    def report(self) -> MultilabelReport:
        """See `TaskSpec.report`."""
        from opsin.tasks.multilabel.report import MultilabelReport

        return MultilabelReport()


SPEC: TaskSpec[LabelTargets, LabelSets] = Multilabel()
