"""Inspections of a trained network that cost more than scoring; computed once after training, kept in the run folder.

Each inspection is a module of this package with a function ``inspect(folder, subject)`` that writes its own file into
the run folder, for the report to read. It uses a stated number of validation images; the test split stays locked.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from opsin.errors import OpsinError, nearest
from opsin.tasks.registry import task_spec

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from rich.console import Console
    from torch import Tensor

    from opsin.data.images import Symmetry
    from opsin.data.targets import Targets
    from opsin.inference.predictor import Predictor
    from opsin.runs.folder import RunFolder

# Name -> its module and its meaning, for `opsin inspect --help`.
INSPECTIONS: dict[str, tuple[str, str]] = {
    "robustness": (
        "opsin.inspection.robustness_run",
        "scores under corruptions and simulated domain shift",
    ),
    "attributions": ("opsin.inspection.attributions", "heat maps of the pixels that predictions depend on"),
    "map": ("opsin.inspection.embedding_map", "embedding map of the validation images"),
}


def _nothing(done: int, total: int) -> None:
    pass


@dataclass(frozen=True)
class Subject:
    """A trained network and its data.

    Attributes:
        predictor: The network, its preprocessing and its task; ``predict_pixels(pixels, rows)`` predicts.
        pixels: uint8 ``(M, H, W, C)``, all decoded images, in memory or mapped from a file.
        targets: Targets of all M images.
        rows: Split -> int64 ``(N,)``, indices of its images.
        classes: Names of the network's outputs, in order.
        symmetry: Symmetry of the images that keeps their meaning; None if unknown.
        groups: ``(M,)``, equal for images of the same patient, slide or video; None if every image is independent.
        progress: Called now and then with (steps done, all steps).
    """

    predictor: Predictor
    pixels: Tensor
    targets: Targets
    rows: Mapping[str, NDArray[np.int64]]
    classes: tuple[str, ...]
    symmetry: Symmetry | None = None
    groups: NDArray[Any] | None = None
    progress: Callable[[int, int], None] = _nothing


def inspect(folder: RunFolder, subject: Subject, only: Iterable[str] = (), console: Console | None = None) -> list[str]:
    """Run the inspections and write their results into the run folder.

    Args:
        folder: The run.
        subject: Its network and data.
        only: Names from `INSPECTIONS`; empty: all.
        console: Console for a progress bar; None: no bar.

    Returns:
        Names of the inspections that were run.

    Raises:
        OpsinError: There is no such inspection for this task.
    """
    applying = task_spec(folder.task).inspections
    names = [name for name in check_names(only) if name in applying or only]
    for name in names:
        if name not in applying:
            raise OpsinError(f"The inspection '{name}' does not apply to {folder.task}; it has {', '.join(applying)}.")
    from opsin.runtime.progress import working

    for name in names:
        module = importlib.import_module(INSPECTIONS[name][0])
        with working(console, f"inspecting {name}") as progress:
            module.inspect(folder, replace(subject, progress=progress))
    return names


def check_names(only: Iterable[str]) -> list[str]:
    """Return the inspections of these names in the order in which they run; all if no name is given.

    Raises:
        OpsinError: There is no such inspection.
    """
    only = list(only)
    for name in only:
        if name not in INSPECTIONS:
            raise OpsinError(
                f"There is no inspection '{name}'{nearest(name, INSPECTIONS)}; there are {', '.join(INSPECTIONS)}."
            )
    return [name for name in INSPECTIONS if name in only or not only]
