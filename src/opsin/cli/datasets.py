"""``opsin datasets``: which data sets are known by name, and what is in one's own data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from opsin.cli.console import console, table
from opsin.tasks.registry import task_spec

if TYPE_CHECKING:
    from opsin.data.dataset import Dataset

app = typer.Typer(add_completion=False)

DataRoot = Annotated[
    Path | None,
    typer.Option(help="Folder that holds data sets by name (mnist/, cifar10/, …), in place of OPSIN_DATA."),
]


@app.callback(invoke_without_command=True)
def datasets(context: typer.Context, data_root: DataRoot = None) -> None:
    """List the data sets that Opsin knows by name, and whether each is on this machine; `show DATA` describes one.

    One that is not here is fetched when it is first used, where there is a network.
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
    columns = ["name", "images", "classes", "size", "license", "here", "what"]
    console().print(table(columns, rows, numbers=["images", "classes"]))


@app.command()
def show(
    data: Annotated[
        str, typer.Argument(metavar="DATA", help="Folder, CSV, npz or IDX file, or the name of a data set.")
    ],
    label: Annotated[str, typer.Option(help="Column or array that holds the class.")] = "label",
    group: Annotated[str, typer.Option(help="Column or array of groups that stay together.")] = "group",
    data_root: DataRoot = None,
) -> None:
    """Show the classes of a data set, how many images each has, and their sizes, without training."""
    from opsin.data.fingerprint import compute_fingerprint
    from opsin.data.read import read_dataset

    dataset = read_dataset(data, label=label, group=group, data_root=data_root, check=False)
    look = compute_fingerprint(dataset)
    screen = console()
    colors = "grey" if look.grey else "color"
    screen.print(f"{dataset.name}: {len(dataset):,} images, {dataset.describe()}, {look.sizes}, {colors}")
    if dataset.groups is not None:
        screen.print(f"{len(set(dataset.groups.tolist())):,} groups, which stay on one side of every split")
    for note in dataset.notes:
        screen.print(note)
    columns, rows = _counts(dataset)
    screen.print(table(columns, rows, numbers=columns[1:]))


def _counts(dataset: Dataset) -> tuple[list[str], list[list[str]]]:
    """Return headings and a row for each class: how many images, in all and in each part of a given split."""
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
