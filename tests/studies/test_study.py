from __future__ import annotations

import pytest

from opsin.errors import RecipeError
from opsin.studies.bundled import STUDIES, bundled_file
from opsin.studies.study import Study
from opsin.studies.variants import differing

WIDTHS = """
name = "widths"
question = "How wide?"
seeds = [0, 3]
base = "narrow"

[recipe]
asks = "What do few units reach?"
published = { accuracy = 0.9 }
data.source = "digits"
network = { name = "mlp", options = { widths = [8] } }
training.epochs = 2

[variants.wide]
asks = "Do more units help?"
network.options.widths = [64]

[variants.wide-slow]
inherits = "wide"
training.learning_rate = 0.001

[variants.cnn]
inherits = "wide-slow"
network.name = "course_cnn"
"""


def read(tmp_path, text, name="study.toml"):
    (tmp_path / name).write_text(text, encoding="utf-8")
    return Study.read(tmp_path / name)


def test_variants_differ_from_their_parents_in_what_they_say(tmp_path):
    study = read(tmp_path, WIDTHS)
    assert (study.name, study.seeds, study.base) == ("widths", (0, 3), "narrow")
    assert list(study.variants) == ["narrow", "wide", "wide-slow", "cnn"]
    narrow, wide, slow, cnn = study.variants.values()
    assert narrow.parent is None
    assert narrow.changes == {}
    assert narrow.published == {"accuracy": 0.9}
    assert wide.changes == {"network.options.widths": [64]}
    assert (slow.parent, slow.changes) == ("wide", {"training.learning_rate": 0.001})
    assert slow.recipe.network.options == {"widths": [64]}
    assert all(each.recipe.training.epochs == 2 for each in study.variants.values())
    assert cnn.recipe.network.options == {}  # the options of another network are not its own
    assert cnn.recipe.training.learning_rate == 0.001
    assert [each.parent for each in study.variants.values()] == [None, "narrow", "wide", "wide-slow"]


def test_images_beside_the_study_are_found_from_anywhere(tmp_path):
    (tmp_path / "photos").mkdir()
    study = read(tmp_path, 'recipe.data.source = "photos"')
    assert study.variants["base"].recipe.data.source == str((tmp_path / "photos").resolve())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[recipe]\n[variants.a]\ninherits = 'b'\n[variants.b]\ninherits = 'a'", "(a -> b -> a)"),
        ("[recipe]\n[variants.a]\ninherits = 'a'", "(a -> a)"),
        ("[variants.a]\nstarts_from = 'b'\n[variants.b]\nstarts_from = 'a'", "(a -> b -> a)"),
        ("[variants.a]\ninherits = 'bose'", "inherits 'bose', which does not exist (did you mean 'base'?)"),
        ("[variants.a]\nensemble = ['base']", "at least two members"),
        ("[variants.a]\nensemble = ['base', 'b']", "is an ensemble of 'b', which does not exist"),
        ("[variants.a]\nensemble = ['base', 'b']\n[variants.b]\nensemble = ['base', 'a']", "cycle"),
        (
            "[variants.b]\nseed = 1\n[variants.a]\nensemble = ['base', 'b']\ntraining.epochs = 3",
            "set the seeds at the top",
        ),
        (
            "[variants.b]\ntraining.epochs = 1\n[variants.a]\nensemble = ['base', 'b']\ntraining.epochs = 3",
            "cannot have recipe keys",
        ),
        ("[recipe]\ninherits = 'a'\n[variants.a]\n", "cannot inherit"),
        ("base = 'a'\n[variants.a]\n", "two variants are called 'a'"),
        ("[variants.a]\n[variants.A]\n", "only in case"),
        ("[variants.a]\n[variants.a]\n", "not valid TOML"),
        ("[variants.'a b']\n", "cannot be called 'a b'"),
        ("[variants.a]\ntraining.epoch = 3", "unknown key 'training.epoch' (did you mean 'training.epochs'"),
        ("[variants.a]\nask = 'why?'", "[variants.a]: unknown key 'ask'"),
        ("varians = 1", "unknown key 'varians' (did you mean 'variants'?)"),
        ("[variants.a]\nseed = 3", "set the seeds at the top"),
        ("[variants.a]\n", "'base' and 'a' have the same recipe"),
        ("seeds = []", "'seeds' must be"),
        ("seeds = [1, 1]", "'seeds' must be"),
        ("name = 3", "'name' must be text"),
        ("recipe = 3", "[recipe] must be a table"),
        ("variants = { a = 3 }", "[variants.a], not 3"),
        ("[recipe]\npublished = 0.9", "'published' must be a table"),
        ("[variants.a]\nnetwork = 'mlp'", "'network' is a table"),
    ],
)
def test_an_invalid_file_is_reported_in_a_sentence(tmp_path, text, said):
    with pytest.raises(RecipeError) as caught:
        read(tmp_path, text)
    assert said in str(caught.value)
    assert "study.toml" in str(caught.value)


def test_an_unknown_study_suggests_the_nearest():
    with pytest.raises(RecipeError, match=r"no study mnst \(did you mean 'mnist'\?\)"):
        Study.read("mnst")


def test_a_selection_keeps_the_variants_it_starts_from(tmp_path):
    study = read(tmp_path, WIDTHS + "\n[variants.tuned]\ntraining.epochs = 5\nstarts_from = 'wide'\n")
    assert list(study.select(["tuned"]).variants) == ["wide", "tuned"]
    with pytest.raises(RecipeError, match=r"no variant 'wid' \(did you mean 'wide'\?\)"):
        study.select(["wid"])


def test_a_variant_whose_parent_is_left_out_differs_from_its_nearest_ancestor(tmp_path):
    study = read(tmp_path, WIDTHS)
    assert study.variants["cnn"].parent == "wide-slow" and "training.learning_rate" not in study.variants["cnn"].changes
    variant = study.select(["narrow", "cnn"]).variants["cnn"]
    assert variant.parent == "narrow"
    assert variant.changes == differing(study.variants["narrow"].recipe.to_dict(), variant.recipe.to_dict())
    assert variant.changes["training.learning_rate"] == 0.001 and variant.changes["network.name"] == "course_cnn"
    assert study.select(["wide", "cnn"]).variants["cnn"].parent == "wide"
    alone = study.select(["cnn"]).variants["cnn"]
    assert alone.parent is None and alone.recipe == study.variants["cnn"].recipe


def test_the_hash_changes_with_all_that_decides_a_run(tmp_path):
    study = read(tmp_path, WIDTHS + "\n[variants.tuned]\ntraining.epochs = 5\nstarts_from = 'wide'\n")
    hashes = {study.hash(name, seed) for name in study.variants for seed in (0, 1)}
    assert len(hashes) == 2 * len(study.variants)
    other = study.set(["training.batch_size=16"])
    assert other.hash("wide", 0) != study.hash("wide", 0)
    # What a run starts from decides it too.
    changed = read(
        tmp_path,
        WIDTHS.replace("[64]", "[65]") + "\n[variants.tuned]\nnetwork.options.widths = [8]\n"
        "training.epochs = 5\nstarts_from = 'wide'\n",
    )
    assert changed.hash("tuned", 0) != study.hash("tuned", 0)
    assert read(tmp_path, WIDTHS).hash("wide", 0) == study.hash("wide", 0)


def test_set_names_a_wrong_key(tmp_path):
    study = read(tmp_path, WIDTHS)
    assert study.set(["training.epochs=7"]).variants["cnn"].recipe.training.epochs == 7
    with pytest.raises(RecipeError, match="training.epochs"):
        study.set(["training.epoch=7"])
    with pytest.raises(RecipeError, match="equals sign"):
        study.set(["training.epochs"])


@pytest.mark.parametrize("name", STUDIES)
def test_our_studies_can_be_read(name):
    study = Study.read(name)
    assert study.name == name
    assert study.question.endswith("?")
    assert bundled_file(name).exists()
    assert all(each.asks.endswith("?") for each in study.variants.values())
