"""Masks of new images as files: at the size of each image, with overlays and a table of areas."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from opsin.data.decoding import read_image
from opsin.data.mask_codes import VOID
from opsin.errors import DataError, UnreadableImageError
from opsin.inference.predictor import Predictor
from opsin.inference.sliding_window import Tiling
from opsin.runs.folder import RunFolder
from opsin.storage.atomic import replacing, write_csv
from opsin.tasks.segmentation.drawing import class_colors, overlay, paletted

AREAS = "areas.csv"


def write_masks(
    folder: RunFolder,
    predictor: Predictor,
    paths: Sequence[Path],
    out: Path,
    tiling: Tiling | None = None,
    probabilities: bool = False,
) -> int:
    """Write for each image its mask (``NAME.png``), the mask laid over it (``NAME-overlay.jpg``), and ``areas.csv``.

    A mask has the size of its image. Its pixels are class numbers, shown in colors; where the network was not shown a
    part of the image (``data.resize = crop``), they are 255. The table has the pixels of each class and their part.
    Where they are wanted, the probabilities of all classes are in ``NAME-probabilities.tif``, a page for each class in
    the order of the table, in 255ths.

    Args:
        folder: A run of segmentation.
        predictor: Its network.
        paths: Image files.
        out: A folder, made where it is not there; files of these names in it are replaced.
        tiling: Predict images at their own resolution, by tiles; None: at the size that the network was trained on.
        probabilities: Whether they are written too.

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
    for path in paths:
        try:
            image = read_image(path, bits=predictor.preprocessing.bits)
        except UnreadableImageError as error:
            raise DataError(f"{path} {error.reason}; mend or leave out this image.") from None
        mask, kept = _named(predictor, image, tiling, probabilities)
        if kept is not None:
            _write_stack(out / f"{path.stem}-probabilities.tif", kept)
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


def _named(
    predictor: Predictor, image: NDArray[np.uint8], tiling: Tiling | None, keep: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """Return the class of each pixel, uint8 ``(H, W)``, and where they are to be kept all probabilities in 255ths."""
    size = image.shape[:2]
    kept = np.zeros((len(predictor.classes), *size), np.uint8) if keep else None
    if tiling is None:
        maps = predictor.map_classes(image)
        mask, most = torch.full(size, VOID, dtype=torch.uint8), torch.zeros(size)
        for number, small in enumerate(maps):
            plane = predictor.preprocessing.fit_back(small, size)
            higher = plane > most
            mask[higher], most[higher] = number, plane[higher]
            if kept is not None:
                kept[number] = _in_255ths(plane.nan_to_num())
        return mask.numpy(), kept
    named = np.zeros(size, np.uint8)
    top = 0
    for band in predictor.map_classes_by_tiles(_with_channels(image, predictor.preprocessing.channels), tiling):
        rows = slice(top, top + band.shape[1])
        named[rows] = band.argmax(dim=0).to(torch.uint8).numpy()
        if kept is not None:
            kept[:, rows] = _in_255ths(band)
        top = rows.stop
    return named, kept


def _in_255ths(probabilities: Tensor) -> NDArray[np.uint8]:
    in_255ths: NDArray[np.uint8] = (probabilities * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    return in_255ths


def _write_stack(path: Path, planes: NDArray[np.uint8]) -> None:
    """Write planes ``(C, H, W)`` as the pages of one TIFF."""
    first, *rest = (Image.fromarray(plane) for plane in planes)
    with replacing(path) as temporary:
        first.save(temporary, "TIFF", save_all=True, append_images=rest, compression="tiff_deflate")


def _with_channels(image: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    if image.shape[2] == channels:
        return image
    if channels == 3:
        return np.repeat(image, 3, axis=2)
    return np.array(Image.fromarray(image).convert("L"))[..., None]
