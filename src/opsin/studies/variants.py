"""Variants of a study: recipes, each defined by its changes to a parent, read from the tables of a study file."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from opsin.errors import RecipeError, nearest
from opsin.recipe.recipe import Recipe
from opsin.recipe.validation import flat

OF_VARIANT = ("inherits", "starts_from", "ensemble", "soup", "asks", "published")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Variant:
    """One recipe of a study.

    Attributes:
        name: Its name; also the prefix of its run folders.
        parent: The variant it is derived from; None for the base.
        recipe: Its recipe; each run sets the seed.
        changes: Dotted key -> value of the keys that differ from the parent; None: unset, decided by a rule.
        asks: The question it answers.
        published: Score -> published value.
        starts_from: The variant whose trained weights, of the same seed, are its initial weights.
        ensemble: The variants whose runs of the same seed form an ensemble; nothing is trained.
        soup: Whether the weights of the ensemble are averaged instead of the predictions.
    """

    name: str
    parent: str | None
    recipe: Recipe
    changes: dict[str, Any]
    asks: str = ""
    published: Mapping[str, float] = field(default_factory=dict)
    starts_from: str | None = None
    ensemble: tuple[str, ...] = ()
    soup: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """The variants whose runs of the same seed must be finished first."""
        return self.ensemble or ((self.starts_from,) if self.starts_from else ())


def read_variants(table: Mapping[str, Any], where: str, folder: Path | None) -> dict[str, Variant]:
    """Read the variants of a study, the base first, then in the order of the file.

    Args:
        table: Tables of the study file.
        where: Name of the source in error messages.
        folder: Folder in which relative data paths are resolved first.

    Raises:
        RecipeError: A key is unknown, a parent is missing, the parents form a cycle, or two variants are identical.
    """
    tables = _tables(table, where)
    base = next(iter(tables))
    variants: dict[str, Variant] = {}
    for each in _parents_first(tables, base, where):
        variants[each] = _variant(each, tables, variants, base, where, folder)
    _refuse_twins(variants, where)
    return {each: variants[each] for each in tables}


def text_of(table: Mapping[str, Any], key: str, default: str, where: str) -> str:
    """Return the text of a key, or the default.

    Raises:
        RecipeError: The value is not text.
    """
    value = table.get(key, default)
    if not isinstance(value, str):
        raise RecipeError(f"{where}: '{key}' must be text, not {value!r}.")
    return value


def _tables(table: Mapping[str, Any], where: str) -> dict[str, Mapping[str, Any]]:
    """Return name -> table of each variant, the base first.

    Raises:
        RecipeError: A name is invalid or duplicate, or a value is not a table.
    """
    base = text_of(table, "base", "base", where)
    variants = table.get("variants", {})
    for key, value in (("recipe", table.get("recipe", {})), ("variants", variants)):
        if not isinstance(value, Mapping):
            raise RecipeError(f"{where}: [{key}] must be a table, not {value!r}.")
    if base in variants:
        raise RecipeError(f"{where}: two variants are called '{base}'; one of them is [recipe]. Rename the other.")
    tables: dict[str, Mapping[str, Any]] = {base: table.get("recipe", {}), **variants}
    for name, each in tables.items():
        if not isinstance(each, Mapping):
            raise RecipeError(f"{where}: the variant '{name}' must be a table, [variants.{name}], not {each!r}.")
        if not NAME.fullmatch(name):
            raise RecipeError(f"{where}: a variant cannot be called '{name}'; use letters, digits, '-' and '_'.")
    lower = [name.lower() for name in tables]
    if len(set(lower)) < len(lower):  # their folders would coincide on Windows and macOS
        twin = next(name for name in tables if lower.count(name.lower()) > 1)
        raise RecipeError(f"{where}: the names of two variants differ from '{twin}' only in case; rename one.")
    return tables


def _parents_first(tables: Mapping[str, Mapping[str, Any]], base: str, where: str) -> list[str]:
    """Return the names in topological order, parents before children.

    Raises:
        RecipeError: A parent is missing, or the parents form a cycle.
    """
    for name, table in tables.items():
        if name == base and "inherits" in table:
            raise RecipeError(f"{where}: [recipe] is the base of all variants and cannot inherit.")
        for key, other in _links(name, table, where):
            if other not in tables:
                raise RecipeError(
                    f"{where}: the variant '{name}' {WORDS[key]} '{other}', which does not exist"
                    f"{nearest(str(other), tables)}; the variants are {', '.join(tables)}."
                )
    parents = {name: [] if name == base else [_parent(table, base)] for name, table in tables.items()}
    _order(parents, where)
    needs = {
        name: [other for key, other in _links(name, table, where) if key != "inherits"]
        for name, table in tables.items()
    }
    _order(needs, where)
    return _order(parents, where)


def _parent(table: Mapping[str, Any], base: str) -> str:
    """Return the parent of a variant; the default is the first member for an ensemble, else the base."""
    result: str = table.get("inherits", table["ensemble"][0] if table.get("ensemble") else base)
    return result


# Verbs for the keys that name another variant.
WORDS = {"inherits": "inherits", "starts_from": "starts from", "ensemble": "is an ensemble of"}


def _links(name: str, table: Mapping[str, Any], where: str) -> list[tuple[str, Any]]:
    """Return (key, name) of each variant that another one refers to."""
    members = table.get("ensemble", [])
    if not isinstance(members, list) or len(members) == 1:
        raise RecipeError(f'{where}: the variant \'{name}\' needs at least two members, ensemble = ["a", "b"].')
    links = [(key, table[key]) for key in ("inherits", "starts_from") if key in table]
    return [*links, *(("ensemble", member) for member in members)]


def _order(needs: Mapping[str, Sequence[str]], where: str) -> list[str]:
    """Return the names in topological order.

    Raises:
        RecipeError: There is a cycle.
    """
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise RecipeError(f"{where}: the variants form a cycle ({circle}); each needs the next.") from None


def _variant(
    name: str,
    tables: Mapping[str, Mapping[str, Any]],
    known: Mapping[str, Variant],
    base: str,
    where: str,
    folder: Path | None,
) -> Variant:
    table = tables[name]
    place = f"{where}, [{'recipe' if name == base else f'variants.{name}'}]"
    own = {key: value for key, value in table.items() if key not in OF_VARIANT}
    if "seed" in own:
        raise RecipeError(f"{place}: set the seeds at the top of the study file, seeds = [0, 1, 2].")
    parent = None if name == base else known[_parent(table, base)]
    before: dict[str, Any] = {} if parent is None else parent.recipe.to_dict()
    recipe = Recipe.from_dict(inherit(before, own), place)
    beside = folder / recipe.data.source if folder is not None and recipe.data.source else None
    if beside is not None and beside.exists():
        recipe = recipe.merge({"data": {"source": str(beside.resolve())}})
    published = table.get("published", {})
    if not isinstance(published, Mapping) or not all(type(value) in (int, float) for value in published.values()):
        raise RecipeError(f"{place}: 'published' must be a table of scores, {{ accuracy = 0.98 }}, not {published!r}.")
    changes = {} if parent is None else differing(parent.recipe.to_dict(), recipe.to_dict())
    starts_from, ensemble, soup = table.get("starts_from"), tuple(table.get("ensemble", ())), table.get("soup", False)
    if starts_from is not None:
        changes["starts from"] = starts_from
    if ensemble:
        if own or starts_from is not None:
            raise RecipeError(f"{place}: an ensemble is made of finished runs and cannot have recipe keys.")
        changes = {"mean of the weights of" if soup else "mean of the predictions of": list(ensemble)}
    asks = text_of(table, "asks", "", place)
    above = None if parent is None else parent.name
    return Variant(name, above, recipe, changes, asks, dict(published), starts_from, ensemble, bool(soup))


def inherit(parent: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's tables with some keys changed.

    The options belong to the network: a variant with another network inherits none.
    """
    before = {key: dict(value) if isinstance(value, Mapping) else value for key, value in parent.items()}
    network = changes.get("network")
    if isinstance(network, Mapping) and network.get("name", before.get("network", {}).get("name")) != before.get(
        "network", {}
    ).get("name"):
        before.get("network", {}).pop("options", None)
    return _deep(before, changes)


def _deep(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in values.items():
        both = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = _deep(result[key], value) if both else value
    return result


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """Return dotted key -> new value of the keys that differ; None for a key that is now unset."""
    old, new = flat(before), flat(after)
    return {key: new.get(key) for key in {**new, **old} if old.get(key) != new.get(key)}


def _refuse_twins(variants: Mapping[str, Variant], where: str) -> None:
    """Raise if two variants would train identical runs."""
    seen: dict[str, str] = {}
    for name, variant in variants.items():
        key = json.dumps(
            [variant.recipe.to_dict(), variant.needs, bool(variant.ensemble), variant.soup], sort_keys=True
        )
        if key in seen:
            raise RecipeError(
                f"{where}: the variants '{seen[key]}' and '{name}' have the same recipe; change or remove one."
            )
        seen[key] = name
