"""``opsin datasets``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from opsin.cli.console import console, table
from opsin.cli.options import DataRoot
from opsin.tasks.registry import task_spec

if TYPE_CHECKING:
    from opsin.data.dataset import Dataset

app = typer.Typer(add_completion=False)


@app.callback(invoke_without_command=True)
def datasets(context: typer.Context, data_root: DataRoot = None) -> None:
    """List the data sets that Opsin knows by name, and whether each is on this machine; `show DATA` describes one.

    A data set that is not on this machine is downloaded on first use.
    """
    if context.invoked_subcommand is not None:
        return
    from opsin.data.catalog import list_datasets

    rows = [
        (
            found.name,
            f"{found.entry.images:,}",
            f"{found.entry.classes}",
            found.entry.size,
            found.entry.license,
            "yes" if found.here else "no",
            found.entry.description + (f", in {found.path}" if found.path else ""),
        )
        for found in list_datasets(data_root)
    ]
    columns = ["name", "images", "classes", "size", "license", "here", "description"]
    console().print(table(columns, rows, numbers=["images", "classes"]))


@app.command()
def show(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Folder, CSV, npz or IDX file, or the name of a data set.")
    ],
    label: Annotated[str, typer.Option(help="Column or array that holds the class.")] = "label",
    group: Annotated[str, typer.Option(help="Column or array that holds the group (patient, slide).")] = "group",
    data_root: DataRoot = None,
) -> None:
    """Show the classes of a data set, the number of images in each, and the image sizes."""
    from opsin.data.fingerprint import compute_fingerprint
    from opsin.data.read import read_dataset

    dataset = read_dataset(data, label=label, group=group, data_root=data_root, check=False)
    look = compute_fingerprint(dataset)
    screen = console()
    colors = "grey" if look.grey else "color"
    screen.print(f"{dataset.name}: {len(dataset):,} images, {dataset.describe()}, {look.sizes}, {colors}")
    if dataset.groups is not None:
        screen.print(f"{len(set(dataset.groups.tolist())):,} groups; no split separates the images of a group")
    for note in dataset.notes:
        screen.print(note)
    columns, rows = _counts(dataset)
    screen.print(table(columns, rows, numbers=columns[1:]))


def _counts(dataset: Dataset) -> tuple[list[str], list[list[str]]]:
    """Return headings and a row per class: number of images, in total and in each part of a given split."""
    from opsin.data.images import SPLITS

    split = dataset.split
    parts = [] if split is None else [name for name in SPLITS if (split == name).any()]
    rows = [
        [
            kind,
            f"{len(members):,}",
            *(f"{int((split[members] == part).sum()):,}" for part in parts if split is not None),
        ]
        for kind, members in dataset.kinds()
    ]
    return [task_spec(dataset.task).outputs[0] or dataset.classes[0], "images", *parts], rows
