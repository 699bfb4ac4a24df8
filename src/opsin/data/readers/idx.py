"""Reader of IDX files, the format of MNIST: a folder with train and t10k files, or one pair of images and labels.

The format is described by Y. LeCun, C. Cortes and C. J. C. Burges, "The MNIST database of handwritten digits" (1998):
two zero bytes, a type, a number of dimensions, each dimension as a big-endian 32-bit integer, then the values.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from opsin.data.dataset import Dataset
from opsin.data.images import SPLITS, TEST, TRAIN, ArrayImages
from opsin.data.readers.common import number_labels, refuse_column_names, split_of
from opsin.data.targets import ClassTargets
from opsin.errors import DataError

_NAME = re.compile(
    r"(?:.*[-_.])??(?P<part>[^-_.]+)[-_.](?P<what>images|labels)[-_.]idx[13][-_.]ubyte(?:\.gz)?", re.IGNORECASE
)
_UNSIGNED_BYTE = 0x08
_GZIP_RATIO = 1040  # the maximum compression ratio of gzip is 1032


def read_idx(path: Path, *, label: str = "label", group: str = "group") -> Dataset:
    """Read IDX files, plain or compressed with gzip.

    Args:
        path: A folder with files such as ``train-images-idx3-ubyte.gz`` and ``train-labels-idx1-ubyte.gz``, and
            ``t10k-...`` or ``test-...`` for the test images; or one file of images or labels, which is read with
            its counterpart and without a split.
        label: Must be left at its default: IDX files have no columns.
        group: Must be left at its default.

    Returns:
        The data set; classes are named by their numbers.

    Raises:
        DataError: A file is missing, damaged or truncated, or images and labels differ in number.
    """
    refuse_column_names(path, "contains IDX files", label, group)
    pairs = _pairs(path)
    images, labels, split = [], [], []
    for part, (image_file, label_file) in pairs.items():
        pixels, values = read_idx_array(image_file, 3), read_idx_array(label_file, 1)
        if len(pixels) != len(values):
            raise DataError(
                f"{image_file} contains {len(pixels):,} images, but {label_file.name} {len(values):,} labels; copy "
                f"both from the same source."
            )
        images.append(pixels)
        labels.append(values)
        split += [part] * len(pixels)
    if len({pixels.shape[1:] for pixels in images}) > 1:
        raise DataError(f"{path} contains IDX files with images of different sizes; keep one data set per folder.")
    numbers, classes = number_labels(np.concatenate(labels))
    folder = path if path.is_dir() else path.parent
    return Dataset(
        name=folder.resolve().name,
        classes=classes,
        images=ArrayImages(np.concatenate(images)),
        targets=ClassTargets(numbers),
        split=np.array(split) if len(pairs) > 1 else None,
    )


def is_idx(path: Path) -> bool:
    """Return whether a file has the name of an IDX file of images or labels."""
    return _NAME.fullmatch(path.name) is not None


def holds_idx(path: Path, parts: tuple[str, ...] = ()) -> bool:
    """Return whether a folder contains IDX files of images, including all splits in ``parts``."""
    if not path.is_dir():
        return False
    here = {_part(file) for file in path.iterdir() if _what(file) == "images"}
    return bool(here) and here.issuperset(parts)


def read_idx_array(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes.

    Args:
        path: The file, plain or compressed with gzip, whatever its suffix.
        dimensions: 3 for images ``(N, H, W)``, 1 for labels ``(N,)``.

    Raises:
        DataError: It is not such a file, is truncated, or has excess bytes.
    """
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            header = file.read(4 + 4 * dimensions)
            shape = _shape(path, header, dimensions)
            # No more than the file can contain, whatever its header claims.
            most = path.stat().st_size * (_GZIP_RATIO if packed else 1)
            values = file.read(min(math.prod(shape) + 1, most))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is truncated or damaged; copy or download it again.") from error
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}; check the file and its permissions.") from error
    if len(values) != math.prod(shape):
        short = len(values) < math.prod(shape)
        raise DataError(
            f"{path} {'is truncated' if short else 'is too long'}: its header announces {math.prod(shape):,} values, "
            f"but {f'only {len(values):,}' if short else 'more'} follow; copy it again."
        )
    return np.frombuffer(values, np.uint8).reshape(shape)


def _shape(path: Path, header: bytes, dimensions: int) -> tuple[int, ...]:
    if header[:4] != bytes((0, 0, _UNSIGNED_BYTE, dimensions)):
        what = "images" if dimensions == 3 else "labels"
        raise DataError(
            f"{path} is not an IDX file of {what}: it starts with {header[:4].hex() or 'nothing'} rather than "
            f"{bytes((0, 0, _UNSIGNED_BYTE, dimensions)).hex()}; check that images and labels are not swapped."
        )
    if len(header) < 4 + 4 * dimensions:
        raise DataError(f"{path} is truncated within its header; copy it again.")
    return tuple(int(length) for length in np.frombuffer(header, ">u4", offset=4))


def _pairs(path: Path) -> dict[str, tuple[Path, Path]]:
    """Return split -> (file of images, file of labels)."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if _what(file) == "images")
    else:
        files = [path if _what(path) == "images" else _counterpart(path, "images")]
    found: dict[str, Path] = {}
    for file in files:
        part = _part(file)
        if part is None and len(files) > 1:
            raise DataError(f"{file} is not a train, validation or test (t10k) file; give the path of one file.")
        other = found.setdefault(part or TRAIN, file)
        if _without_gz(other.name) != _without_gz(file.name):
            raise DataError(f"{path} contains both {other.name} and {file.name}; keep one data set per folder.")
    # Sorting puts the plain file before the compressed one, and the first is kept.
    return {part: (found[part], _counterpart(found[part], "labels")) for part in SPLITS if part in found}


def _counterpart(file: Path, what: str) -> Path:
    """Return the file of labels for a file of images, or vice versa."""
    for candidate in sorted(file.parent.iterdir()):
        if _what(candidate) == what and _beginning(candidate) == _beginning(file):
            return candidate
    wanted = f"{_beginning(file)}{what}-idx{3 if what == 'images' else 1}-ubyte"
    raise DataError(f"{file} has no counterpart {wanted} or {wanted}.gz in the same folder; put it there.")


def _beginning(file: Path) -> str:
    match = _NAME.fullmatch(file.name)
    return file.name[: match.start("what")].lower() if match else ""


def _without_gz(name: str) -> str:
    return name.removesuffix(".gz")


def _what(file: Path) -> str | None:
    match = _NAME.fullmatch(file.name)
    return match["what"].lower() if match else None


def _part(file: Path) -> str | None:
    match = _NAME.fullmatch(file.name)
    word = match["part"].lower() if match else ""
    return TEST if word == "t10k" else split_of(word)
