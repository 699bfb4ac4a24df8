"""Masks: for each image the class of each of its pixels, whatever numbers or colors the files have for the classes."""

from __future__ import annotations

import csv
import os
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from opsin.data.decoding import read_values
from opsin.data.images import NamedFiles
from opsin.errors import DataError, UnreadableImageError

VOID = 255  # a pixel of whose class nobody knows; it counts nowhere
VOID_NAMES = ("void", "ignore", "unlabeled", "unlabelled")
MOST_CLASSES = 64  # more different values are no classes: the labels are smeared, or number single objects
PIECES = 100  # masks in which it is looked whether their values lie in one piece
BINARY = ("background", "foreground")


@dataclass(frozen=True)
class Coding:
    """Which class each value in a mask stands for.

    Attributes:
        values: int64 ``(K,)``, ascending; a color is ``red * 65536 + green * 256 + blue``.
        classes: uint8 ``(K,)``, the class of each value, or `VOID`.
        rest: The class of all other values; None: there must not be any.
        colors: Whether the values are colors.
    """

    values: NDArray[np.int64]
    classes: NDArray[np.uint8]
    rest: int | None = None
    colors: bool = False

    @classmethod
    def of(cls, table: dict[int, int], rest: int | None = None, colors: bool = False) -> Coding:
        """Make a coding of a table from value to class."""
        values = np.array(sorted(table), np.int64)
        return cls(values, np.array([table[value] for value in values.tolist()], np.uint8), rest, colors)

    def apply(self, values: NDArray) -> NDArray[np.uint8]:
        """Return the classes of values ``(...)``, as in the mask's file, colors packed.

        Raises:
            ValueError: A value stands for no class; the exception holds it.
        """
        place = np.searchsorted(self.values, values).clip(max=len(self.values) - 1)
        known = self.values[place] == values
        if self.rest is None and not known.all():
            raise ValueError(int(values[~known][0]))
        return np.where(known, self.classes[place], 0 if self.rest is None else self.rest).astype(np.uint8)

    def describe(self, value: int) -> str:
        """Say what a value is: ``value 7``, or ``color (128, 0, 0)``."""
        return f"color {(value >> 16, value >> 8 & 255, value & 255)}" if self.colors else f"value {value}"

    @property
    def text(self) -> str:
        """Text that differs between codings."""
        return f"{self.values.tolist()} {self.classes.tolist()} {self.rest} {self.colors}"


def packed(values: NDArray) -> NDArray[np.int64]:
    """Return masks ``(H, W)`` as int64, and colors ``(H, W, 3)`` as one number each."""
    wide = values.astype(np.int64)
    return wide if values.ndim == 2 else wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2]


class MaskFiles(NamedFiles):
    """Masks that are files, read one at a time as images of class numbers (`opsin.data.images.Images`).

    Args:
        root: The folder that names are relative to.
        paths: The files.
        coding: Which class each value stands for.
    """

    def __init__(self, root: Path, paths: Sequence[Path], coding: Coding):
        super().__init__(root, paths)
        self.coding = coding

    def identity(self) -> str:
        """Return the folder that names are relative to, and what the values mean."""
        return f"{os.path.abspath(self.root)} masks {self.coding.text}"

    def read(self, index: int, size: tuple[int, int] | None = None, bits: int = 16) -> NDArray[np.uint8]:
        """Return the classes of the pixels, uint8 ``(H, W, 1)``; ``size`` and ``bits`` have no effect.

        Raises:
            UnreadableImageError: The file cannot be read, or holds a value that is no class.
        """
        path = self.paths[index]
        values = read_values(path, self.coding.colors)
        if values.ndim == 3 and not self.coding.colors:
            raise UnreadableImageError(path, "is a color picture, unlike the other masks")
        try:
            return self.coding.apply(packed(values))[..., None]
        except ValueError as error:
            unknown = self.coding.describe(error.args[0])
            raise UnreadableImageError(path, f"holds the {unknown}, which stands for no class") from None

    def open(self, index: int, size: tuple[int, int] | None = None, bits: int = 16) -> Image.Image:
        """Return the mask as an image of mode "L"; see `read`."""
        return Image.fromarray(self.read(index)[..., 0])

    def shape(self, index: int) -> tuple[int, int, int]:
        """Return (height, width, 1)."""
        return self.read(index).shape


class Seen(NamedTuple):
    """What a look at one mask shows.

    Attributes:
        name: What the mask is called.
        size: (height, width).
        values: int64 ``(K,)``, ascending, the values that occur; colors are packed.
        colored: Whether it is a color picture.
        whole: How many of the values but 0 lie in one piece, to nine tenths of their pixels or more; None where that
            was not looked at.
    """

    name: str
    size: tuple[int, int]
    values: NDArray[np.int64]
    colored: bool
    whole: int | None


def look_at_mask(name: str, values: NDArray, pieces: bool = True) -> Seen:
    """Look at the values of one mask, ``(H, W)`` or ``(H, W, 3)``.

    Args:
        name: What the mask is called.
        values: As in its file.
        pieces: Whether to see which values lie in one piece, which takes ten times as long.
    """
    codes = packed(values)
    found = np.unique(codes)
    if not pieces:
        return Seen(name, codes.shape, found, values.ndim == 3, None)
    objects, whole = found[(found != 0) & (found != VOID)], 0
    if 1 < len(objects) <= 1000:
        from scipy.ndimage import find_objects, label

        numbered = np.searchsorted(objects, codes) + 1
        numbered[~np.isin(codes, objects)] = 0
        for number, place in enumerate(find_objects(numbered), 1):
            components, _ = label(numbered[place] == number)
            sizes = np.bincount(np.asarray(components).ravel())[1:]
            whole += int(sizes.max() >= 0.9 * sizes.sum())
    return Seen(name, codes.shape, found, values.ndim == 3, whole)


class Understood(NamedTuple):
    """What the values of masks mean.

    Attributes:
        classes: Class names.
        coding: The class of each value.
        notes: Sentences on how this was decided.
    """

    classes: tuple[str, ...]
    coding: Coding
    notes: tuple[str, ...] = ()


def understand(
    where: str,
    seen: Sequence[Seen],
    *,
    reading: str = "auto",
    names: Sequence[str] | None = None,
    colors: dict[str, tuple[int, int, int]] | None = None,
) -> Understood:
    """Decide which class each value of masks stands for.

    In this order: colors by their table; names by number, 255 is void; one value beside 0 is the foreground; values
    that number single objects (each in one piece, counted from 1 in each mask) are one class; every other value is a
    class of its own, and 255 is void where all others are below 64.

    Args:
        where: The data set, for messages.
        seen: A look at every mask.
        reading: "auto"; "classes" (values are never taken for numbers of objects) or "binary" (every value but 0 and
            void is the foreground).
        names: The names of the classes 0, 1, ...
        colors: The color of each class.

    Raises:
        DataError: Values have no class, or there is nothing but background.
    """
    if colors is not None:
        return _by_color(where, seen, colors, reading)
    colored = [mask.name for mask in seen if mask.colored]
    if colored:
        raise DataError(
            f"{where}: the mask {colored[0]} is a color picture, and which class a color stands for is not known; put "
            "a table colors.csv with the columns name,r,g,b into the folder, or save masks of class numbers."
        )
    values = sorted({value for mask in seen for value in mask.values.tolist()})
    others = [value for value in values if value not in (0, VOID)]
    void = VOID in values and bool(others) and (names is not None or max(others) < MOST_CLASSES)
    known = [value for value in values if not (void and value == VOID)]
    two = names is None or len(names) == 2
    objects = reading == "auto" and two and number_objects(seen)
    if known == [0]:
        raise DataError(f"{where}: the masks show nothing but background (0); there is nothing to learn.")
    if reading == "binary" or objects or (two and known[0] == 0 and len(known) == 2):
        return _binary(known, void, names, objects)
    if names is not None:
        return _by_name(where, seen, names, void)
    if len(known) > MOST_CLASSES:
        raise DataError(
            f"{where}: the masks hold {len(known)} different values, too many for classes; labels are smeared where "
            "masks were resized with interpolation or were JPEGs, so save them anew as PNG (where the values number "
            "single objects, give data.masks = binary)."
        )
    classes = tuple("background" if value == 0 else str(value) for value in known)
    table = {value: number for number, value in enumerate(known)} | ({VOID: VOID} if void else {})
    return Understood(classes, Coding.of(table))


def shown_classes(where: str, seen: Sequence[Seen], coding: Coding, classes: int) -> NDArray[np.bool_]:
    """Return which classes each mask shows, bool ``(N, classes)``.

    Raises:
        DataError: A mask is void throughout.
    """
    shown = np.zeros((len(seen), classes), bool)
    for row, mask in enumerate(seen):
        found = coding.apply(mask.values)
        shown[row, found[found < classes]] = True
        if not shown[row].any():
            raise DataError(
                f"{where}: the mask {mask.name} is void (255) throughout, so that nothing can be learned from it; "
                "remove it and its image."
            )
    return shown


def number_objects(seen: Sequence[Seen]) -> bool:
    """Whether values number single objects: each in one piece, counted from 1 in each mask, unlike many of them."""
    looked = [mask for mask in seen if mask.whole is not None]
    counts = [len([value for value in mask.values.tolist() if value not in (0, VOID)]) for mask in looked]
    several = [(mask, count) for mask, count in zip(looked, counts, strict=True) if count > 1]
    if not several or len(set(counts)) == 1 or max(counts) < 3:
        return False
    # Small objects may have been lost when a mask was made smaller, so that a number is missing here and there.
    counted = sum(count >= 0.6 * int(mask.values[mask.values != VOID].max()) for mask, count in several)
    whole = sum(mask.whole or 0 for mask, _ in several)
    return counted >= 0.8 * len(several) and whole >= 0.8 * sum(count for _, count in several)


def _binary(known: Sequence[int], void: bool, names: Sequence[str] | None, objects: bool) -> Understood:
    classes = tuple(names) if names is not None and len(names) == 2 else BINARY
    notes: tuple[str, ...] = ()
    if len(known) > 2:
        what = "number single objects" if objects else "are of several classes"
        notes = (f"The values of the masks {what}; all but 0 are read as one class, {classes[1]!r}.",)
    return Understood(classes, Coding.of({0: 0} | ({VOID: VOID} if void else {}), rest=1), notes)


def _by_name(where: str, seen: Sequence[Seen], names: Sequence[str], void: bool) -> Understood:
    limit = len(names)
    for mask in seen:
        beyond = [value for value in mask.values.tolist() if value >= limit and not (void and value == VOID)]
        if beyond:
            raise DataError(
                f"{where}: the mask {mask.name} holds the value {beyond[0]}, but there are {limit} classes, 0 to "
                f"{limit - 1}, and 255 for void; mend the mask or name more classes."
            )
    return Understood(tuple(names), Coding.of({number: number for number in range(limit)} | {VOID: VOID}))


def _by_color(where: str, seen: Sequence[Seen], colors: dict[str, tuple[int, int, int]], reading: str) -> Understood:
    classes = tuple(name for name in colors if name.lower() not in VOID_NAMES)
    table: dict[int, int] = {}
    for name, (red, green, blue) in colors.items():
        table[red << 16 | green << 8 | blue] = VOID if name.lower() in VOID_NAMES else classes.index(name)
    coding = Coding.of(table, colors=True)
    for mask in seen:
        unknown = np.setdiff1d(mask.values, coding.values)
        if len(unknown):
            raise DataError(
                f"{where}: the mask {mask.name} holds the {coding.describe(int(unknown[0]))}, which the table of "
                "colors does not have; add it to the table, or save the mask without interpolation as PNG."
            )
    if reading == "binary":
        return Understood(
            BINARY,
            Coding(
                coding.values, np.where(coding.classes == VOID, VOID, coding.classes > 0).astype(np.uint8), None, True
            ),
        )
    return Understood(classes, coding)


def read_colors(folder: Path) -> dict[str, tuple[int, int, int]] | None:
    """Read ``colors.csv`` (columns name,r,g,b) or ``colors.toml`` (``gland = [128, 0, 0]``) of a folder, or None.

    Raises:
        DataError: It is there and not as it should be.
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
            f"{path} is no table of colors: it needs name,r,g,b (CSV), or name = [r, g, b] (TOML), with whole numbers "
            "from 0 to 255, each name and each color once."
        ) from None
    return found  # type: ignore[return-value]


def read_names(folder: Path) -> tuple[str, ...] | None:
    """Read ``classes.txt`` of a folder, one class name a line, the first that of 0; None where there is none."""
    path = folder / "classes.txt"
    if not path.exists():
        return None
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read as UTF-8 text: {error}; write one class name a line.") from None
    return tuple(line.strip() for line in lines if line.strip())
