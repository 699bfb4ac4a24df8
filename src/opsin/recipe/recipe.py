"""The recipe: everything that determines a run, as frozen dataclasses, read from and written to TOML.

An unset key (``None`` here) is decided by a documented rule once the data are known (`opsin.training.defaults`). A
resolved recipe reproduces its run; only ``data.memory_gb``, which depends on the machine, and ``minutes``, which is
replaced by epochs, stay unset. The sections are in `opsin.recipe.schema`.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import tomllib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from opsin.errors import RecipeError, nearest
from opsin.recipe.schema import AugmentationRecipe, DataRecipe, NetworkRecipe, SplitRecipe, TrainingRecipe, setting
from opsin.recipe.validation import build, merged, parse, plain


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a run.

    Example:
        >>> recipe = Recipe.from_dict({"data": {"source": "digits"}, "training": {"epochs": 5}})
        >>> recipe.training.epochs
        5
    """

    task: str | None = setting(
        None,
        "task (classification, multilabel, regression or segmentation); default: from the form of the targets",
    )
    seed: int = setting(0, "random seed of the initial weights, the order of the images and augmentation", low=0)
    data: DataRecipe = field(default_factory=DataRecipe)
    split: SplitRecipe = field(default_factory=SplitRecipe)
    network: NetworkRecipe = field(default_factory=NetworkRecipe)
    augmentation: AugmentationRecipe = field(default_factory=AugmentationRecipe)
    training: TrainingRecipe = field(default_factory=TrainingRecipe)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], where: str = "the recipe") -> Recipe:
        """Build a recipe from nested tables, checking every key, type and range.

        Args:
            values: Tables as TOML gives them.
            where: What to call the source in an error message.

        Raises:
            RecipeError: A key is unknown (the nearest is suggested), a type is wrong or a value out of range.
        """
        return build(cls, values, where, _known_keys())

    @classmethod
    def read(cls, path: str | Path) -> Recipe:
        """Read a TOML file.

        Raises:
            RecipeError: The file is missing, is not TOML, or holds a wrong key, type or value.
        """
        path = Path(path)
        try:
            return cls.from_dict(tomllib.loads(path.read_text(encoding="utf-8")), str(path))
        except FileNotFoundError:
            raise RecipeError(f"There is no recipe {path}.") from None
        except (UnicodeDecodeError, IsADirectoryError, PermissionError) as error:
            raise RecipeError(f"{path} cannot be read as a recipe: {error}.") from None
        except tomllib.TOMLDecodeError as error:
            raise RecipeError(f"{path} is not valid TOML: {error}.") from None

    def to_dict(self) -> dict[str, Any]:
        """Return nested tables of plain values; keys whose value is None are left out."""
        result: dict[str, Any] = plain(dataclasses.asdict(self))
        return result

    def to_toml(self) -> str:
        """Return the recipe as TOML text, which `read` takes back unchanged."""
        import tomli_w

        return tomli_w.dumps(self.to_dict())

    def set(self, key: str, value: Any) -> Recipe:
        """Return a copy in which one dotted key has another value.

        Args:
            key: For example ``"training.epochs"``.
            value: The value. Text stays text for keys that hold text (a column may be called "1"), and a path becomes
                text; for others it is read as TOML where it can be (``"5"`` becomes 5), as a word otherwise.

        Raises:
            RecipeError: The key is unknown or the value does not suit it.
        """
        table: dict[str, Any] = {}
        inner = table
        value = str(value) if isinstance(value, Path) else value
        *path, last = key.split(".")
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = parse(value) if isinstance(value, str) and key not in _text_keys() else value
        return self.merge(table, f"--set {key}")

    def merge(self, values: Mapping[str, Any], where: str = "the recipe") -> Recipe:
        """Return a copy in which the given keys, and only they, have other values.

        Raises:
            RecipeError: As for `from_dict`.
        """
        return Recipe.from_dict(merged(self.to_dict(), values), where)

    @property
    def hash(self) -> str:
        """Sixteen hexadecimal digits that name this recipe: equal recipes have equal hashes on every machine."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()[:16]


def settings(section: type | None = None, prefix: str = "") -> Iterator[tuple[str, dataclasses.Field[Any], Any]]:
    """List every key of a recipe.

    Yields:
        ``(dotted key, field, type)``; the field's ``metadata`` holds help, choices, bounds and flag.
    """
    section = section or Recipe
    hints = typing.get_type_hints(section)
    for item in dataclasses.fields(section):
        if dataclasses.is_dataclass(hints[item.name]):
            yield from settings(hints[item.name], f"{prefix}{item.name}.")
        else:
            yield prefix + item.name, item, hints[item.name]


def flag_names() -> dict[str, str]:
    """Return the short name of every key, ``{"epochs": "training.epochs"}``.

    The command line and `opsin.train` use them. The data source has none: it is the argument that both begin with.
    """
    return {item.metadata["flag"] or key.rpartition(".")[2]: key for key, item, _ in settings() if key != "data.source"}


def from_settings(values: Mapping[str, Any], base: Recipe | None = None) -> Recipe:
    """Build a recipe from short names.

    Args:
        values: Settings by flag name (``epochs=5``) or dotted key; None means "not given".
        base: The recipe they change; default: `Recipe()`.

    Raises:
        RecipeError: A name is unknown or a value does not suit it.
    """
    names = flag_names()
    recipe = base or Recipe()
    for name, value in values.items():
        if value is None:
            continue
        if name not in names and "." not in name:
            raise RecipeError(f"There is no setting '{name}'{nearest(name, names)}. `opsin train --help` lists them.")
        recipe = recipe.set(names.get(name, name), value)
    return recipe


@functools.cache
def _known_keys() -> tuple[str, ...]:
    """Return every key and every table of a recipe, dotted."""
    return (*(name for name, _, _ in settings()), *(item.name for item in dataclasses.fields(Recipe)))


@functools.cache
def _text_keys() -> frozenset[str]:
    return frozenset(key for key, _, hint in settings() if hint in (str, str | None, tuple[str, ...]))
