"""The table of tasks: everything outside a task's own files that differs from task to task.

Modules are named here and imported when they are asked for: whoever reads results needs no torch, and nothing is
imported against the direction in which the data go.
"""

from __future__ import annotations

import importlib
from typing import Any, Literal

Part = Literal["create", "write", "read", "score", "select", "learn", "judge"]

# Name, as in `recipe.task` -> part -> module and function.
#   create(recipe, classes, counts=None, calibration={})   the task (`opsin.tasks.base.Task`) of a resolved recipe
#   write(path, names, classes, predictions, targets)      predictions of a split into a file
#   read(path, classes)                                    names, targets and predictions from that file
#   score(predictions, targets, classes, groups, positive) score -> `opsin.evaluation.intervals.Interval`
#   select(targets, predictions)                           rows for the gallery, int64 (K,)
#   learn(folder, session)                                 what validation images teach before test is opened
#   judge(folder)                                          the findings of the verdict on a scored run
TASKS: dict[str, dict[Part, str]] = {
    "classification": {
        "create": "opsin.tasks.classification:create_classification",
        "write": "opsin.tasks.classification_files:write_predictions",
        "read": "opsin.tasks.classification_files:read_predictions",
        "score": "opsin.evaluation.scorecard:score",
        "select": "opsin.evaluation.gallery:select",
        "learn": "opsin.calibrating:learn_from_validation",
        "judge": "opsin.judging:judge_classifier",
    },
}


def part_of(task: str, part: Part) -> Any:
    """Return the function that does a part of a task.

    Args:
        task: As in ``recipe.task``.
        part: Which part; the comments in this file say what each takes and returns.
    """
    module, _, function = TASKS[task][part].partition(":")
    return getattr(importlib.import_module(module), function)
