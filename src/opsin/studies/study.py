"""A study: one TOML file with a base recipe and named variants, each defined by its changes to a parent.

::

    name = "digits-width"
    question = "How wide must the network be?"
    seeds = [0, 1, 2]
    base = "narrow"                        # name of the variant [recipe]; default: base

    [recipe]                               # any key of a recipe, and asks, published
    data.source = "digits"
    network = { name = "mlp", options = { units = [16] } }

    [variants.wide]
    inherits = "narrow"                    # default: the base
    asks = "Do more units help?"
    published = { accuracy = 0.97 }
    network.options.units = [256]          # only what differs
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from opsin.errors import RecipeError, nearest
from opsin.studies.variants import Variant, differing, read_variants, text_of

TOP = ("name", "question", "seeds", "score", "base", "recipe", "variants", "search")


@dataclass(frozen=True)
class Study:
    """Named variants of a recipe.

    Attributes:
        name: Its name.
        question: The question it answers.
        seeds: Training seeds; each variant is trained once per seed.
        score: The score that ranks the variants; empty: the main score of the task.
        variants: Name -> variant, parents before children.
        base: Name of the root variant.
        search: The table ``[search]``, read by `opsin.studies.search`; may be empty.
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
            raise RecipeError(f"{self.name}: a study trains on every fold; remove split.fold.")
        if len({split.folds for split in splits}) > 1:
            raise RecipeError(
                f"{self.name}: all variants must have the same split.folds, as they are compared image by image."
            )

    @classmethod
    def read(cls, source: str | Path) -> Study:
        """Read a study from a TOML file, or a bundled study by its name.

        Raises:
            RecipeError: The study does not exist, or its file is invalid; the message names the place.
        """
        from opsin.studies.bundled import STUDIES, bundled_file

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
            raise RecipeError(f"{path} is not valid TOML: {error}.") from None  # includes duplicate variants
        return cls.from_dict(table, str(source), path.stem, beside)

    @classmethod
    def from_dict(
        cls, table: Mapping[str, Any], where: str = "the study", name: str = "study", folder: Path | None = None
    ) -> Study:
        """Build a study from nested tables.

        Args:
            table: Tables of the study file.
            where: Name of the source in error messages.
            name: Default name of the study.
            folder: Folder in which relative data paths are resolved first, usually that of the study file.

        Raises:
            RecipeError: A key is unknown, a parent is missing, the parents form a cycle, or two variants are identical.
        """
        for key in table:
            if key not in TOP:
                raise RecipeError(f"{where}: unknown key '{key}'{nearest(key, TOP)}; a study has {', '.join(TOP)}.")
        variants = read_variants(table, where, folder)
        return cls(
            name=text_of(table, "name", name, where),
            question=text_of(table, "question", "", where),
            seeds=_seeds(table.get("seeds", [0]), where),
            score=text_of(table, "score", "", where),
            variants=variants,
            base=next(iter(variants)),
            search=dict(table.get("search", {})),
        )

    def select(self, names: Sequence[str]) -> Study:
        """Return the study with only some of its variants, and those whose runs they need.

        If the parent of a variant is not selected, its nearest selected ancestor becomes its parent.

        Raises:
            RecipeError: A variant does not exist.
        """
        for name in names:
            if name not in self.variants:
                known = ", ".join(self.variants)
                raise RecipeError(
                    f"{self.name} has no variant '{name}'{nearest(name, self.variants)}; the variants are {known}."
                )
        wanted: set[str] = set()
        waiting = list(names)
        while waiting:
            wanted.add(name := waiting.pop())
            waiting += self.variants[name].needs
        return replace(self, variants={name: self._below(name, wanted) for name in self.variants if name in wanted})

    def _below(self, name: str, kept: Container[str]) -> Variant:
        """Return a variant with its nearest selected ancestor as its parent."""
        variant = self.variants[name]
        above = variant.parent
        while above is not None and above not in kept:
            above = self.variants[above].parent
        if above is None or above == variant.parent:
            return replace(variant, parent=above)
        changes = differing(self.variants[above].recipe.to_dict(), variant.recipe.to_dict())
        if variant.starts_from is not None:
            changes["starts from"] = variant.starts_from
        return replace(variant, parent=above, changes=changes)

    def set(self, assignments: Sequence[str]) -> Study:
        """Return the study with some keys changed in every variant.

        Args:
            assignments: ``key=value``, as on the command line.

        Raises:
            RecipeError: A key is unknown or its value is invalid.
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
        """Number of cross-validation folds; 0: no folds."""
        return next(iter(self.variants.values())).recipe.split.folds

    def hash(self, name: str, seed: int) -> str:
        """Return six hexadecimal digits that identify everything that determines the run of a variant and a seed."""
        variant = self.variants[name]
        chain = [replace(variant.recipe, seed=seed).hash, str(variant.soup)]
        chain += [self.hash(other, seed) for other in variant.needs]
        return hashlib.sha256(" ".join(chain).encode()).hexdigest()[:6]


def _seeds(value: Any, where: str) -> tuple[int, ...]:
    """Return the seeds from a list such as ``[0, 1, 2]`` or from their number."""
    if type(value) is int and value > 0:
        return tuple(range(value))
    good = isinstance(value, list) and value and all(type(seed) is int and seed >= 0 for seed in value)
    if not good or len(set(value)) < len(value):
        raise RecipeError(f"{where}: 'seeds' must be the number of seeds or a list of distinct seeds, not {value!r}.")
    return tuple(value)
