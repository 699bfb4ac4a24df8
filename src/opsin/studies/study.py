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
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from opsin.errors import RecipeError, nearest
from opsin.recipe import Recipe
from opsin.recipe_values import flat

TOP = ("name", "question", "seeds", "score", "base", "recipe", "variants", "search")
OF_VARIANT = ("inherits", "begins_with", "ensemble", "soup", "asks", "published")
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
        ensemble: The variants whose runs of the same seed it puts together instead of training.
        soup: Whether it averages their weights in the place of their predictions.
    """

    name: str
    parent: str | None
    recipe: Recipe
    changes: dict[str, Any]
    asks: str = ""
    published: Mapping[str, float] = field(default_factory=dict)
    begins_with: str | None = None
    ensemble: tuple[str, ...] = ()
    soup: bool = False

    @property
    def needs(self) -> tuple[str, ...]:
        """The variants whose runs of the same seed must be finished first."""
        return self.ensemble or ((self.begins_with,) if self.begins_with else ())


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

    def __post_init__(self) -> None:
        splits = [each.recipe.split for each in self.variants.values()]
        if any(split.fold for split in splits):
            raise RecipeError(f"{self.name}: a study trains on every fold; leave out split.fold.")
        if len({split.folds for split in splits}) > 1:
            raise RecipeError(
                f"{self.name}: all variants must have the same split.folds, to be compared image by image."
            )

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
        """Return the study with some of its variants only, and those whose runs they need.

        A variant whose parent is left out differs from its nearest ancestor that is not.

        Raises:
            RecipeError: There is no such variant.
        """
        for name in names:
            if name not in self.variants:
                known = ", ".join(self.variants)
                raise RecipeError(f"{self.name} has no variant '{name}'{nearest(name, self.variants)}; it has {known}.")
        wanted: set[str] = set()
        waiting = list(names)
        while waiting:
            wanted.add(name := waiting.pop())
            waiting += self.variants[name].needs
        return replace(self, variants={name: self._below(name, wanted) for name in self.variants if name in wanted})

    def _below(self, name: str, kept: Container[str]) -> Variant:
        """Return a variant with its nearest ancestor that is kept for a parent."""
        variant = self.variants[name]
        above = variant.parent
        while above is not None and above not in kept:
            above = self.variants[above].parent
        if above is None or above == variant.parent:
            return replace(variant, parent=above)
        changes = differing(self.variants[above].recipe.to_dict(), variant.recipe.to_dict())
        if variant.begins_with is not None:
            changes["begins with"] = variant.begins_with
        return replace(variant, parent=above, changes=changes)

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

    @property
    def folds(self) -> int:
        """How many folds each variant is cross-validated on; 0: none."""
        return next(iter(self.variants.values())).recipe.split.folds

    def hash(self, name: str, seed: int) -> str:
        """Return six hexadecimal digits that change with anything that decides the run of a variant and a seed."""
        variant = self.variants[name]
        chain = [replace(variant.recipe, seed=seed).hash, str(variant.soup)]
        chain += [self.hash(other, seed) for other in variant.needs]
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
    for name, table in tables.items():
        if name == base and "inherits" in table:
            raise RecipeError(f"{where}: [recipe] is the base of all variants and cannot inherit.")
        for key, other in _links(name, table, where):
            if other not in tables:
                raise RecipeError(
                    f"{where}: the variant '{name}' {WORDS[key]} '{other}', which there is not"
                    f"{nearest(str(other), tables)}; there are {', '.join(tables)}."
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
    """Return which variant another differs from: an ensemble from its first member, where it does not say."""
    return table.get("inherits", table["ensemble"][0] if table.get("ensemble") else base)


# What a variant says of another, in words.
WORDS = {"inherits": "inherits", "begins_with": "begins with", "ensemble": "is an ensemble of"}


def _links(name: str, table: Mapping[str, Any], where: str) -> list[tuple[str, Any]]:
    """Return the key and the name of each variant that a variant names."""
    members = table.get("ensemble", [])
    if not isinstance(members, list) or len(members) == 1:
        raise RecipeError(f'{where}: the variant \'{name}\' needs two members or more, ensemble = ["a", "b"].')
    links = [(key, table[key]) for key in ("inherits", "begins_with") if key in table]
    return [*links, *(("ensemble", member) for member in members)]


def _order(needs: Mapping[str, Sequence[str]], where: str) -> list[str]:
    """Return names so that each comes after those it needs.

    Raises:
        RecipeError: Some need each other.
    """
    try:
        return list(TopologicalSorter(needs).static_order())
    except CycleError as error:
        circle = " -> ".join(reversed(error.args[1]))
        raise RecipeError(f"{where}: the variants go in a circle ({circle}): each needs the next.") from None


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
    begins_with, ensemble, soup = table.get("begins_with"), tuple(table.get("ensemble", ())), table.get("soup", False)
    if begins_with is not None:
        changes["begins with"] = begins_with
    if ensemble:
        if own or begins_with is not None:
            raise RecipeError(
                f"{place}: an ensemble is put together from finished runs and has no settings of its own."
            )
        changes = {"mean of the weights of" if soup else "mean of the predictions of": list(ensemble)}
    asks = _text(table, "asks", "", place)
    above = None if parent is None else parent.name
    return Variant(name, above, recipe, changes, asks, dict(published), begins_with, ensemble, bool(soup))


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
        key = json.dumps(
            [variant.recipe.to_dict(), variant.needs, bool(variant.ensemble), variant.soup], sort_keys=True
        )
        if key in seen:
            raise RecipeError(
                f"{where}: the variants '{seen[key]}' and '{name}' are the same recipe; change or drop one."
            )
        seen[key] = name
