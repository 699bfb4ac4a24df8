"""A study: one TOML file with a base recipe and named variants, each a small difference from its parent.

::

    name = "digits-width"
    question = "How wide must the network be?"
    seeds = [0, 1, 2]
    base = "narrow"                        # what the variant of [recipe] is called; left out: base

    [recipe]                               # any key of a recipe, and asks, published
    data.source = "digits"
    network = { name = "mlp", options = { units = [16] } }

    [variants.wide]
    inherits = "narrow"                    # left out: the base
    asks = "Do more units help?"
    published = { accuracy = 0.97 }
    network.options.units = [256]          # only what differs
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from opsin.errors import RecipeError, nearest
from opsin.recipe import Recipe
from opsin.recipe_values import flat

TOP = ("name", "question", "seeds", "score", "base", "recipe", "variants", "search")
OF_VARIANT = ("inherits", "begins_with", "asks", "published")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Variant:
    """One recipe of a study.

    Attributes:
        name: What it is called; also the front of its run folders' names.
        parent: The variant it differs from; None for the base.
        recipe: Its recipe; the seed is that of each run.
        changes: Dotted key -> value, for the keys in which it differs from its parent; None: left to the rules again.
        asks: The question it answers.
        published: Score -> what others measured.
        begins_with: The variant whose trained weights, of the same seed, it begins from.
    """

    name: str
    parent: str | None
    recipe: Recipe
    changes: dict[str, Any]
    asks: str = ""
    published: Mapping[str, float] = field(default_factory=dict)
    begins_with: str | None = None


@dataclass(frozen=True)
class Study:
    """Named variants of a recipe.

    Attributes:
        name: What it is called.
        question: What it is to find out.
        seeds: Each variant is trained once with each.
        score: The score that decides; empty: the main one of the task.
        variants: By name, parents before their children.
        base: The name of the variant that all others come from.
        search: The table ``[search]``, as `opsin.studies.searching` reads it; empty where there is none.
    """

    name: str
    question: str
    seeds: tuple[int, ...]
    score: str
    variants: dict[str, Variant]
    base: str
    search: Mapping[str, Any]

    @classmethod
    def read(cls, source: str | Path) -> Study:
        """Read a study from a TOML file, or one of those that come with Opsin by its name.

        Raises:
            RecipeError: There is no such study, or its file is wrong; the sentence says what and where.
        """
        from opsin.studies.table import STUDIES, bundled_file

        path, beside = Path(source), None
        if not path.exists() and str(source) in STUDIES:
            path = bundled_file(str(source))
        elif path.exists():
            beside = path.resolve().parent
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            known = nearest(str(source), STUDIES)
            raise RecipeError(
                f"There is no study {source}{known}: give a TOML file, or a name from `opsin study list`."
            ) from None
        except (UnicodeDecodeError, IsADirectoryError, PermissionError) as error:
            raise RecipeError(f"{path} cannot be read as a study: {error}.") from None
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{path} is not valid TOML: {error}.") from None  # this names a variant given twice
        return cls.from_dict(table, str(source), path.stem, beside)

    @classmethod
    def from_dict(
        cls, table: Mapping[str, Any], where: str = "the study", name: str = "study", folder: Path | None = None
    ) -> Study:
        """Build a study from nested tables.

        Args:
            table: As TOML gives it.
            where: What to call the source in an error message.
            name: What the study is called where it does not say so itself.
            folder: Where the paths of data are looked for first, as a study and its images often lie side by side.

        Raises:
            RecipeError: A key is unknown, a parent is missing or its own descendant, two variants are the same.
        """
        for key in table:
            if key not in TOP:
                raise RecipeError(f"{where}: unknown key '{key}'{nearest(key, TOP)}; a study has {', '.join(TOP)}.")
        tables = _tables(table, where)
        base = next(iter(tables))
        variants: dict[str, Variant] = {}
        for each in _parents_first(tables, base, where):
            variants[each] = _variant(each, tables, variants, base, where, folder)
        _refuse_twins(variants, where)
        return cls(
            name=_text(table, "name", name, where),
            question=_text(table, "question", "", where),
            seeds=_seeds(table.get("seeds", [0]), where),
            score=_text(table, "score", "", where),
            variants={each: variants[each] for each in tables},
            base=base,
            search=dict(table.get("search", {})),
        )

    def select(self, names: Sequence[str]) -> Study:
        """Return the study with some of its variants only, and those whose weights they begin with.

        Raises:
            RecipeError: There is no such variant.
        """
        wanted: list[str] = []
        for name in names:
            if name not in self.variants:
                known = ", ".join(self.variants)
                raise RecipeError(f"{self.name} has no variant '{name}'{nearest(name, self.variants)}; it has {known}.")
            link: str | None = name
            while link is not None and link not in wanted:
                wanted.append(link)
                link = self.variants[link].begins_with
        return replace(self, variants={name: each for name, each in self.variants.items() if name in wanted})

    def set(self, assignments: Sequence[str]) -> Study:
        """Return the study with some keys set to other values in every variant.

        Args:
            assignments: ``key=value``, as on the command line.

        Raises:
            RecipeError: A key is unknown or a value does not suit it.
        """
        variants = {}
        for name, variant in self.variants.items():
            recipe = variant.recipe
            for assignment in assignments:
                key, equals, value = assignment.partition("=")
                if not equals or not key.strip():
                    raise RecipeError(f"--set {assignment}: write a key, an equals sign and a value.")
                recipe = recipe.set(key.strip(), value.strip())
            variants[name] = replace(variant, recipe=recipe)
        return replace(self, variants=variants)

    def hash(self, name: str, seed: int) -> str:
        """Return six hexadecimal digits that change with anything that decides the run of a variant and a seed."""
        chain, link = [], self.variants[name]
        while True:
            chain.append(replace(link.recipe, seed=seed).hash)
            if link.begins_with is None:
                break
            link = self.variants[link.begins_with]
        return hashlib.sha256(" ".join(chain).encode()).hexdigest()[:6]


def _text(table: Mapping[str, Any], key: str, default: str, where: str) -> str:
    value = table.get(key, default)
    if not isinstance(value, str):
        raise RecipeError(f"{where}: '{key}' must be text, not {value!r}.")
    return value


def _seeds(value: Any, where: str) -> tuple[int, ...]:
    """Return the seeds of ``[0, 1, 2]``, or of a number of them."""
    if type(value) is int and value > 0:
        return tuple(range(value))
    good = isinstance(value, list) and value and all(type(seed) is int and seed >= 0 for seed in value)
    if not good or len(set(value)) < len(value):
        raise RecipeError(f"{where}: 'seeds' must be a number of seeds or a list of different ones, not {value!r}.")
    return tuple(value)


def _tables(table: Mapping[str, Any], where: str) -> dict[str, Mapping[str, Any]]:
    """Return name -> table of each variant, the base first.

    Raises:
        RecipeError: A name is unfit or taken, or what should be a table is none.
    """
    base = _text(table, "base", "base", where)
    variants = table.get("variants", {})
    for key, value in (("recipe", table.get("recipe", {})), ("variants", variants)):
        if not isinstance(value, Mapping):
            raise RecipeError(f"{where}: [{key}] must be a table, not {value!r}.")
    if base in variants:
        raise RecipeError(f"{where}: two variants are called '{base}': the [recipe] is one of them; rename the other.")
    tables: dict[str, Mapping[str, Any]] = {base: table.get("recipe", {}), **variants}
    for name, each in tables.items():
        if not isinstance(each, Mapping):
            raise RecipeError(f"{where}: the variant '{name}' must be a table, [variants.{name}], not {each!r}.")
        if not NAME.fullmatch(name):
            raise RecipeError(f"{where}: a variant cannot be called '{name}': use letters, digits, - and _.")
    lower = [name.lower() for name in tables]
    if len(set(lower)) < len(lower):  # their folders would be one on Windows and macOS
        twin = next(name for name in tables if lower.count(name.lower()) > 1)
        raise RecipeError(f"{where}: two variants are called '{twin}' but for small and capital letters.")
    return tables


def _parents_first(tables: Mapping[str, Mapping[str, Any]], base: str, where: str) -> list[str]:
    """Return the names in an order in which parents come before their children.

    Raises:
        RecipeError: A parent is missing, or a variant descends from itself.
    """
    for key in ("inherits", "begins_with"):
        for name, table in tables.items():
            other = table.get(key)
            if key == "inherits" and name == base and other is not None:
                raise RecipeError(f"{where}: [recipe] is the base of all variants and cannot inherit.")
            if other is not None and other not in tables:
                raise RecipeError(
                    f"{where}: the variant '{name}' {key.replace('_', ' ')} '{other}', which there is not"
                    f"{nearest(str(other), tables)}; there are {', '.join(tables)}."
                )
    for key in ("inherits", "begins_with"):
        _refuse_circle(tables, key, where)
    order = [base]
    while len(order) < len(tables):
        order += [name for name in tables if name not in order and tables[name].get("inherits", base) in order]
    return order


def _refuse_circle(tables: Mapping[str, Mapping[str, Any]], key: str, where: str) -> None:
    for name in tables:
        seen = [name]
        while (link := tables[seen[-1]].get(key)) is not None:
            if link in seen:
                circle = " -> ".join([*seen[seen.index(link) :], link])
                raise RecipeError(
                    f"{where}: the variants go in a circle ({circle}): each {key.replace('_', ' ')} the next."
                )
            seen.append(link)


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
        raise RecipeError(f"{place}: the seeds of a study stand in its first lines, seeds = [0, 1, 2].")
    parent = None if name == base else known[table.get("inherits", base)]
    before: dict[str, Any] = {} if parent is None else parent.recipe.to_dict()
    recipe = Recipe.from_dict(inherit(before, own), place)
    beside = folder / recipe.data.source if folder is not None and recipe.data.source else None
    if beside is not None and beside.exists():
        recipe = recipe.merge({"data": {"source": str(beside.resolve())}})
    published = table.get("published", {})
    if not isinstance(published, Mapping) or not all(type(value) in (int, float) for value in published.values()):
        raise RecipeError(f"{place}: 'published' must be a table of scores, {{ accuracy = 0.98 }}, not {published!r}.")
    changes = {} if parent is None else differing(parent.recipe.to_dict(), recipe.to_dict())
    begins_with = table.get("begins_with")
    if begins_with is not None:
        changes["begins with"] = begins_with
    asks = _text(table, "asks", "", place)
    above = None if parent is None else parent.name
    return Variant(name, above, recipe, changes, asks, dict(published), begins_with)


def inherit(parent: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a recipe's tables with some keys changed.

    The options of a network go with its name: a variant that names another network begins with none.
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
    """Return dotted key -> new value of the keys that differ; None for one that is there no longer."""
    old, new = flat(before), flat(after)
    return {key: new.get(key) for key in {**new, **old} if old.get(key) != new.get(key)}


def _refuse_twins(variants: Mapping[str, Variant], where: str) -> None:
    """Raise where two variants would be the same runs."""
    seen: dict[str, str] = {}
    for name, variant in variants.items():
        key = json.dumps([variant.recipe.to_dict(), variant.begins_with], sort_keys=True)
        if key in seen:
            raise RecipeError(
                f"{where}: the variants '{seen[key]}' and '{name}' are the same recipe; change or drop one."
            )
        seen[key] = name
