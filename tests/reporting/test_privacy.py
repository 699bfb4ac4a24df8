import pytest

from opsin.recipe.recipe import Recipe
from opsin.reporting.run_report import privacy
from opsin.reporting.run_report.report import render_report, write_report

SECRET = "xq7secretpatient"


@pytest.fixture
def telling_run(make_run):
    """A run in which every field that may hold a name holds the secret."""
    run = make_run(
        name=SECRET,
        source=f"/home/{SECRET}/scans",
        names=[f"{SECRET}/{SECRET}_{number}.png" for number in range(270)],
        groups=[SECRET],
        group_column=SECRET,
        machine={"device_name": f"{SECRET} GPU", "processor": SECRET, "system": SECRET, "host": SECRET},
        looks=2,
        data={
            "notes": [f"{SECRET}_1.png is turned"],
            "left_out": {f"{SECRET}_9.png": f"is empty, like {SECRET}"},
            "split": f"by group ({SECRET})",
            "groups": 3,
        },
    )
    run.add_look("test", f"opsin evaluate {SECRET}")
    finding = {
        "kind": "mistakes",
        "severity": "note",
        "sentence": f"{SECRET}_1.png is given another class; 8 is found least often.",
        "evidence": f"So is {SECRET}/{SECRET}_2.png from group {SECRET}.",
        "advice": f"Look into /home/{SECRET}/scans.",
    }
    run.write("verdict.json", [finding])
    network = run.info["network"] | {"name": f"local-dir:/home/{SECRET}/weights"}
    run.update(network=network)
    card = run.scorecard
    card["test"]["accuracy"]["method"] = f"cluster bootstrap over {SECRET}"
    run.write("scorecard.json", card)
    return run


def test_secret_is_in_the_open_report(telling_run):
    assert SECRET in render_report(telling_run)


def test_anonymous_report_holds_no_name(telling_run):
    html = write_report(telling_run, anonymous=True).read_text(encoding="utf-8")
    assert SECRET not in html
    assert "1 image" in html or "<dt>Images excluded</dt><dd>1</dd>" in html  # counted, not named
    assert "8 is found least often" in html  # class names stay
    assert "Opsin</strong> report, anonymous" in html


def test_interrupted_anonymous_report_does_not_name_its_folder(make_run):
    assert SECRET not in render_report(make_run(until="training", name=SECRET, source=SECRET), anonymous=True)


def test_redactor_takes_out_whole_names_only():
    redact = privacy.Redactor(["smith/a_17.png", "smith", "cat", "12"], classes=["cat"])
    assert redact("a_17.png of smith is a cat, one of 12 blacksmiths") == "… of … is a cat, one of 12 blacksmiths"


def test_anonymous_recipe_keeps_what_decides_the_result():
    recipe = Recipe.from_dict(
        {
            "data": {"source": "/home/me/scans", "group": "patient", "image_size": 64},
            "network": {"name": "resnet18", "options": {"checkpoint_path": "/home/me/w.pt", "width": 2}},
            "training": {"epochs": 3},
        }
    )
    tables = privacy.anonymous_recipe(recipe)
    assert tables["training"] == recipe.to_dict()["training"]
    assert tables["network"]["name"] == "resnet18" and tables["network"]["options"] == {"width": 2}
    assert not {"source", "group", "label"} & set(tables["data"]) and tables["data"]["image_size"] == [64, 64]
