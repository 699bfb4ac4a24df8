"""What is true of each image, in the form that each task has it: one file per form, one line each in `TARGETS`.

Whatever reads, splits, counts or writes down targets asks the form; nothing outside this package looks at their dtype.
"""

from __future__ import annotations

from opsin.data.targets.base import Requirement, Targets
from opsin.data.targets.class_labels import ClassTargets
from opsin.data.targets.label_sets import LabelTargets
from opsin.data.targets.masks import MaskTargets
from opsin.data.targets.values import ValueTargets

__all__ = ["TARGETS", "Requirement", "Targets"]

# Task, as in `recipe.task` and `Dataset.task` -> the form of its targets.
TARGETS: dict[str, Targets] = {
    "classification": ClassTargets(),
    "multilabel": LabelTargets(),
    "regression": ValueTargets(),
    "segmentation": MaskTargets(),
}
