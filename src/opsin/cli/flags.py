"""Flags for every setting of a recipe, made from the recipe's own fields."""

from __future__ import annotations

import copy
import dataclasses
import functools
import inspect
import math
import tomllib
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import typer

from opsin.errors import RecipeError
from opsin.recipe.recipe import Recipe, flag_names, settings

PANELS = {"": "Run", "data": "Data", "split": "Split", "network": "Network"}
PANELS |= {"augmentation": "Augmentation", "training": "Training"}
METAVARS: dict[type | str, str] = {bool: "", int: "INTEGER", float: "NUMBER", str: "TEXT", dict: "TABLE"}
METAVARS |= {"data.image_size": "SIZE", "split.test_groups": "NAMES"}


@dataclass(frozen=True)
class RecipeOptions:
    """The part of a command line that concerns the recipe.

    Attributes:
        data: A path or the name of a data set.
        file: A TOML file with a recipe.
        assignments: ``key=value`` texts of ``--set``.
        settings: Dotted key -> (flag, value), for the flags that were given.
        data_root: A folder that holds data sets by name.
    """

    data: str | None = None
    file: Path | None = None
    assignments: tuple[str, ...] = ()
    settings: Mapping[str, tuple[str, Any]] = field(default_factory=dict)
    data_root: Path | None = None

    @property
    def nothing(self) -> bool:
        """Whether the command line leaves the whole recipe open."""
        return not (self.data or self.file or self.assignments or self.settings)

    def recipe(self) -> Recipe:
        """Return the recipe: the file's, changed by the flags, changed by ``--set``.

        Raises:
            RecipeError: The file cannot be read, a key is unknown, a value does not suit it, or no data are named.
        """
        recipe = Recipe.read(self.file) if self.file else Recipe()
        if self.data:
            recipe = recipe.merge({"data": {"source": self.data}}, "DATA")
        for key, (flag, value) in self.settings.items():
            recipe = recipe.merge(_nested(key, value), flag)
        for assignment in self.assignments:
            key, equals, value = assignment.partition("=")
            if not equals or not key.strip():
                raise RecipeError(
                    f"--set {assignment}: write a key, an equals sign and a value, as in --set training.epochs=5."
                )
            recipe = recipe.set(key.strip(), value.strip())
        if not recipe.data.source:
            raise RecipeError(
                "No data given: name a folder, a CSV, npz or IDX file, or a data set of `opsin datasets`, "
                "as in `opsin train photos/`."
            )
        return recipe


def takes_recipe(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the argument DATA and a flag for every setting of a recipe.

    Args:
        command: A function whose first parameter receives a `RecipeOptions`; its other parameters become flags, in the
            panel "Run" unless they name another.

    Returns:
        A function for Typer.
    """
    hints = typing.get_type_hints(command, include_extras=True)
    keyword = inspect.Parameter.KEYWORD_ONLY
    own = [
        item.replace(annotation=_in_run_panel(hints[item.name]), kind=keyword)
        for item in list(inspect.signature(command).parameters.values())[1:]
    ]
    data, *shared = _shared_parameters()
    flags = {name: (key, flag_text(name)) for name, key in flag_names().items()}

    @functools.wraps(command)
    def wrapper(**values: Any) -> None:
        given = {key: (flag, values[name]) for name, (key, flag) in flags.items() if values[name] is not None}
        assignments = tuple(values["assignments"] or ())
        wanted = RecipeOptions(values["data"], values["recipe"], assignments, given, values["data_root"])
        command(wanted, **{item.name: values[item.name] for item in own})

    parameters = [data, *shared, *own, *_setting_parameters()]
    wrapper.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {item.name: item.annotation for item in parameters}
    return wrapper


def _in_run_panel(hint: Any) -> Any:
    """Return an annotation whose option stands in the panel "Run" unless it names another."""
    if typing.get_origin(hint) is not Annotated:
        return hint
    kind, information = typing.get_args(hint)
    if information.rich_help_panel is not None:
        return hint
    information = copy.copy(information)
    information.rich_help_panel = PANELS[""]
    return Annotated[kind, information]


def _shared_parameters() -> list[inspect.Parameter]:
    panel = "Run"
    return [
        _parameter(
            "data",
            str | None,
            typer.Argument(metavar="DATA", help="Folder, CSV, npz or IDX file, or a name from `opsin datasets`."),
        ),
        _parameter(
            "recipe", Path | None, typer.Option(help="TOML file of the recipe to start from.", rich_help_panel=panel)
        ),
        _parameter(
            "assignments",
            list[str] | None,
            typer.Option(
                "--set", metavar="KEY=VALUE", help="Set any key of the recipe; repeatable.", rich_help_panel=panel
            ),
        ),
        _parameter(
            "data_root",
            Path | None,
            typer.Option(
                help="Folder that holds named data sets (mnist/, cifar10/, …); default: the variable OPSIN_DATA.",
                rich_help_panel=panel,
            ),
        ),
    ]


def _setting_parameters() -> list[inspect.Parameter]:
    names = {key: name for name, key in flag_names().items()}
    return [_setting_parameter(key, names[key], item, hint) for key, item, hint in settings() if key in names]


def _setting_parameter(key: str, name: str, item: dataclasses.Field[Any], hint: Any) -> inspect.Parameter:
    kinds = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    is_table = typing.get_origin(kinds[0]) is dict
    kind = dict if is_table else kinds[0] if kinds[0] in (bool, int, float) else str
    information: Any = typer.Option(
        f"{flag_text(name)}/--no-{flag_text(name)[2:]}" if kind is bool else flag_text(name),
        help=f"{_escaped(item.metadata['help'] + bounds_text(item))} [dim]{_escaped(f'[{default_text(item)}]')}[/dim]",
        metavar="|".join(item.metadata["choices"]) or METAVARS.get(key, METAVARS[kind]),
        show_default=False,
        parser=_toml_table if is_table else None,
        rich_help_panel=PANELS[key.rpartition(".")[0]],
    )
    return _parameter(name, kind | None, information)


def _escaped(text: str) -> str:
    """Keep square brackets from being read as markup."""
    return text.replace("[", "\\[")


def _toml_table(text: str) -> dict[str, Any]:
    """Read ``{width = 32}``."""
    try:
        table = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        table = None
    if not isinstance(table, dict):
        raise typer.BadParameter(f"{text!r} is not a table like {{width = 32}}.")
    return table


def flag_text(name: str) -> str:
    """Return ``--image-size`` for the short name ``image_size``."""
    return f"--{name.replace('_', '-')}"


def bounds_text(item: dataclasses.Field[Any]) -> str:
    """Return ``; 0 to 0.5`` or ``; at least 1`` for the bounds of a setting, an empty string where it has none."""
    low, high = item.metadata["low"], item.metadata["high"]
    if math.isfinite(high):
        return f"; {low:g} to {high:g}"
    return f"; at least {low:g}" if math.isfinite(low) and low else ""


def default_text(item: dataclasses.Field[Any]) -> str:
    """Return how the default of a setting is shown to people."""
    default = None if item.default_factory is not dataclasses.MISSING else item.default
    if item.default_factory is not dataclasses.MISSING or default in ("", ()):
        return "none"
    if default is None:
        return "decided by rule"
    if isinstance(default, bool):
        return "yes" if default else "no"
    return f"{default:g}" if isinstance(default, float) else str(default)


def _nested(key: str, value: Any) -> dict[str, Any]:
    """Return ``{"training": {"epochs": 5}}`` for ``training.epochs`` and 5."""
    for part in reversed(key.split(".")):
        value = {part: value}
    result: dict[str, Any] = value
    return result


def _parameter(name: str, kind: Any, information: Any) -> inspect.Parameter:
    annotation = Annotated[kind, information]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
