"""The pictures of the gallery, as data that stands in the page itself."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opsin.reporting.run_report.captions import Caption, Captions
from opsin.reporting.task import report_of
from opsin.runs.folder import RunFolder
from opsin.tasks.base import AnySplit

PIXEL_ART = 64  # up to this side an image is kept exactly and enlarged with visible pixels
SIDES = (224, 176, 128, 96)


@dataclass(frozen=True)
class Picture:
    """One picture of the gallery.

    Attributes:
        caption: What is said of it.
        name: File name; empty in an anonymous report.
        source: The image as a ``data:`` address.
        width: Pixels.
        height: Pixels.
    """

    caption: Caption
    name: str
    source: str
    width: int
    height: int

    @property
    def tiny(self) -> bool:
        """Whether the picture is so small that its pixels are to be seen."""
        return max(self.width, self.height) <= PIXEL_ART


def read_gallery(
    folder: RunFolder, predicted: AnySplit | None, *, budget: int, anonymous: bool = False
) -> tuple[list[Picture], Captions | None, int]:
    """Read the pictures of test images, worst first, so that together they stay below a size.

    Larger pictures are shrunk first; only where that is not enough are the best-predicted ones left out.

    Args:
        folder: The run.
        predicted: Its predictions on test; without them there is no gallery.
        budget: Bytes that the pictures may take in the page.
        anonymous: Leave the file names out.

    Returns:
        The pictures, what is said of all of them, and how many the run holds.
    """
    rows, images = folder.thumbnails("test")
    if predicted is None or not len(rows):
        return [], None, 0
    sources = _fitting(images, budget)
    captions = report_of(folder.task).captions(predicted, rows[: len(sources)], folder.classes)
    pictures = [
        Picture(caption, "" if anonymous else predicted.names[row], *source)
        for caption, row, source in zip(captions.each, rows.tolist(), sources, strict=False)
    ]
    return pictures, captions, len(rows)


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
