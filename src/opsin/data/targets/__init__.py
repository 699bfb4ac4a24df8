"""Targets: the true answer of each image, one file a form.

Whatever reads, splits, counts or writes targets asks the container; nothing outside this package looks at its arrays
but the room of the task that learns them.
"""

from __future__ import annotations

from opsin.data.targets.base import EncodedTargets, Motion, Requirement, Targets
from opsin.data.targets.class_labels import ClassTargets
from opsin.data.targets.label_sets import LabelTargets
from opsin.data.targets.masks import DecodedMasks, MaskTargets
from opsin.data.targets.values import ValueTargets

__all__ = [
    "ClassTargets",
    "DecodedMasks",
    "EncodedTargets",
    "LabelTargets",
    "MaskTargets",
    "Motion",
    "Requirement",
    "Targets",
    "ValueTargets",
]
