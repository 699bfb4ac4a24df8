import inspect
import typing
from pathlib import Path

import pytest

from opsin.cli.flags import RecipeOptions, default_text, flag_text, takes_recipe
from opsin.cli.train import train
from opsin.errors import RecipeError
from opsin.recipe.recipe import Recipe, flag_names, settings


def received(**given: object) -> RecipeOptions:
    """Call a command as Typer would and return what it was told."""
    seen: list[RecipeOptions] = []

    @takes_recipe
    def command(wanted: RecipeOptions, extra: int = 3) -> None:
        assert extra == 3
        seen.append(wanted)

    defaults = {name: item.default for name, item in inspect.signature(command).parameters.items()}
    command(**(defaults | given))
    return seen[0]


def test_every_setting_has_a_flag_of_its_type() -> None:
    parameters = inspect.signature(train).parameters
    names = {key: name for name, key in flag_names().items()}
    for key, item, hint in settings():
        if key == "data.source":
            continue
        parameter = parameters[names[key]]
        kind, option = typing.get_args(parameter.annotation)
        assert item.metadata["help"].split("[")[0] in option.help
        assert default_text(item) in option.help
        for scalar in (bool, int, float):
            if hint in (scalar, scalar | None):
                assert kind == scalar | None
        if item.metadata["choices"]:
            assert option.metavar == "|".join(item.metadata["choices"])


def test_the_command_s_own_flags_do_not_hide_a_setting() -> None:
    own = {"data", "recipe", "assignments", "data_root", "out", "runs", "resume", "anonymous", "inspect", "quiet"}
    own |= {"open_test", "leak_check"}
    assert own.isdisjoint(flag_names())
    assert len(inspect.signature(train).parameters) == len(own) + len(flag_names())


@pytest.mark.parametrize("name", flag_names())
def test_a_flag_sets_its_key_and_nothing_else(name: str) -> None:
    key = flag_names()[name]
    item, hint = next((item, hint) for other, item, hint in settings() if other == key)
    value = {
        "network.name": "mlp",
        "network.options": {"width": 8},
        "data.image_size": "48x64",
        "data.resize": "pad",
        "training.schedule": "step",
    }.get(key)
    if value is None:
        kind = (typing.get_args(hint) or (hint,))[0]
        low = item.metadata["low"]
        by_kind = {
            bool: True,
            int: max(9, low if low > 0 else 0),
            float: 0.3,
            str: (item.metadata["choices"] or ["x"])[-1],
        }
        value = by_kind[kind]
        if kind is int and item.metadata["high"] < value:
            value = 3
    recipe = received(data="photos", **{name: value}).recipe()
    assert recipe == Recipe().set("data.source", "photos").merge(nested(key, value))
    assert recipe != Recipe().set("data.source", "photos") or value == item.default


def nested(key: str, value: object) -> dict:
    section, dot, name = key.rpartition(".")
    return {section: {name: value}} if dot else {name: value}


def test_flags_change_the_file_and_set_changes_the_flags(tmp_path: Path) -> None:
    file = tmp_path / "recipe.toml"
    file.write_text('seed = 4\n[data]\nsource = "a"\n[training]\nepochs = 2\nbatch_size = 8\n', encoding="utf-8")
    recipe = received(recipe=file, epochs=3, assignments=["training.batch_size = 16", "network.name=mlp"]).recipe()
    assert recipe.seed == 4
    assert recipe.data.source == "a"
    assert (recipe.training.epochs, recipe.training.batch_size) == (3, 16)
    assert recipe.network.name == "mlp"


def test_a_boolean_flag_can_say_no() -> None:
    assert received(data="x", pretrained=False).recipe().network.pretrained is False
    assert received(data="x").recipe().network.pretrained is None


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"data": None}, "opsin datasets"),
        ({"epochs": 0}, "--epochs: 'training.epochs' must be at least 1, not 0."),
        ({"optimizer": "adamm"}, "did you mean 'adam'"),
        ({"image_size": "wide"}, "--image-size: 'data.image_size' must be a side like 224"),
        ({"assignments": ["training.epochs"]}, "write a key, an equals sign and a value"),
        ({"assignments": ["training.epochz=1"]}, "did you mean 'training.epochs'"),
        ({"assignments": ["epochs=1"]}, "did you mean 'training.epochs'"),
        ({"assignments": ["training.epochs=soon"]}, "must be a whole number, not 'soon'"),
        ({"recipe": Path("nowhere.toml")}, "There is no recipe nowhere.toml."),
    ],
)
def test_wrong_words_are_explained(given: dict, sentence: str) -> None:
    with pytest.raises(RecipeError) as error:
        received(**({"data": "photos"} | given)).recipe()
    assert sentence in str(error.value)


def test_flag_text() -> None:
    assert flag_text("image_size") == "--image-size"


def test_data_root_is_passed_on(tmp_path: Path) -> None:
    assert received(data="mnist", data_root=tmp_path).data_root == tmp_path
