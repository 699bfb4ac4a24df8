"""The pictures of the gallery, as data that stands in the page itself."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opsin.reporting.page import Predicted
from opsin.runfolder import RunFolder

PIXEL_ART = 64  # up to this side an image is kept exactly and enlarged with visible pixels
SIDES = (224, 176, 128, 96)


@dataclass(frozen=True)
class Picture:
    """One picture of the gallery.

    Attributes:
        truth: Its true class.
        predicted: The class the model gave it.
        confidence: Probability of the predicted class.
        truth_probability: Probability of the true class.
        name: File name; empty in an anonymous report.
        source: The image as a ``data:`` address.
        width: Pixels.
        height: Pixels.
    """

    truth: str
    predicted: str
    confidence: float
    truth_probability: float
    name: str
    source: str
    width: int
    height: int

    @property
    def right(self) -> bool:
        """Whether the model named the true class."""
        return self.truth == self.predicted

    @property
    def tiny(self) -> bool:
        """Whether the picture is so small that its pixels are to be seen."""
        return max(self.width, self.height) <= PIXEL_ART


def read_gallery(
    folder: RunFolder, predicted: Predicted | None, *, budget: int, anonymous: bool = False
) -> tuple[list[Picture], int]:
    """Read the pictures of test images, worst first, so that together they stay below a size.

    Larger pictures are shrunk first; only where that is not enough are the best-predicted ones left out.

    Args:
        folder: The run.
        predicted: Its predictions on test; without them there is no gallery.
        budget: Bytes that the pictures may take in the page.
        anonymous: Leave the file names out.

    Returns:
        The pictures, and how many the run holds.
    """
    rows, images = folder.thumbnails("test")
    if predicted is None or not len(rows):
        return [], 0
    sources = _fitting(images, budget)
    classes, labels, result = folder.classes, predicted.labels, predicted.result
    guesses, confidences = result.labels, result.confidence
    pictures = [
        Picture(
            truth=classes[labels[row]],
            predicted=classes[guesses[row]],
            confidence=float(confidences[row]),
            truth_probability=float(result.probabilities[row, labels[row]]),
            name="" if anonymous else predicted.names[row],
            source=source,
            width=width,
            height=height,
        )
        for row, (source, width, height) in zip(rows, sources, strict=False)
    ]
    return pictures, len(rows)


def _fitting(images: NDArray[np.uint8], budget: int) -> list[tuple[str, int, int]]:
    encoded: list[tuple[str, int, int]] = []
    for side in SIDES:
        encoded = [encode(image, side) for image in images]
        if sum(len(source) for source, _, _ in encoded) <= budget:
            return encoded
    sizes = np.cumsum([len(source) for source, _, _ in encoded])
    return encoded[: int(np.searchsorted(sizes, budget, side="right"))]


def encode(image: NDArray[np.uint8], side: int = SIDES[0]) -> tuple[str, int, int]:
    """Return an image as a ``data:`` address, with its width and height.

    Args:
        image: uint8 ``(H, W, C)`` with C = 1 or 3.
        side: The longest side it may have; larger ones are shrunk.
    """
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    if max(picture.size) > side:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    if max(picture.size) <= PIXEL_ART:
        picture.save(buffer, "PNG", optimize=True)
    else:
        picture.save(buffer, "JPEG", quality=82, optimize=True)
    kind = "png" if max(picture.size) <= PIXEL_ART else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}", *picture.size
