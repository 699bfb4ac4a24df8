"""Masks of new images as files: at the size of each image, with overlays and a table of areas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opsin.data.decode import read_image
from opsin.data.masks import VOID
from opsin.errors import DataError, UnreadableImageError
from opsin.files import replacing, write_csv
from opsin.networks.tiles import Tiling, predict_by_tiles
from opsin.predicting import Predictor
from opsin.reporting.drawing import class_colors, overlay, paletted
from opsin.runfolder import RunFolder

AREAS = "areas.csv"


def write_masks(
    folder: RunFolder, predictor: Predictor, paths: Sequence[Path], out: Path, tiling: Tiling | None = None
) -> int:
    """Write for each image its mask (``NAME.png``), the mask laid over it (``NAME-overlay.jpg``), and ``areas.csv``.

    A mask has the size of its image. Its pixels are class numbers, shown in colors; where the network was not shown a
    part of the image (``data.resize = crop``), they are 255. The table has the pixels of each class and their part.

    Args:
        folder: A run of segmentation.
        predictor: Its network.
        paths: Image files.
        out: A folder, made where it is not there; files of these names in it are replaced.
        tiling: Predict images at their own resolution, by tiles; None: at the size that the network was trained on.

    Returns:
        How many masks were written.

    Raises:
        DataError: The run is no segmentation, two images have one name, or an image cannot be read.
    """
    if folder.task != "segmentation":
        raise DataError(f"{folder.path} learned {folder.task}, which has no masks; leave out --masks.")
    names = [path.stem for path in paths]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise DataError(
            f"Two of the images are called {twice}, so their masks would be one file; give them one by one."
        )
    out.mkdir(parents=True, exist_ok=True)
    classes = folder.classes
    colors = class_colors(classes)
    rows = []
    for path, image, mask in _masks(predictor, paths, tiling):
        with replacing(out / f"{path.stem}.png") as temporary:
            paletted(mask, colors).save(temporary, "PNG")
        with replacing(out / f"{path.stem}-overlay.jpg") as temporary:
            Image.fromarray(overlay(image, mask, colors)).save(temporary, "JPEG", quality=90)
        pixels = [int((mask == number).sum()) for number in range(len(classes))]
        known = max(sum(pixels), 1)
        rows.append([str(path), *pixels, *(f"{number / known:.6g}" for number in pixels)])
    header = ["image", *(f"pixels({name})" for name in classes), *(f"area({name})" for name in classes)]
    write_csv(out / AREAS, header, rows)
    return len(rows)


def _masks(
    predictor: Predictor, paths: Sequence[Path], tiling: Tiling | None
) -> Iterator[tuple[Path, NDArray[np.uint8], NDArray[np.uint8]]]:
    """Give each image with its pixels and its mask, one at a time."""
    for path in paths:
        try:
            image = read_image(path, bits=predictor.preprocessing.bits)
        except UnreadableImageError as error:
            raise DataError(f"{path} {error.reason}; mend or leave out this image.") from None
        if tiling is None:
            found: Any = predictor.predict([image]).predictions
            mask = predictor.preprocessing.fit_back(found.labels[0], image.shape[:2])
        else:
            channels = predictor.preprocessing.channels
            pixels = image if image.shape[2] == channels else _with_channels(image, channels)
            mask, _ = predict_by_tiles(
                predictor.network, predictor.preprocessing.standardize, pixels, tiling, predictor.device
            )
        assert mask.shape == image.shape[:2] and (mask[mask != VOID] < len(predictor.classes)).all()
        yield path, image, mask


def _with_channels(image: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    return np.array(Image.fromarray(image).convert("L"))[..., None]
