"""The tasks: one line a room. Rooms are imported when they are asked for; their specs need no torch."""

from __future__ import annotations

import functools
import importlib

from opsin.errors import RecipeError, nearest
from opsin.tasks.base import AnyTask

# Name -> the module of the room whose `SPEC` is a `TaskSpec`.
TASKS: dict[str, str] = {
    "classification": "opsin.tasks.classification.spec",
    "multilabel": "opsin.tasks.multilabel.spec",
    "regression": "opsin.tasks.regression.spec",
    "segmentation": "opsin.tasks.segmentation.spec",
}


def task_spec(name: str) -> AnyTask:
    """Return the spec of a task.

    Args:
        name: As in ``recipe.task``.

    Raises:
        RecipeError: There is no such task.
    """
    if name not in TASKS:
        raise RecipeError(f"There is no task '{name}'{nearest(name, TASKS)}; there are {', '.join(TASKS)}.")
    return _load(TASKS[name])


@functools.cache
def _load(module: str) -> AnyTask:
    spec: AnyTask = importlib.import_module(module).SPEC
    return spec
