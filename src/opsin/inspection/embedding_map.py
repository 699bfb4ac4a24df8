"""Inspection ``map``: validation images placed by the features of the network.

Writes ``map.npz``: ``rows`` int64 ``(N,)`` of ``predictions-validation.csv``; ``principal`` and ``neighbors`` float32
``(N, 2)``, the latter ``(0, 2)`` if there are too few images; ``explained`` and ``agreement``, see
`opsin.inspection.projection`; ``sheet`` uint8, the bytes of a PNG or JPEG with all pictures side by side; ``tile``
int64 ``(3,)``, a picture's width and height and the number of pictures in a row.
"""

from __future__ import annotations

import io

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from opsin.data.images import VALIDATION
from opsin.inspection import Subject
from opsin.inspection.projection import map_features, neighbor_agreement
from opsin.inspection.robustness import choose_images
from opsin.networks.penultimate import penultimate_features
from opsin.runs.folder import RunFolder

MOST, FEWEST = 1_500, 200
BUDGET = 2e11  # multiply-adds, about twenty seconds on one core
SIDES = (32, 28, 24, 20, 16)
SHEET = 380_000  # bytes


def inspect(folder: RunFolder, subject: Subject) -> None:
    """Place up to 1,500 validation images, fewer for large networks."""
    everything = subject.rows[VALIDATION]
    if not len(everything):
        return
    macs = int(folder.info.get("network", {}).get("macs") or 0)
    limit = max(FEWEST, min(MOST, int(BUDGET // macs))) if macs else MOST
    labels = subject.targets.strata(subject.classes)[everything]
    rows = choose_images(labels, limit)
    chosen = torch.from_numpy(everything[rows])
    predictor = subject.predictor
    features = penultimate_features(
        predictor.network,
        predictor.preprocessing,
        subject.pixels,
        chosen,
        predictor.device,
        batch_size=64,
        progress=subject.progress,
    )
    laid_out = map_features(features)
    sheet, tile = contact_sheet([subject.pixels[row].numpy() for row in chosen])
    folder.write_arrays(
        "map.npz",
        rows=rows,
        principal=laid_out.principal,
        neighbors=laid_out.neighbors if laid_out.neighbors is not None else np.zeros((0, 2), np.float32),
        explained=np.array(laid_out.explained),
        agreement=np.array(neighbor_agreement(features, labels[rows])),
        sheet=np.frombuffer(sheet, np.uint8),
        tile=np.array(tile),
    )


def contact_sheet(pictures: list[NDArray[np.uint8]], largest: int = SHEET) -> tuple[bytes, tuple[int, int, int]]:
    """Place pictures of one size side by side, shrunk to stay below a number of bytes.

    Args:
        pictures: uint8 ``(H, W, C)`` each.
        largest: Maximum number of bytes.

    Returns:
        A PNG, or a JPEG if that is too large; and each picture's width and height and the number of pictures in a row.
    """
    columns = int(np.ceil(np.sqrt(len(pictures))))
    data, tile = b"", (0, 0)
    for side in SIDES:
        small = [_shrunk(picture, side) for picture in pictures]
        tile = small[0].size
        sheet = Image.new(small[0].mode, (columns * tile[0], -(-len(small) // columns) * tile[1]))
        for number, picture in enumerate(small):
            sheet.paste(picture, (number % columns * tile[0], number // columns * tile[1]))
        for options in ({"format": "PNG"}, {"format": "JPEG", "quality": 80}, {"format": "JPEG", "quality": 65}):
            buffer = io.BytesIO()
            sheet.save(buffer, optimize=True, **options)
            data = buffer.getvalue()
            if len(data) <= largest:
                return data, (*tile, columns)
    return data, (*tile, columns)


def _shrunk(pixels: NDArray[np.uint8], side: int) -> Image.Image:
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    factor = max(image.size) / side
    if factor > 1:
        size = (max(1, round(image.width / factor)), max(1, round(image.height / factor)))
        image = image.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)
    return image
