"""What a segmentation answers about new images, in words and columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.tasks.segmentation.predictions import SegmentationMask, SegmentationMasks


class MaskAnswers:
    """The part of the image that each class covers; see `opsin.tasks.base.Answers`.

    Args:
        predictions: Of N images.
        classes: Class names.
    """

    def __init__(self, predictions: SegmentationMasks, classes: Sequence[str]):
        self.predictions, self.classes = predictions, classes
        self.confidence: NDArray[np.floating] | None = predictions.confidence.mean(axis=(1, 2)) / 255
        self.pixels = predictions.areas()
        self.parts = self.pixels / np.maximum(self.pixels.sum(axis=1, keepdims=True), 1)
        self.header = ([f"area({name})" for name in classes], [f"pixels({name})" for name in classes])
        self.shown = list(classes)

    def cells(self, row: int, answered: bool) -> tuple[list[str], list[str]]:
        """Return the part of the image that each class covers, and the pixels of the network's input."""
        if not answered:
            return [""] * len(self.classes), [""] * len(self.classes)
        return [f"{part:.9g}" for part in self.parts[row]], [str(number) for number in self.pixels[row]]

    def entry(self, row: int, answered: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the same for JSON; empty where the answer is left open."""
        if not answered:
            return {"area": None}, {}
        parts, pixels = self.parts[row].tolist(), self.pixels[row].tolist()
        return {"area": dict(zip(self.classes, parts, strict=True))}, {
            "pixels": dict(zip(self.classes, pixels, strict=True))
        }

    def show(self, row: int, answered: bool) -> list[str]:
        """Return the parts for the terminal."""
        return [f"{100 * part:.1f} %" if answered else "–" for part in self.parts[row]]

    def summary(self, answered: NDArray[np.bool_]) -> str:
        """Say how much each class covers of all images together."""
        total = self.pixels[answered].sum(axis=0)
        parts = total / max(int(total.sum()), 1)
        return ", ".join(f"{name} {100 * part:.1f} %" for name, part in zip(self.classes, parts, strict=True))

    def prediction(self, row: int, name: str, unlike: float | None) -> SegmentationMask:
        """Return what is said of one image."""
        areas = dict(zip(self.classes, self.parts[row].tolist(), strict=True))
        confidence = self.predictions.confidence[row].astype(np.float32) / 255
        return SegmentationMask(name, self.predictions.labels[row], confidence, areas, unlike)
