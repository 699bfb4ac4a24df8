"""Decoding of one image file to upright 8-bit grey or RGB pixels, or an error that explains why it cannot be read."""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import threading
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from opsin.errors import UnreadableImageError

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm"}
)
DECODER_VERSION = 2  # increased whenever a file decodes to different pixels, which invalidates cached pixels
LARGEST = 178_956_970  # pixels; twice Pillow's warning level, at which it reports a decompression bomb

# Only these decoders are tried, whatever the suffix: some of Pillow's others start programs (PostScript).
_FORMATS = ("JPEG", "PNG", "BMP", "DIB", "TIFF", "WEBP", "GIF", "PPM")

# A JPEG decoded at reduced scale stays this many times larger than its target, so that the antialiased resize, not the
# coarser reduction, determines the result. A photograph of 1152x864 for 224x224 is decoded at half scale.
_MARGIN = 1.75

_ORIENTATION, _TIFF_WIDTH, _TIFF_HEIGHT = 0x0112, 256, 257  # tags of EXIF and TIFF 6.0
_UPRIGHT = {  # EXIF 2.32, tag Orientation: the transposition that brings each value upright
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = (5, 6, 7, 8)

# Pillow also logs what it raises; without a handler Python would print it into the progress bar.
logging.getLogger("PIL").addHandler(logging.NullHandler())


def open_image(path: Path | str, size: tuple[int, int] | None = None, bits: int = 16) -> Image.Image:
    """Decode an image file to a Pillow image.

    The EXIF orientation is applied; transparent images are composited over white; palettes become colors; 16-bit grey
    values are scaled so that ``2**bits - 1`` is white; of several pages or frames, the first is used. Thread-safe.

    Args:
        path: A JPEG, PNG, BMP, TIFF, WebP, GIF or PNM file.
        size: (height, width) to which the caller will resize the image. A JPEG is then decoded at the smallest of the
            scales 1, 1/2, 1/4 and 1/8 that is at least 1.75 times this size, which is several times faster.
        bits: Bits in use in 16-bit grey images. (Of 16-bit color, Pillow keeps the upper 8.)

    Returns:
        The decoded 8-bit image, upright: mode "L" for grey images, "RGB" for all others.

    Raises:
        UnreadableImageError: The file is missing, empty, not an image, damaged, too large, or holds floating-point
            pixels.
    """
    path = Path(path)
    with _opened(path) as image:
        if size is not None and image.format in ("JPEG", "MPO"):
            height, width = size[::-1] if _orientation(image) in _ON_ITS_SIDE else size
            image.draft(None, (math.ceil(width * _MARGIN), math.ceil(height * _MARGIN)))
        image.load()
        turn = _UPRIGHT.get(_orientation(image))
        return _to_eight_bits(image if turn is None else image.transpose(turn), path, bits)


def read_image(path: Path | str, size: tuple[int, int] | None = None, bits: int = 16) -> NDArray[np.uint8]:
    """Decode an image file into an array; see `open_image`.

    Returns:
        uint8 ``(H, W, 1)`` for grey images, ``(H, W, 3)`` for all others, values 0-255.

    Raises:
        UnreadableImageError: As for `open_image`.
    """
    return to_array(open_image(path, size, bits))


def read_values(path: Path | str, colors: bool = False) -> NDArray[Any]:
    """Decode a mask without conversion: palette indices rather than colors, and integers of any size.

    Args:
        path: A PNG, BMP, TIFF, WebP, GIF or PNM file.
        colors: Return colors, also for palettes.

    Returns:
        Integers ``(H, W)``; for color images whose channels differ, and with ``colors``, uint8 ``(H, W, 3)``.

    Raises:
        UnreadableImageError: As for `open_image`; or it is a JPEG, whose compression changes labels.
    """
    path = Path(path)
    with _opened(path) as image:
        if image.format in ("JPEG", "MPO"):
            raise UnreadableImageError(path, "is a JPEG, whose compression changes the labels; save masks as PNG")
        image.load()
        if image.mode == "F":
            raise UnreadableImageError(path, "contains floating-point numbers; save masks as integers")
        if colors or image.mode in ("RGB", "RGBA", "CMYK", "YCbCr"):
            pixels = np.array(image.convert("RGB"))
            grey = not colors and (pixels == pixels[..., :1]).all()
            return pixels[..., 0] if grey else pixels
        values = np.array(image.getchannel(0) if image.mode in ("LA", "PA") else image)
        return values.astype(np.uint8) if values.dtype == np.bool_ else values


def to_array(image: Image.Image) -> NDArray[np.uint8]:
    """Return the pixels of an image of mode "L" or "RGB", uint8 ``(H, W, 1)`` or ``(H, W, 3)``."""
    return np.array(image).reshape(image.height, image.width, -1)


def from_array(pixels: NDArray[np.uint8]) -> Image.Image:
    """Return pixels, uint8 ``(H, W, 1)`` or ``(H, W, 3)``, as an image of mode "L" or "RGB"."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def image_size(path: Path | str) -> tuple[int, int, int]:
    """Return (height, width, channels) of an upright image file, reading only its header.

    Raises:
        UnreadableImageError: As for `open_image`, as far as the header shows.
    """
    path = Path(path)
    with _opened(path) as image:
        width, height = image.size
        if image.format == "TIFF":  # whether its size is already upright depends on Pillow's version
            width, height = image.tag_v2[_TIFF_WIDTH], image.tag_v2[_TIFF_HEIGHT]  # type: ignore[attr-defined]
        if _orientation(image) in _ON_ITS_SIDE:
            width, height = height, width
        return height, width, 1 if _is_grey(image.mode) else 3


def _is_grey(mode: str) -> bool:
    return mode in ("1", "L", "I", "F", "LA") or mode.startswith("I;16")


def _orientation(image: Image.Image) -> int:
    """Return the EXIF orientation; 1 (upright) if it is missing or damaged."""
    try:
        # Not image.getexif(): for a PNG without EXIF that decodes all pixels.
        return int(Image.Image.getexif(image).get(_ORIENTATION, 1))
    except Exception:  # Pillow raises struct.error, SyntaxError, ValueError and others; the pixels may still be intact
        return 1


def _to_eight_bits(image: Image.Image, path: Path, bits: int) -> Image.Image:
    mode = image.mode
    if mode == "F":
        raise UnreadableImageError(
            path, "has floating-point pixels, whose value range is unknown; save it with 8 or 16 bits"
        )
    if mode == "I" or mode.startswith("I;16"):
        return Image.fromarray(_scaled(np.asarray(image), image.info.get("transparency"), path, bits))
    if mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, (255, 255, 255, 255)), over)
    target = "L" if _is_grey(mode) else "RGB"
    return image if image.mode == target else image.convert(target)


def _scaled(values: NDArray[Any], transparent: object, path: Path, bits: int) -> NDArray[np.uint8]:
    """Scale integers of up to 16 bits, ``(H, W)``, to uint8 of that shape; the value ``transparent`` becomes white."""
    white = 2**bits - 1
    if values.min() < 0:
        raise UnreadableImageError(path, f"has negative values (down to {values.min()}); save it with 8 or 16 bits")
    if values.max() > white:
        advice = "save it with 8 or 16 bits" if bits == 16 else "increase --bits or convert the image"
        raise UnreadableImageError(path, f"has values up to {values.max()}, more than {bits} bits can hold; {advice}")
    if isinstance(transparent, int):
        values = np.where(values == transparent, white, values)
    result: NDArray[np.uint8] = _scale(bits)[values]
    return result


@functools.cache
def _scale(bits: int) -> NDArray[np.uint8]:
    """Return the lookup table from ``[0, 2**bits)`` to 0-255, rounded."""
    result: NDArray[np.uint8] = np.round(np.arange(2**bits) * (255 / (2**bits - 1))).astype(np.uint8)
    return result


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file; convert exceptions of Pillow and the system to `UnreadableImageError`."""
    try:
        with _quiet, Image.open(path, formats=_FORMATS) as image:
            if image.width * image.height > LARGEST:  # other libraries can switch off Pillow's own check
                raise Image.DecompressionBombError
            yield image
    except (UnreadableImageError, MemoryError):
        raise
    except Exception as error:  # damaged files make Pillow raise almost anything
        raise UnreadableImageError(path, _reason(path, error)) from None


def _reason(path: Path, error: Exception) -> str:
    with contextlib.suppress(OSError, ValueError):
        if path.is_dir():  # Windows reports a permission error
            return "is a folder, not an image"
        if path.is_symlink() and not path.exists():
            return "is a broken link: its target does not exist"
    if isinstance(error, FileNotFoundError):
        return "does not exist"
    if isinstance(error, PermissionError):
        return "cannot be read: permission denied"
    with contextlib.suppress(OSError, ValueError):
        if path.stat().st_size == 0:
            return "is empty (0 bytes)"
    if isinstance(error, UnidentifiedImageError):
        return "is not a JPEG, PNG, BMP, TIFF, WebP, GIF or PNM image, whatever its suffix"
    if isinstance(error, Image.DecompressionBombError):
        return f"claims more than {LARGEST:,} pixels, which may be an attack; crop it or save it at a smaller size"
    words = " ".join(str(error).split()).rstrip(".")
    return f"is damaged: {words}" if words else "is damaged"


class _Quiet:
    """Suppress warnings while any thread is inside.

    `warnings.catch_warnings` alone is not thread-safe: overlapping threads may restore each other's filters.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.caught = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self.lock:
            if self.inside == 0:
                self.caught = warnings.catch_warnings()
                self.caught.__enter__()
                warnings.simplefilter("ignore")
            self.inside += 1

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1
            if self.inside == 0:
                self.caught.__exit__(None, None, None)


_quiet = _Quiet()
