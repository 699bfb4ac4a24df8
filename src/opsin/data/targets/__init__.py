"""What is true of each image, in the form that each task has it: one file per form, one line each in `TARGETS`.

Whatever reads, splits, counts or writes down targets asks the form; nothing outside this package looks at their dtype.
"""

from __future__ import annotations

from opsin.data.targets.base import Needed, Targets
from opsin.data.targets.class_labels import ClassNumbers
from opsin.data.targets.label_sets import LabelSets
from opsin.data.targets.masks import PixelClasses
from opsin.data.targets.values import Values

__all__ = ["TARGETS", "Needed", "Targets"]

# Task, as in `recipe.task` and `DataSet.task` -> the form of its targets.
TARGETS: dict[str, Targets] = {
    "classification": ClassNumbers(),
    "multilabel": LabelSets(),
    "regression": Values(),
    "segmentation": PixelClasses(),
}
