"""What an anonymous report leaves out: every name that could lead back to a person, a file or a machine."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any

from opsin.recipe.recipe import Recipe
from opsin.runs.folder import RunFolder

LEFT_OUT = "…"
_NAMING_KEYS = {
    "data": ("source", "label", "group", "decisions"),
    "split": ("group_by", "test_groups", "file"),
    "network": ("weights",),
}
# Of the machine only what decides speed and result; the rest (host, processor and device names) may name an institute.
_MACHINE_KEYS = ("python", "torch", "cores", "device")
# Folders and columns are often called so, and sentences need these words.
_EVERYDAY = frozenset("train valid validation test image images data dataset label labels class classes group".split())


class Redactor:
    """Takes the names of a run out of texts. Class names stay: they are the subject of the report.

    Args:
        names: What must not be shown: names of files, folders, groups, machines.
        classes: Class names; a name that is also a class is shown.
    """

    def __init__(self, names: Iterable[str], classes: Iterable[str] = ()):
        keep = set(classes)
        parts = {part for name in names for part in _parts(str(name))}
        # Longest first: the whole path goes before the file name that ends it.
        self._names = sorted((part for part in parts if part not in keep and _telling(part)), key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text with every such name replaced by an ellipsis."""
        for name in self._names:
            if name in text:
                text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", LEFT_OUT, text)
        return text


def _parts(name: str) -> set[str]:
    return {name, *PurePosixPath(name).parts, *PureWindowsPath(name).parts, PureWindowsPath(name).stem}


def _telling(name: str) -> bool:
    """Tell names from the numbers and short words that any sentence may hold."""
    return len(name) > 2 and not (name.isdigit() and len(name) < 5) and name.lower() not in _EVERYDAY


def names_of(folder: RunFolder) -> set[str]:
    """Return every name of a file, folder, group, column or machine that the run folder holds."""
    data, recipe = folder.info.get("data", {}), folder.recipe
    names = {str(folder.path.resolve()), str(folder.path), folder.name, data.get("name", ""), *data.get("left_out", {})}
    names.update((recipe.data.source, recipe.data.group, recipe.data.label, recipe.data.decisions))
    names.update((recipe.split.group_by, recipe.split.file, *recipe.split.test_groups, recipe.network.weights))
    for member in folder.info.get("ensemble", {}).get("members", []):
        names.update((member["run"], member["name"]))
    machine = folder.info.get("machine", {})
    names.update(str(value) for key, value in machine.items() if key not in _MACHINE_KEYS)
    for table in (*folder.path.glob("split.csv"), *folder.path.glob("predictions-*.csv")):
        with table.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                names.update((row.get("image") or "", row.get("group") or ""))
    return names - {""}


def naming_keys() -> set[str]:
    """Return the dotted keys of a recipe that may hold the name of a file, folder, column or group."""
    return {f"{table}.{key}" for table, keys in _NAMING_KEYS.items() for key in keys}


def anonymous_recipe(recipe: Recipe) -> dict[str, Any]:
    """Return the recipe's tables without its source, column names and whatever else may hold a path."""
    tables = recipe.to_dict()
    for table, keys in _NAMING_KEYS.items():
        tables[table] = {key: value for key, value in tables.get(table, {}).items() if key not in keys}
    network = tables.get("network", {})
    network["name"] = anonymous_network(network.get("name"))
    network["options"] = {key: value for key, value in network.get("options", {}).items() if not isinstance(value, str)}
    tables["network"] = {key: value for key, value in network.items() if value not in (None, {})}
    return {key: value for key, value in tables.items() if value != {}}


def anonymous_network(name: str | None) -> str | None:
    """Return a network's name, unless it is a path or the address of somebody's own weights."""
    return LEFT_OUT if name and re.search(r"[/\\:]", name) else name


def anonymous_machine(machine: dict[str, Any]) -> dict[str, Any]:
    """Return what decides speed and result, without names."""
    return {key: machine[key] for key in _MACHINE_KEYS if key in machine}
