"""The values of a recipe: building its tables from plain ones, and checking every key, type and range on the way."""

from __future__ import annotations

import dataclasses
import math
import tomllib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from opsin.errors import RecipeError, nearest

T = TypeVar("T")

LARGEST = 2**62  # a whole number in TOML, and a seed of torch, has 64 bits


def build(section: type[T], values: Mapping[str, Any], where: str, known: Sequence[str], prefix: str = "") -> T:
    """Make one table of a recipe, and those inside it, from plain values.

    Args:
        section: A dataclass whose fields are declared by `opsin.recipe.schema.setting`.
        values: Tables as TOML gives them.
        where: What to call the source in an error message.
        known: Every key and table of the whole recipe, dotted; the nearest one is suggested for a mistyped key.
        prefix: The dotted name of this table, with its dot at the end.

    Raises:
        RecipeError: A key is unknown, a type is wrong or a value out of range.
    """
    hints = typing.get_type_hints(section)
    fields = {item.name: item for item in dataclasses.fields(section)}  # type: ignore[arg-type]
    arguments: dict[str, Any] = {}
    for key, value in values.items():
        if key not in fields:
            raise RecipeError(f"{where}: unknown key '{prefix}{key}'{_suggestion(key, prefix, known)}.")
        if dataclasses.is_dataclass(hints[key]):
            if not isinstance(value, Mapping):
                raise RecipeError(f"{where}: '{prefix}{key}' is a table of keys, not {value!r}.")
            arguments[key] = build(hints[key], value, where, known, f"{prefix}{key}.")
        else:
            arguments[key] = _checked(value, hints[key], fields[key].metadata, f"{where}: '{prefix}{key}'")
    return section(**arguments)


def _suggestion(key: str, prefix: str, known: Sequence[str]) -> str:
    """Suggest a key of the same table, or the same key in the table where it belongs."""
    elsewhere = [name for name in known if name.rpartition(".")[2] == key]
    if elsewhere:
        return f" (did you mean {' or '.join(repr(name) for name in elsewhere)}?)"
    here = [name for name in known if name.startswith(prefix)] if prefix else known
    return nearest(prefix + key, here) or nearest(key, known)


def _checked(value: Any, hint: Any, metadata: Mapping[str, Any], what: str) -> Any:
    """Return ``value`` as the field's type, or raise the sentence that says what is expected."""
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    if value is None and type(None) in options:
        return None
    kind = next(option for option in options if option is not type(None))
    if typing.get_origin(kind) is tuple:
        return _checked_names(value, what) if kind == tuple[str, ...] else _checked_size(value, what)
    if typing.get_origin(kind) is dict:
        if isinstance(value, Mapping):
            return dict(value)
        raise RecipeError(f"{what} is a table of keys, not {value!r}.")
    if kind is float and type(value) is int:
        value = float(value) if abs(value) < 1e308 else math.inf
    if type(value) is not kind:
        names = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
        raise RecipeError(f"{what} must be {names[kind]}, not {value!r}.")
    if metadata["choices"] and value not in metadata["choices"]:
        choices = metadata["choices"]
        raise RecipeError(f"{what} must be one of {', '.join(choices)}, not {value!r}{nearest(value, choices)}.")
    if kind is float and not math.isfinite(value):
        raise RecipeError(f"{what} must be a finite number, not {value!r}.")
    if kind is int and value > LARGEST:
        raise RecipeError(f"{what} must be at most 2^62, not {value!r}.")
    if isinstance(value, int | float) and not metadata["low"] <= value <= metadata["high"]:
        bounds = [f"at least {metadata['low']:g}"] * math.isfinite(metadata["low"])
        bounds += [f"at most {metadata['high']:g}"] * math.isfinite(metadata["high"])
        raise RecipeError(f"{what} must be {' and '.join(bounds)}, not {value!r}.")
    return value


def _checked_size(value: Any, what: str) -> tuple[int, int]:
    """Return (height, width) from 224, "64x128", [64, 128] or (64, 128)."""
    if isinstance(value, str):
        parts: Any = value.lower().split("x")
        value = [int(part) for part in parts] if all(part.strip().isdigit() for part in parts) else value
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if isinstance(value, int) and not isinstance(value, bool):
        value = (value, value)
    whole = isinstance(value, list | tuple) and len(value) == 2 and all(type(side) is int for side in value)
    if not whole or not all(4 <= side <= 4096 for side in value):
        raise RecipeError(
            f"{what} must be a side like 224, or height x width like 64x128 (4 to 4096 pixels), not {value!r}."
        )
    return (value[0], value[1])


def _checked_names(value: Any, what: str) -> tuple[str, ...]:
    """Return names from ``"a, b"``, ``'["a", "b, c"]'``, ["a", "b"] or ("a", "b"), each once, in that order."""
    if isinstance(value, str):
        parsed = parse(value) if value.lstrip().startswith("[") else value
        value = [name.strip() for name in parsed.split(",")] if isinstance(parsed, str) else parsed
        value = [name for name in value if name != ""]
    if not isinstance(value, list | tuple) or not all(type(name) in (str, int) for name in value):
        raise RecipeError(f'{what} must be names separated by commas, or a list like ["a", "b"], not {value!r}.')
    return tuple(dict.fromkeys(map(str, value)))


def parse(text: str) -> Any:
    """Return the value that a text means in TOML (``"5"`` is 5), or the text itself where it means none."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def plain(value: Any) -> Any:
    """Return tables without the keys that hold None, and lists instead of tuples, as TOML has them."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items() if inner is not None}
    return list(value) if isinstance(value, tuple) else value


def merged(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return ``base`` with the keys of ``values`` in place of its own, table by table; ``options`` as a whole."""
    result = dict(base)
    for key, value in values.items():
        nested = isinstance(value, Mapping) and isinstance(result.get(key), Mapping) and key != "options"
        result[key] = merged(result[key], value) if nested else value
    return result


def flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return dotted key -> value of nested tables."""
    found: dict[str, Any] = {}
    for key, value in table.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return found
