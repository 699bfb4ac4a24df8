"""Write the table by which Opsin learns benign from malignant glands, patient by patient (GlaS, Warwick 2015).

    python benchmarks/glands_table.py GlaS/ glands.csv
    opsin train glands.csv
    opsin train glands.csv --label gland --task regression
    python benchmarks/glands_table.py GlaS/ masks.csv --masks
    opsin study run warwick-glands --data masks.csv --only ours --set 'data.image_size=[256,384]'

The folder holds `Grade.csv` and the images (`train_1.bmp`, or `.jpg` or `.png`) beside it or in a folder below it. The
patient is the group, which Opsin never divides. --official adds the contest's own split, which shares patients between
training and test, so that a network can score by knowing the patient; Opsin keeps that split and says that it leaks.
Where the masks are there (`train_1_anno.png`), the column `gland` holds the part of the image that they cover. --masks
writes images, masks and the contest's split in their place, and nothing of patients.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

SUFFIXES = (".bmp", ".jpg", ".jpeg", ".png")
NAME, PATIENT, GRADE = "name", "patient ID", "grade (GlaS)"


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder with Grade.csv")
    parser.add_argument("out", type=Path, nargs="?", default=Path("glands.csv"), help="the table (glands.csv)")
    parser.add_argument("--official", action="store_true", help="add the contest's own split by image")
    parser.add_argument("--masks", action="store_true", help="write images and masks, by the contest's split")
    options = parser.parse_args()
    grades = read_grades(options.folder / "Grade.csv")
    images = find_images(options.folder, {row[NAME] for row in grades})
    missing = sorted(row[NAME] for row in grades if row[NAME] not in images)
    if missing:
        sys.exit(f"{options.folder} has no image of {len(missing)} names in Grade.csv, the first is {missing[0]}.")
    if options.masks:
        rows = list(rows_of_masks(images, options.out.parent))
        write(options.out, rows)
        print(f"{options.out}: {len(rows)} images with masks")
        return
    covered = {name: gland_part(path) for name, path in images.items()}
    rows = []
    for row in grades:
        name = row[NAME]
        table = {"path": relative(images[name], options.out.parent), "label": row[GRADE]}
        table["group"] = f"patient {row[PATIENT]}"
        if None not in covered.values():
            table["gland"] = f"{covered[name]:.4f}"
        if options.official:
            table["split"] = split_of(name)
        rows.append(table)
    write(options.out, rows)
    patients = len({row[PATIENT] for row in grades})
    malignant = sum(row[GRADE] == "malignant" for row in grades)
    print(f"{options.out}: {len(grades)} images, {malignant} malignant, {patients} patients")


def read_grades(path: Path) -> list[dict[str, str]]:
    """Return the rows of `Grade.csv`, whose lines end in a carriage return alone."""
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    rows = [{key.strip(): (value or "").strip() for key, value in row.items() if key} for row in csv.DictReader(lines)]
    rows = [row for row in rows if any(row.values())]
    for column in (NAME, PATIENT, GRADE):
        if not rows or column not in rows[0]:
            sys.exit(f"{path} has no column '{column}'.")
    return rows


def find_images(folder: Path, names: set[str]) -> dict[str, Path]:
    """Return the image of each name; of several, the one that is least deep, and in the folder with the most images."""
    found = [file for file in sorted(folder.rglob("*")) if file.suffix.lower() in SUFFIXES and file.stem in names]
    per_folder = {parent: sum(file.parent == parent for file in found) for parent in {file.parent for file in found}}
    # Worst first, so that the best of several overwrites the others.
    found.sort(key=lambda file: (-len(file.parts), per_folder[file.parent]))
    return {file.stem: file for file in found}


def split_of(name: str) -> str:
    """Return the part of the contest that an image belongs to; both test parts are one."""
    return "train" if name.startswith("train") else "test"


def mask_of(image: Path) -> Path | None:
    """Return the mask beside an image; None where there is none."""
    masks = (image.with_name(f"{image.stem}_anno{suffix}") for suffix in SUFFIXES)
    return next((mask for mask in masks if mask.exists()), None)


def gland_part(image: Path) -> float | None:
    """Return the part of an image that its mask covers; None where there is no mask beside it."""
    mask = mask_of(image)
    if mask is None:
        return None
    with Image.open(mask) as opened:
        return float((np.asarray(opened) > 0).mean())


def rows_of_masks(images: dict[str, Path], folder: Path) -> Iterator[dict[str, str]]:
    """Yield an image, its mask and its split, of the images that have one."""
    for name, image in sorted(images.items()):
        mask = mask_of(image)
        if mask is not None:
            yield {"path": relative(image, folder), "mask": relative(mask, folder), "split": split_of(name)}


def write(path: Path, rows: list[dict[str, str]]) -> None:
    """Write rows as a table."""
    if not rows:
        sys.exit(f"There is nothing to write into {path}: no image has a mask beside it.")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def relative(path: Path, folder: Path) -> str:
    """Return a path as seen from a folder, with forward slashes; absolute where there is no way between them."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return path.resolve().as_posix()


if __name__ == "__main__":
    main()
