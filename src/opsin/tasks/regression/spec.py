"""The spec of regression: `SPEC` is its line in `opsin.tasks.registry`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from opsin.data.targets import EncodedTargets, ValueTargets
from opsin.recipe.recipe import Recipe
from opsin.statistics.bootstrap import Interval
from opsin.tasks.base import TaskSpec, TrainingBudget
from opsin.tasks.regression.files import RegressionStore
from opsin.tasks.regression.predictions import Values

if TYPE_CHECKING:
    from torch import nn

    from opsin.tasks.regression.answers import ValueAnswers
    from opsin.tasks.regression.evaluation import RegressionEvaluation
    from opsin.tasks.regression.learner import RegressionLearner
    from opsin.tasks.regression.report import RegressionReport


class Regression:
    """See `TaskSpec`."""

    name: str = "regression"
    title: str = "A number for each image"
    outputs: tuple[str, str] = ("", "")
    exclusive: bool = False
    metrics: tuple[str, ...] = ("mae", "rmse", "r2")
    details: tuple[str, ...] = ()
    main_metric: str = "mae"
    compared: tuple[str, ...] = ("mae", "rmse", "r2")
    per_image_metric: str = "mae"
    learning_metric: str = "r2"
    losses: tuple[str, ...] = ("huber", "mse", "l1")
    inspections: tuple[str, ...] = ("robustness", "attributions")
    networks: tuple[str, str] = ("tf_efficientnet_lite0", "small_resnet")
    budget: TrainingBudget = TrainingBudget()
    averaging: str = "values"

    def learner(
        self,
        recipe: Recipe,
        num_outputs: int,
        targets: EncodedTargets | None = None,
        fitted: Mapping[str, Any] | None = None,
    ) -> RegressionLearner:
        """See `TaskSpec.learner`."""
        from opsin.tasks.regression.learner import create_regression

        return create_regression(recipe, num_outputs, None if targets is None else targets.data, fitted or {})

    def check_network(self, name: str, pretrained: bool) -> None:
        """See `TaskSpec.check_network`."""
        from opsin.networks.registry import check_network

        check_network(name, pretrained)

    def network(self, recipe: Recipe, num_outputs: int, pretrained: bool = False) -> nn.Module:
        """See `TaskSpec.network`."""
        from opsin.training.network import build_network

        return build_network(recipe, num_outputs, pretrained)

    def store(self) -> RegressionStore:
        """See `TaskSpec.store`."""
        return RegressionStore()

    def answers(self, predictions: Values, classes: Sequence[str]) -> ValueAnswers:
        """See `TaskSpec.answers`."""
        from opsin.tasks.regression.answers import ValueAnswers

        return ValueAnswers(predictions, classes)

    def score(
        self,
        predictions: Values,
        targets: ValueTargets,
        classes: Sequence[str],
        groups: NDArray[Any] | None = None,
        positive: str | None = None,
    ) -> dict[str, Interval]:
        """See `TaskSpec.score`."""
        from opsin.tasks.regression.scorecard import score

        return score(predictions, targets.values, classes, groups, positive)

    def per_image(self, targets: ValueTargets, predictions: Values) -> NDArray[Any]:
        """See `TaskSpec.per_image`."""
        from opsin.tasks.regression.scorecard import absolute_errors

        return absolute_errors(targets.values, predictions)

    def calibrate(
        self, learner: Any, predictions: Values, targets: ValueTargets, groups: NDArray[Any] | None
    ) -> dict[str, Any]:
        """See `TaskSpec.calibrate`."""
        return {}

    def mask_writer(self) -> None:
        """Return None: there are no masks."""
        return None

    def evaluation(self) -> RegressionEvaluation:
        """See `TaskSpec.evaluation`."""
        from opsin.tasks.regression.evaluation import RegressionEvaluation

        return RegressionEvaluation()

    def report(self) -> RegressionReport:
        """See `TaskSpec.report`."""
        from opsin.tasks.regression.report import RegressionReport

        return RegressionReport()


SPEC: TaskSpec[ValueTargets, Values] = Regression()
