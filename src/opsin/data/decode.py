"""Reading one image file as 8-bit grey or RGB pixels, upright, or saying in one sentence why not."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from opsin.errors import UnreadableImageError

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".png", ".bmp", ".tif", ".tiff", ".webp", ".gif", ".ppm", ".pgm"})
LARGEST = 178_956_970  # pixels; twice Pillow's own warning level, the size at which it speaks of a decompression bomb


def read_image(path: Path | str, size: tuple[int, int] | None = None, bits: int = 16) -> NDArray[np.uint8]:
    """Decode an image file.

    The EXIF orientation is applied; transparent pixels are laid over white; palettes become colors; 16-bit values are
    scaled so that ``2**bits - 1`` is white; of several pages or frames the first is taken.

    Args:
        path: A JPEG, PNG, BMP, TIFF, WebP, GIF or PNM file.
        size: (height, width) that the caller will shrink the image to. A JPEG is then decoded at the smallest of the
            scales 1, 1/2, 1/4 and 1/8 that is at least twice this size, which is several times faster.
        bits: Bits in use in 16-bit images.

    Returns:
        uint8 ``(H, W, 1)`` for grey images, ``(H, W, 3)`` for all others, values 0-255.

    Raises:
        UnreadableImageError: The file is missing, empty, not an image, damaged, too large, or holds floating-point pixels.
    """
    path = Path(path)
    with _explained(path), Image.open(path) as image:
        if size is not None and image.format == "JPEG":
            image.draft(None, (size[1] * 2, size[0] * 2))
        image.load()
        upright = ImageOps.exif_transpose(image)
        pixels = _to_eight_bits(upright, path, bits)
    return pixels


def image_size(path: Path | str) -> tuple[int, int, int]:
    """Return (height, width, channels) of an image file, upright, reading only its header.

    Raises:
        UnreadableImageError: As for `read_image`, as far as the header shows it.
    """
    path = Path(path)
    with _explained(path), Image.open(path) as image:
        width, height = image.size
        if image.getexif().get(0x0112, 1) in (5, 6, 7, 8):  # orientations that turn by 90 degrees
            width, height = height, width
        return height, width, 1 if _is_grey(image) else 3


def _is_grey(image: Image.Image) -> bool:
    return image.mode in ("1", "L", "I", "F", "LA") or image.mode.startswith("I;16")


def _to_eight_bits(image: Image.Image, path: Path, bits: int) -> NDArray[np.uint8]:
    mode = image.mode
    if mode == "F":
        raise UnreadableImageError(
            path, "holds floating-point pixels, whose black and white are not known; save it with 8 or 16 bits"
        )
    if mode == "I" or mode.startswith("I;16"):
        values = np.asarray(image).astype(np.float64) * (255 / (2**bits - 1))
        if values.size and (values.min() < 0 or values.max() > 255.5):
            raise UnreadableImageError(
                path, f"has values up to {np.asarray(image).max()}, more than {bits} bits hold; raise data.bits or convert it"
            )
        return np.round(values).astype(np.uint8)[..., None]
    if mode in ("LA", "PA", "RGBA", "La", "RGBa") or "transparency" in image.info:
        over = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", over.size, (255, 255, 255, 255)), over)
        image = image.convert("L" if mode in ("L", "LA", "La") else "RGB")
    elif mode != "L":
        image = image.convert("L" if mode == "1" else "RGB")
    pixels = np.array(image)
    return pixels[..., None] if pixels.ndim == 2 else pixels


class _explained:  # noqa: N801 - used as a statement
    """Turn what Pillow and the system raise into one sentence about the file."""

    def __init__(self, path: Path):
        self.path = path
        self.warnings = warnings.catch_warnings()

    def __enter__(self) -> None:
        self.warnings.__enter__()
        warnings.simplefilter("ignore")

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        self.warnings.__exit__(None, None, None)
        if error is None or isinstance(error, UnreadableImageError) or not isinstance(error, Exception):
            return
        raise UnreadableImageError(self.path, self._reason(error)) from None

    def _reason(self, error: Exception) -> str:
        path = self.path
        if isinstance(error, FileNotFoundError):
            broken = path.is_symlink()
            return "is a broken link: its target does not exist" if broken else "does not exist"
        if isinstance(error, PermissionError):
            return "may not be read: its permissions do not allow it"
        if isinstance(error, IsADirectoryError):
            return "is a folder, not an image"
        if path.stat().st_size == 0:
            return "is empty (0 bytes)"
        if isinstance(error, UnidentifiedImageError):
            return "is not an image, whatever its name says"
        if isinstance(error, Image.DecompressionBombError):
            return f"claims more than {LARGEST:,} pixels, which may be an attack; crop it or save it smaller"
        return f"is damaged: {error}"
