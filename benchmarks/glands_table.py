"""Write the table by which Opsin learns benign from malignant glands, patient by patient (GlaS, Warwick 2015).

    python benchmarks/glands_table.py GlaS/ glands.csv
    opsin train glands.csv
    opsin train glands.csv --label gland --task regression

The folder holds `Grade.csv` and the images (`train_1.bmp`, or `.jpg` or `.png`) beside it or in a folder below it. The
patient is the group, which Opsin never divides. --official adds the contest's own split, which shares patients between
training and test, so that a network can score by knowing the patient; Opsin keeps that split and says that it leaks.
Where the masks are there (`train_1_anno.png`), the column `gland` holds the part of the image that they cover.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
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
    options = parser.parse_args()
    grades = read_grades(options.folder / "Grade.csv")
    images = find_images(options.folder, {row[NAME] for row in grades})
    missing = sorted(row[NAME] for row in grades if row[NAME] not in images)
    if missing:
        sys.exit(f"{options.folder} has no image of {len(missing)} names in Grade.csv, the first is {missing[0]}.")
    covered = {name: gland_part(path) for name, path in images.items()}
    rows = []
    for row in grades:
        name = row[NAME]
        table = {"path": relative(images[name], options.out.parent), "label": row[GRADE]}
        table["group"] = f"patient {row[PATIENT]}"
        if None not in covered.values():
            table["gland"] = f"{covered[name]:.4f}"
        if options.official:
            table["split"] = "train" if name.startswith("train") else "test"
        rows.append(table)
    with options.out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
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


def gland_part(image: Path) -> float | None:
    """Return the part of an image that its mask covers; None where there is no mask beside it."""
    masks = [mask for suffix in SUFFIXES if (mask := image.with_name(f"{image.stem}_anno{suffix}")).exists()]
    if not masks:
        return None
    with Image.open(masks[0]) as opened:
        return float((np.asarray(opened) > 0).mean())


def relative(path: Path, folder: Path) -> str:
    """Return a path as seen from a folder, with forward slashes; absolute where there is no way between them."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return path.resolve().as_posix()


if __name__ == "__main__":
    main()
