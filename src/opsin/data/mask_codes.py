"""Coding of masks: the class of each pixel from the numbers or colors in the mask files."""

from __future__ import annotations

import csv
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opsin.data.decoding import read_values
from opsin.data.images import NamedFiles
from opsin.errors import DataError, UnreadableImageError

VOID = 255  # a pixel of unknown class, excluded from losses and scores
VOID_NAMES = ("void", "ignore", "unlabeled", "unlabelled")
MOST_CLASSES = 64  # more distinct values are not classes: the labels were interpolated, or are instance ids
OBJECT_CHECKS = 100  # masks that are checked for instance ids
BINARY = ("background", "foreground")


@dataclass(frozen=True)
class Coding:
    """Table from mask values to classes.

    Attributes:
        values: int64 ``(K,)``, ascending; a color is ``red * 65536 + green * 256 + blue``.
        classes: uint8 ``(K,)``, the class of each value, or `VOID`.
        default: Class of all other values; None: other values are an error.
        colors: Whether the values are colors.
    """

    values: NDArray[np.int64]
    classes: NDArray[np.uint8]
    default: int | None = None
    colors: bool = False

    @classmethod
    def from_table(cls, table: dict[int, int], default: int | None = None, colors: bool = False) -> Coding:
        """Build a coding from a table value -> class."""
        values = np.array(sorted(table), np.int64)
        return cls(values, np.array([table[value] for value in values.tolist()], np.uint8), default, colors)

    def apply(self, values: NDArray[Any]) -> NDArray[np.uint8]:
        """Return the classes of mask values ``(...)``, colors packed.

        Raises:
            ValueError: A value has no class; it is the exception's argument.
        """
        place = np.searchsorted(self.values, values).clip(max=len(self.values) - 1)
        known = self.values[place] == values
        if self.default is None and not known.all():
            raise ValueError(int(values[~known][0]))
        return np.where(known, self.classes[place], 0 if self.default is None else self.default).astype(np.uint8)

    def describe(self, value: int) -> str:
        """Return ``value 7``, or ``color (128, 0, 0)``."""
        return f"color {(value >> 16, value >> 8 & 255, value & 255)}" if self.colors else f"value {value}"

    @property
    def text(self) -> str:
        """Text that identifies the coding."""
        return f"{self.values.tolist()} {self.classes.tolist()} {self.default} {self.colors}"


def pack_colors(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return masks ``(H, W)`` as int64, with colors ``(H, W, 3)`` packed into one number each."""
    wide = values.astype(np.int64)
    return wide if values.ndim == 2 else wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


class MaskFiles(NamedFiles):
    """Masks in files, read one at a time as images of class numbers (`opsin.data.images.Images`).

    Args:
        root: The folder to which names are relative.
        paths: The files.
        coding: Class of each value.
    """

    def __init__(self, root: Path, paths: Sequence[Path], coding: Coding):
        super().__init__(root, paths)
        self.coding = coding

    def identity(self) -> str:
        """Return the absolute path of the folder to which names are relative, and the coding."""
        return f"{os.path.abspath(self.root)} masks {self.coding.text}"

    def read(self, index: int, size: tuple[int, int] | None = None, bits: int = 16) -> NDArray[np.uint8]:
        """Return the classes of the pixels, uint8 ``(H, W, 1)``; ``size`` and ``bits`` have no effect.

        Raises:
            UnreadableImageError: The file cannot be read, or contains a value without a class.
        """
        path = self.paths[index]
        values = read_values(path, self.coding.colors)
        if values.ndim == 3 and not self.coding.colors:
            raise UnreadableImageError(path, "is a color image, unlike the other masks")
        try:
            return self.coding.apply(pack_colors(values))[..., None]
        except ValueError as error:
            unknown = self.coding.describe(error.args[0])
            raise UnreadableImageError(path, f"contains the {unknown}, which has no class") from None

    def open(self, index: int, size: tuple[int, int] | None = None, bits: int = 16) -> Image.Image:
        """Return the mask as an image of mode "L"; see `read`."""
        return Image.fromarray(self.read(index)[..., 0])

    def shape(self, index: int) -> tuple[int, int, int]:
        """Return (height, width, 1)."""
        return self.read(index).shape


class MaskSummary(NamedTuple):
    """Summary of one mask.

    Attributes:
        name: Name of the mask.
        size: (height, width).
        values: int64 ``(K,)``, ascending, the distinct values; colors are packed.
        colored: Whether it is a color image.
        connected: Number of values other than 0 and void that have at least 90 % of their pixels in one connected
            component; None if that was not checked.
    """

    name: str
    size: tuple[int, int]
    values: NDArray[np.int64]
    colored: bool
    connected: int | None


def summarize_mask(name: str, values: NDArray[Any], check_objects: bool = True) -> MaskSummary:
    """Summarize the values of one mask, ``(H, W)`` or ``(H, W, 3)``.

    Args:
        name: Name of the mask.
        values: As in its file.
        check_objects: Whether to find connected components, which takes ten times as long.
    """
    codes = pack_colors(values)
    found = np.unique(codes)
    if not check_objects:
        return MaskSummary(name, codes.shape, found, values.ndim == 3, None)
    objects, connected = found[(found != 0) & (found != VOID)], 0
    if 1 < len(objects) <= 1000:
        from scipy.ndimage import find_objects, label

        numbered = np.searchsorted(objects, codes) + 1
        numbered[~np.isin(codes, objects)] = 0
        for number, place in enumerate(find_objects(numbered), 1):
            components, _ = label(numbered[place] == number)
            sizes = np.bincount(np.asarray(components).ravel())[1:]
            connected += int(sizes.max() >= 0.9 * sizes.sum())
    return MaskSummary(name, codes.shape, found, values.ndim == 3, connected)


class ResolvedCoding(NamedTuple):
    """Classes and coding of masks.

    Attributes:
        classes: Class names.
        coding: Class of each value.
        notes: Sentences on how the coding was chosen.
    """

    classes: tuple[str, ...]
    coding: Coding
    notes: tuple[str, ...] = ()


def resolve_mask_coding(
    where: str,
    seen: Sequence[MaskSummary],
    *,
    mode: str = "auto",
    names: Sequence[str] | None = None,
    colors: dict[str, tuple[int, int, int]] | None = None,
) -> ResolvedCoding:
    """Choose the class of each mask value.

    The rules, in this order: colors follow the table of colors; with class names, values are class numbers and 255 is
    void; a single value other than 0 is the foreground; instance ids (see `hold_instance_ids`) are one class; otherwise
    every value is a class, and 255 is void if all others are below 64.

    Args:
        where: The data set, for messages.
        seen: Summary of every mask.
        mode: "auto"; "classes" (values are never instance ids) or "binary" (every value except 0 and void is the
            foreground).
        names: Names of the classes 0, 1, ...
        colors: Color of each class.

    Raises:
        DataError: Values have no class, or there is only background.
    """
    if colors is not None:
        return _by_color(where, seen, colors, mode)
    colored = [mask.name for mask in seen if mask.colored]
    if colored:
        raise DataError(
            f"{where}: the mask {colored[0]} is a color image, and there is no table of colors; put a file colors.csv "
            "with the columns name,r,g,b into the folder, or save masks of class numbers."
        )
    values = sorted({value for mask in seen for value in mask.values.tolist()})
    others = [value for value in values if value not in (0, VOID)]
    void = VOID in values and bool(others) and (names is not None or max(others) < MOST_CLASSES)
    known = [value for value in values if not (void and value == VOID)]
    two = names is None or len(names) == 2
    objects = mode == "auto" and two and hold_instance_ids(seen)
    if known == [0]:
        raise DataError(f"{where}: the masks contain only background (0); add masks with a foreground.")
    if mode == "binary" or objects or (two and known[0] == 0 and len(known) == 2):
        return _binary(known, void, names, objects)
    if names is not None:
        return _by_name(where, seen, names, void)
    if len(known) > MOST_CLASSES:
        raise DataError(
            f"{where}: the masks contain {len(known)} distinct values, too many for classes; export the masks "
            "again as PNG without interpolation, or give --masks binary if the values are instance ids."
        )
    classes = tuple("background" if value == 0 else str(value) for value in known)
    table = {value: number for number, value in enumerate(known)} | ({VOID: VOID} if void else {})
    return ResolvedCoding(classes, Coding.from_table(table))


def shown_classes(where: str, seen: Sequence[MaskSummary], coding: Coding, classes: int) -> NDArray[np.bool_]:
    """Return the classes that occur in each mask, bool ``(N, classes)``.

    Raises:
        DataError: A mask is entirely void.
    """
    shown = np.zeros((len(seen), classes), bool)
    for row, mask in enumerate(seen):
        found = coding.apply(mask.values)
        shown[row, found[found < classes]] = True
        if not shown[row].any():
            raise DataError(f"{where}: the mask {mask.name} is entirely void (255); remove it and its image.")
    return shown


def hold_instance_ids(seen: Sequence[MaskSummary]) -> bool:
    """Return whether mask values are instance ids.

    Each value is then one connected component, values count from 1 in each mask, and their number varies.
    """
    looked = [mask for mask in seen if mask.connected is not None]
    counts = [len([value for value in mask.values.tolist() if value not in (0, VOID)]) for mask in looked]
    several = [(mask, count) for mask, count in zip(looked, counts, strict=True) if count > 1]
    if not several or len(set(counts)) == 1 or max(counts) < 3:
        return False
    # Small objects may have been lost when a mask was downscaled, so that some ids are missing.
    counted = sum(count >= 0.6 * int(mask.values[mask.values != VOID].max()) for mask, count in several)
    connected = sum(mask.connected or 0 for mask, _ in several)
    return counted >= 0.8 * len(several) and connected >= 0.8 * sum(count for _, count in several)


def _binary(known: Sequence[int], void: bool, names: Sequence[str] | None, objects: bool) -> ResolvedCoding:
    classes = tuple(names) if names is not None and len(names) == 2 else BINARY
    notes: tuple[str, ...] = ()
    if len(known) > 2:
        what = "are instance ids" if objects else "stand for several classes"
        notes = (f"The mask values {what}; all except 0 are read as one class, {classes[1]!r}.",)
    return ResolvedCoding(classes, Coding.from_table({0: 0} | ({VOID: VOID} if void else {}), default=1), notes)


def _by_name(where: str, seen: Sequence[MaskSummary], names: Sequence[str], void: bool) -> ResolvedCoding:
    limit = len(names)
    for mask in seen:
        beyond = [value for value in mask.values.tolist() if value >= limit and not (void and value == VOID)]
        if beyond:
            raise DataError(
                f"{where}: the mask {mask.name} contains the value {beyond[0]}, but the classes are 0 to {limit - 1}, "
                "and 255 for void; correct the mask or name more classes."
            )
    return ResolvedCoding(tuple(names), Coding.from_table({number: number for number in range(limit)} | {VOID: VOID}))


def _by_color(
    where: str, seen: Sequence[MaskSummary], colors: dict[str, tuple[int, int, int]], mode: str
) -> ResolvedCoding:
    classes = tuple(name for name in colors if name.lower() not in VOID_NAMES)
    table: dict[int, int] = {}
    for name, (red, green, blue) in colors.items():
        table[red << 16 | green << 8 | blue] = VOID if name.lower() in VOID_NAMES else classes.index(name)
    coding = Coding.from_table(table, colors=True)
    for mask in seen:
        unknown = np.setdiff1d(mask.values, coding.values)
        if len(unknown):
            raise DataError(
                f"{where}: the mask {mask.name} contains the {coding.describe(int(unknown[0]))}, which is not in the "
                "table of colors; add it to the table, or export the mask as PNG without interpolation."
            )
    if mode == "binary":
        return ResolvedCoding(
            BINARY,
            Coding(
                coding.values, np.where(coding.classes == VOID, VOID, coding.classes > 0).astype(np.uint8), None, True
            ),
        )
    return ResolvedCoding(classes, coding)


def read_colors(folder: Path) -> dict[str, tuple[int, int, int]] | None:
    """Read ``colors.csv`` (columns name,r,g,b) or ``colors.toml`` (``gland = [128, 0, 0]``), if the folder has one.

    Raises:
        DataError: The table is invalid.
    """
    table, toml = folder / "colors.csv", folder / "colors.toml"
    try:
        if toml.exists():
            entries = list(tomllib.loads(toml.read_text(encoding="utf-8")).items())
        elif table.exists():
            with table.open(newline="", encoding="utf-8-sig") as file:
                entries = [(row["name"], [row["r"], row["g"], row["b"]]) for row in csv.DictReader(file)]
        else:
            return None
        found = {name: tuple(int(value) for value in values) for name, values in entries}
        if not found or any(
            len(color) != 3 or not all(0 <= value <= 255 for value in color) for color in found.values()
        ):
            raise ValueError
        if len(set(found.values())) < len(entries):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError):
        path = toml if toml.exists() else table
        raise DataError(
            f"{path} is not a valid table of colors; write name,r,g,b (CSV), or name = [r, g, b] (TOML), with integers "
            "from 0 to 255, each name and each color once."
        ) from None
    return found  # type: ignore[return-value]


def read_names(folder: Path) -> tuple[str, ...] | None:
    """Read ``classes.txt``, one class name per line in the order 0, 1, ..., if the folder has one."""
    path = folder / "classes.txt"
    if not path.exists():
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text: {error}; write one class name per line.") from None
    return tuple(line.strip() for line in lines if line.strip())
