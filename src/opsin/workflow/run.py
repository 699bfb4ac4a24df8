"""A run opened again: its recipe, scores and report, and its network for predicting."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from opsin.recipe.recipe import Recipe
from opsin.runs.folder import RunFolder

if TYPE_CHECKING:
    from opsin.inference.predictor import Predictor


class Run:
    """A run: its recipe, scores and report, and its network for predicting.

    Args:
        path: The run folder.

    Raises:
        RunError: There is no run, or it is of another format version.
    """

    def __init__(self, path: str | Path):
        self.folder = RunFolder(path)

    @property
    def path(self) -> Path:
        """The run folder."""
        return self.folder.path

    @property
    def name(self) -> str:
        """The run folder's name."""
        return self.folder.name

    @property
    def recipe(self) -> Recipe:
        """The resolved recipe, which reproduces the run."""
        return self.folder.recipe

    @property
    def history(self) -> list[dict[str, Any]]:
        """One row per epoch: learning rate, training and validation scores."""
        return self.folder.history

    @property
    def scorecard(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Split -> score -> ``{"value", "low", "high", "method", "n"}``."""
        return self.folder.scorecard

    @property
    def report(self) -> Path:
        """The report, a self-contained HTML file."""
        return self.path / "report.html"

    @functools.cached_property
    def predictor(self) -> Predictor:
        """The network and its preprocessing, loaded on first use."""
        from opsin.inference.predictor import Predictor

        return Predictor(self.folder)

    def predict(self, images: Iterable[str | Path | NDArray[np.uint8]] | str | Path) -> list[Any]:
        """Predict image files or arrays.

        Args:
            images: Paths, or uint8 arrays ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)``; also one array
                ``(N, H, W, 1 or 3)``, or a single path or image.

        Returns:
            One prediction per image, in order, such as `Classification`; `opsin.predict` has further options.

        Raises:
            DataError: Images cannot be read; they are named.
        """
        from opsin.workflow.predict import predict

        return list(predict(self, images))

    def set_operating_point(
        self,
        *,
        positive: str | None = None,
        sensitivity: float | None = None,
        cost_of_miss: float | None = None,
        cost_of_false_alarm: float | None = None,
    ) -> None:
        """Set the operating point that the report recommends thresholds for; arguments left out stay as they were.

        Args:
            positive: Positive class of a two-class run.
            sensitivity: Sensitivity that a threshold has to reach.
            cost_of_miss: Cost of a false negative, in any unit.
            cost_of_false_alarm: Cost of a false positive, in the same unit.

        Raises:
            RunError: The class is unknown, there are not two, or a number is out of range.
        """
        from opsin.workflow.operating_point import set_operating_point

        set_operating_point(
            self.folder,
            positive=positive,
            sensitivity=sensitivity,
            cost_of_miss=cost_of_miss,
            cost_of_false_alarm=cost_of_false_alarm,
        )

    def add_reader_study(self, path: str | Path) -> None:
        """Add the performance of human readers on the test images to the report.

        Args:
            path: A CSV file with the columns ``reader,sensitivity,specificity`` or ``reader,image,call``.

        Raises:
            DataError: The table cannot be read, or rows are wrong; they are named.
        """
        from opsin.workflow.operating_point import add_reader_study

        add_reader_study(self.folder, path)

    def _repr_html_(self) -> str:
        from opsin.reporting.pages.notebook import run_html

        return run_html(self.folder)

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r})"


def load_run(path: str | Path) -> Run:
    """Open a run folder.

    Raises:
        RunError: There is no run, it is damaged, or it is of another format version.
    """
    return Run(path)
