from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsin.errors import RecipeError
from opsin.recipe.recipe import Recipe, flag_names, from_settings, settings


def values_of(key, item, hint):
    """A strategy of valid values for one key."""
    metadata = item.metadata
    if metadata["choices"]:
        return st.sampled_from(metadata["choices"])
    low, high = max(metadata["low"], -1e6), min(metadata["high"], 1e6)
    text = str(hint)
    if key == "data.image_size":
        return st.tuples(st.integers(4, 4096), st.integers(4, 4096))
    if key == "network.options":
        return st.dictionaries(st.sampled_from(["widths", "blocks"]), st.lists(st.integers(1, 9)))
    if key == "split.test_groups":
        return st.lists(st.text("ab é\"'-5.", min_size=1, max_size=6), max_size=4)
    if "bool" in text:
        return st.booleans()
    if "float" in text:
        return st.floats(low, high, allow_nan=False)
    if "int" in text:
        return st.integers(int(low), int(high))
    return st.text("ab Ä\"'\\\n\t=[]#{}5.é漢", max_size=20)


ANY_KEY = st.sampled_from(list(settings())).flatmap(lambda entry: st.tuples(st.just(entry[0]), values_of(*entry)))


@given(st.lists(ANY_KEY, max_size=8))
def test_toml_round_trip_keeps_recipe_and_hash(tmp_path_factory, pairs):
    recipe = Recipe()
    for key, value in pairs:
        table = {}
        inner = table
        *path, last = key.split(".")
        for part in path:
            inner = inner.setdefault(part, {})
        inner[last] = value
        recipe = recipe.merge(table)
    path = tmp_path_factory.mktemp("recipe") / "recipe.toml"
    path.write_text(recipe.to_toml(), encoding="utf-8")
    again = Recipe.read(path)
    assert again == recipe
    assert again.hash == recipe.hash


def test_hash_changes_with_any_key():
    hashes = {Recipe().hash}
    changes = {"seed": 1, "epochs": 3, "network": "mlp", "rotation": 3.0, "validation": 0.2, "image_size": 32}
    for key, value in changes.items():
        hashes.add(from_settings({key: value}).hash)
    assert len(hashes) == len(changes) + 1


def test_short_names_are_unique():
    assert len(flag_names()) == len(list(settings())) - 1  # the source is the argument itself


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"training": {"epoch": 3}}, "did you mean 'training.epochs'"),
        ({"epochs": 3}, "did you mean 'training.epochs'"),
        ({"trainin": {}}, "did you mean 'training'"),
        ({"training": {"epochs": "five"}}, "must be a whole number, not 'five'"),
        ({"training": {"epochs": 0}}, "must be at least 1, not 0"),
        ({"training": {"epochs": True}}, "must be a whole number, not True"),
        ({"training": {"optimizer": "adamW"}}, "one of sgd, rmsprop, adam, adamw, not 'adamW'"),
        ({"training": {"average": float("nan")}}, "must be a finite number, not nan"),
        ({"training": {"weight_decay": float("inf")}}, "must be a finite number, not inf"),
        ({"training": {"learning_rate": 10**400}}, "must be a finite number, not inf"),
        ({"training": {"minutes": True}}, "must be a number, not True"),
        ({"seed": 2**63}, "must be at most 2^62"),
        ({"split": {"seed": 2**63}}, "must be at most 2^62"),
        ({"training": 5}, "'training' is a table of keys"),
        ({"data": {"image_size": [1, 2, 3]}}, "height x width"),
        ({"data": {"skip_unreadable": "yes"}}, "must be true or false"),
        ({"network": {"options": 3}}, "is a table of keys"),
    ],
)
def test_wrong_recipes_are_explained_in_one_sentence(values, said):
    with pytest.raises(RecipeError, match="the recipe: ") as caught:
        Recipe.from_dict(values)
    assert said in str(caught.value)
    assert str(caught.value).count("\n") == 0


def test_reading_says_what_is_wrong_with_the_file(tmp_path):
    with pytest.raises(RecipeError, match="There is no recipe"):
        Recipe.read(tmp_path / "none.toml")
    broken = tmp_path / "broken.toml"
    broken.write_text("epochs = = 3")
    with pytest.raises(RecipeError, match=r"broken\.toml is not valid TOML: .*line 1"):
        Recipe.read(broken)
    broken.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="cannot be read as a recipe"):
        Recipe.read(broken)


def test_set_reads_text_as_toml_or_as_a_word():
    recipe = Recipe().set("training.epochs", "7").set("network.name", "mlp").set("network.options", "{widths = [5, 6]}")
    assert recipe.training.epochs == 7
    assert recipe.network.name == "mlp"
    assert recipe.network.options == {"widths": [5, 6]}
    assert recipe.set("data.image_size", "64x128").data.image_size == (64, 128)
    with pytest.raises(RecipeError, match=r"--set training\.epoch: unknown key"):
        recipe.set("training.epoch", "7")


@pytest.mark.parametrize("word", ["1", "true", "2024-01-01", "[a]", '"quoted"', "1e5"])
def test_text_stays_text_for_keys_that_hold_text(word):
    assert Recipe().set("data.label", word).data.label == word
    assert from_settings({"label": word, "group": word}).data == dataclasses.replace(
        Recipe().data, label=word, group=word
    )
    assert Recipe().set("network.name", word).network.name == word
    assert Recipe().set("training.epochs", "5").training.epochs == 5


def test_the_largest_seed_survives_toml(tmp_path):
    recipe = Recipe().set("seed", 2**62).set("split.seed", str(2**62))
    (tmp_path / "recipe.toml").write_text(recipe.to_toml(), encoding="utf-8")
    assert Recipe.read(tmp_path / "recipe.toml") == recipe
    assert recipe.split.seed == 2**62


def test_settings_override_only_what_is_given():
    base = Recipe().set("training.epochs", 9)
    recipe = from_settings({"batch_size": 16, "seed": None}, base)
    assert (recipe.training.epochs, recipe.training.batch_size) == (9, 16)
    with pytest.raises(RecipeError, match="did you mean 'epochs'"):
        from_settings({"epoch": 3})


def test_recipes_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().seed = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    ("given", "names"),
    [
        ("patient 3, patient 5", ("patient 3", "patient 5")),
        ("7", ("7",)),
        ('["Doe, J", "b"]', ("Doe, J", "b")),
        (["a", "b", "a"], ("a", "b")),
        ([3, 5], ("3", "5")),
        ("", ()),
        ("[odd", ("[odd",)),
    ],
)
def test_names_are_given_as_text_or_as_a_list(given, names):
    assert Recipe().set("split.test_groups", given).split.test_groups == names


@pytest.mark.parametrize("wrong", [3, 1.5, True, [1.5], [[]], {"a": 1}, "[1.5]"])
def test_what_are_no_names_is_refused(wrong):
    with pytest.raises(RecipeError, match="must be names separated by commas"):
        Recipe().set("split.test_groups", wrong)
