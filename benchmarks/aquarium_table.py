"""Convert the Aquarium dataset to a CSV of the animals in each image (Aquarium, Roboflow, CC BY 4.0).

    python benchmarks/aquarium_table.py aquarium/ animals.csv
    opsin train animals.csv

The folder holds `data.yaml` with the names, and `train`, `valid` and `test`, each with `images` and with `labels`: a
text file for each image with a line per box, whose first number is the class. Each class with a box is a label of the
image.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from pathlib import Path

import yaml

SPLITS = {"train": "train", "valid": "validation", "test": "test"}


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="the folder with data.yaml")
    parser.add_argument("out", type=Path, nargs="?", default=Path("animals.csv"), help="the table (animals.csv)")
    options = parser.parse_args()
    names = yaml.safe_load((options.folder / "data.yaml").read_text(encoding="utf-8"))["names"]
    rows = []
    for folder, split in SPLITS.items():
        for image in sorted((options.folder / folder / "images").glob("*.jpg")):
            boxes = image.parent.parent / "labels" / f"{image.stem}.txt"
            lines = boxes.read_text(encoding="utf-8").splitlines() if boxes.exists() else []
            shown = {int(line.split()[0]) for line in lines if line.strip()}
            path = Path(os.path.relpath(image.resolve(), options.out.resolve().parent)).as_posix()
            rows.append([path, *(int(number in shown) for number in range(len(names))), split])
    if not rows:
        sys.exit(f"{options.folder} has no images in {', '.join(SPLITS)}.")
    with options.out.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([["path", *names, "split"], *rows])
    counts = ", ".join(f"{name} {sum(row[1 + number] for row in rows)}" for number, name in enumerate(names))
    print(f"{options.out}: {len(rows)} images; {counts}")


if __name__ == "__main__":
    main()
