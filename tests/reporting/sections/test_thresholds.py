import html
import json
import re

import numpy as np
import pytest
import sklearn.metrics

from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.report import render_report
from opsin.tasks.classification import section_thresholds as thresholds

LESIONS = {"classes": ["benign", "malignant"], "images": 120, "strength": -1.0}


def embedded(page):
    """What the slider reads, as a browser would."""
    return json.loads(html.unescape(re.search(r'data-curves="([^"]*)"', page)[1]))


def text(page):
    inner = re.search(r'<section id="thresholds">(.*?)</section>', page, re.DOTALL)[1]
    plain = html.unescape(re.sub(r"<svg.*?</svg>|<[^>]+>", " ", inner, flags=re.DOTALL))
    return re.sub(r"\s+", " ", plain.replace("\xa0", " "))


@pytest.mark.parametrize("plan", [LESIONS, {"images": 200, "strength": 2.0}])
def test_numbers_of_the_slider_equal_scikit_learn(make_run, plan):
    run = make_run(**plan)
    data = json.loads(thresholds.facts(Page.read(run))["embedded"])
    assert [entry["name"] for entry in data["classes"]] == (["malignant"] if plan is LESIONS else list(run.classes))
    for entry in data["classes"]:
        label = run.classes.index(entry["name"])
        steps = sorted(data["steps"] + entry["between"])
        for split in ("test", "validation"):
            predicted = run.predicted(split)
            labels, result = predicted.targets.values, predicted.predictions
            positive, scores = labels == label, result.probabilities[:, label]
            assert entry[f"{split}_positives"] == positive.sum()
            assert entry[f"{split}_negatives"] == (~positive).sum()
            for at, step in enumerate(steps):
                matrix = sklearn.metrics.confusion_matrix(positive, scores >= step, labels=[False, True])
                assert [entry[f"{split}_alarms"][at], entry[f"{split}_hits"][at]] == matrix[:, 1].tolist()
        assert set(entry["points"].values()) <= set(steps)
        assert np.array(data["steps"])[data["edges"]] == pytest.approx(np.linspace(0, 1, 21))


def test_operating_points_are_complete_without_the_script(make_run):
    run = make_run(**LESIONS)
    page = render_report(run)
    shown = text(page)
    (entry,) = embedded(page)["classes"]
    predicted = run.predicted("test")
    labels, result = predicted.targets.values, predicted.predictions
    for rule in ("even", "youden", "sensitive", "cheapest"):
        called = result.probabilities[:, 1] >= entry["points"][rule]
        recall = sklearn.metrics.recall_score(labels, called)
        specificity = sklearn.metrics.recall_score(1 - labels, ~called)
        assert f" {recall:.3f} " in shown and f" {specificity:.3f} " in shown
    assert "malignant is the positive class here (the rarer class in training" in shown
    assert "Youden" in shown and "Sensitivity at least 95 %" in shown


def test_decisions_and_readers_are_shown(make_run):
    run = make_run(**LESIONS)
    run.update(positive="benign", aims={"sensitivity": 0.8, "cost_of_miss": 7.0})
    lines = ["reader,sensitivity,specificity,class", "Ada Mustermann,0.9,0.7,benign", "Bob Example,0.8,0.9,benign"]
    (run.path / "readers.csv").write_text("\n".join(lines), encoding="utf-8")
    page = render_report(run)
    shown = text(page)
    assert embedded(page)["classes"][0]["readers"] == [[0.3, 0.9], [0.1, 0.8]]
    assert "probability of benign" in shown and "the rarer class" not in shown
    assert "Sensitivity at least 80 %" in shown and "a miss costs 7, a false alarm 1" in shown
    predicted = run.predicted("test")
    labels, result = predicted.targets.values, predicted.predictions
    alarms, found, _ = sklearn.metrics.roc_curve(labels == 0, result.probabilities[:, 0])
    assert f"Ada Mustermann 0.900 0.700 {found[alarms <= 0.3 + 1e-9].max():.3f}" in shown
    anonymous = render_report(run, anonymous=True)
    assert "Mustermann" not in anonymous and "Reader 2 0.800" in text(anonymous)


def test_without_validation_nothing_is_chosen(make_run):
    run = make_run(**LESIONS)
    (run.path / "predictions-validation.csv").unlink()
    page = render_report(run)
    assert list(embedded(page)["classes"][0]["points"]) == ["even"]
    assert "no predictions on validation images" in text(page)


def test_a_class_without_validation_images_has_no_chosen_threshold(make_run):
    run = make_run(images=200, strength=2.0)
    weakest = thresholds.facts(Page.read(run))["first"].name
    path = run.path / "predictions-validation.csv"
    rows = path.read_text(encoding="utf-8").splitlines(keepends=True)
    path.write_text("".join(row for row in rows if row.split(",")[1] != weakest), encoding="utf-8")
    facts = thresholds.facts(Page.read(run))
    entries = {entry["name"]: entry for entry in json.loads(facts["embedded"])["classes"]}
    assert list(entries.pop(weakest)["points"]) == ["even"]
    assert all(len(entry["points"]) == 4 for entry in entries.values())


def test_grouped_images_have_intervals_of_groups(make_run):
    run = make_run(**LESIONS, data={"groups": 30})
    rows = "".join(f"image {number},x,test,patient {number // 4},0\n" for number in range(120))
    (run.path / "split.csv").write_text("image,class,split,group,digest\n" + rows, encoding="utf-8")
    page = render_report(run)
    assert embedded(page)["grouped"] and "computed over whole groups" in text(page)
    facts = thresholds.facts(Page.read(run))
    assert facts["rows"][0]["scores"][0]["method"] == "cluster bootstrap, 30 groups"


def test_many_classes_stay_small(make_run):
    classes = [f"species {number:03d}" for number in range(130)]
    run = make_run(classes=classes, images=5_200, strength=5.0)
    facts = thresholds.facts(Page.read(run))
    areas = {name: run.scorecard["test"][f"auc/{name}"]["value"] for name in classes}
    shown = [task.name for task in facts["tasks"]]
    assert len(shown) == thresholds.MOST_CLASSES and set(shown) <= set(sorted(areas, key=areas.get)[:110])
    assert facts["first"].name == min(shown, key=areas.get)
    assert len(facts["embedded"]) < 350_000


def test_one_class_needs_no_threshold(make_run):
    assert thresholds.facts(Page.read(make_run(classes=["only"]))) is None
