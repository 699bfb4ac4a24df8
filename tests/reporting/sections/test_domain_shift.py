"""The section that says what to expect elsewhere, and the page of a learning curve."""

from __future__ import annotations

import re

import numpy as np
import pytest

from opsin.inspection.domain_shift import estimate_accuracy
from opsin.recipe.recipe import Recipe
from opsin.reporting.figures.domain_shift import plot_laboratories
from opsin.reporting.pages.learning_curve import plot_curve, render_curve_page
from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.report import render_report
from opsin.reporting.sections import domain_shift as elsewhere

IMAGES = [10] * 10


def robustness():
    generator = np.random.default_rng(0)
    laboratories = {"number": 30, "strongest": 3.0, "images": IMAGES, "severities": [{"noise": 1.0, "blur": 0.4}] * 30}
    laboratories["right"] = generator.integers(5, 10, (30, 10)).tolist()
    cell = {"low": 0.5, "high": 0.9, "method": "Wilson", "n": 100, "amount": "some", "error": 0.01}
    corruptions = [
        {
            "name": name,
            "title": title,
            "flag": "",
            "seen": name == "noise",
            "severities": [
                cell | {"severity": 2, "value": 0.81, "cost": 0.15},
                cell | {"severity": 4, "value": value, "cost": 0.96 - value},
            ],
        }
        for name, title, value in (("noise", "noise", 0.7), ("blur", "out of focus", 0.33))
    ]
    return {
        "score": "accuracy",
        "split": "validation",
        "images": 100,
        "of": 270,
        "severities": [2, 4],
        "clean": {"value": 0.96, "low": 0.9, "high": 0.98, "method": "Wilson", "n": 100},
        "corruptions": corruptions,
        "mean": 0.57,
        "worst": {"name": "blur", "title": "out of focus", "value": 0.57},
        "classes": [{"class": "8", "n": 10, "clean": 1.0, "corrupted": 0.4}]
        + [{"class": "1", "n": 10, "clean": 1.0, "corrupted": 0.95}],
        "laboratories": laboratories | estimate_accuracy(laboratories, IMAGES),
    }


@pytest.fixture
def run(make_run):
    run = make_run()
    assert elsewhere.facts(Page.read(run)) is None
    run.write("robustness.json", robustness())
    score = {"value": 0.61, "low": 0.55, "high": 0.66, "method": "Wilson", "n": 300}
    counts = {f"recall/{label}": score | {"n": 30 if label < 4 else 0} for label in range(10)}
    run.write("scorecard.json", run.scorecard | {"clinic-north": {"accuracy": score, **counts}})
    return run


def text_of(html):
    section = html[html.index('id="domain_shift"') : html.index('id="gallery"')]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", section)).replace("&nbsp;", " ").replace("\xa0", " ")


def test_the_section_tells_what_to_expect_and_what_costs_most(run):
    text = text_of(render_report(run))
    found = run.robustness["laboratories"]
    low, high, expected = (f"{100 * found[name]:.0f} %" for name in ("low", "high", "expected"))
    assert f"Expect about {expected} in another laboratory. The central 80 % of the simulated laboratories" in text
    assert f"simulated laboratories range from {low} to {high}, the worst has" in text
    assert "from 100 of your 270 validation images" in text and "in noise, out of focus." in text
    assert "Worst: out of focus (57.0 % on average)" in text and "over the 1 corruption not used" in text
    assert "used as augmentation" in text and "81 %" in text and "33 %" in text
    assert re.search(r"Most affected classes .* 8 100 % 40 % 10", text)


def test_scores_on_other_data_stand_beside_the_estimate_for_their_classes(run):
    (row,) = elsewhere.facts(Page.read(run))["measured_elsewhere"]
    assert row["name"] == "clinic-north" and row["measured"]["value"] == 0.61
    assert row["expected"] == estimate_accuracy(run.robustness["laboratories"], [30] * 4 + [0] * 6)["expected"]
    html = render_report(run, anonymous=True)
    assert "clinic" not in html and "other images 1" in html


def test_a_run_examined_by_an_older_version_is_one_that_was_not_examined(run):
    old = {key: value for key, value in robustness().items() if key != "score"}
    run.write("robustness.json", old)
    assert run.robustness == {} and 'id="domain_shift"' not in render_report(run)


def test_a_laboratory_is_a_dot_and_equal_ones_are_stacked():
    axes = plot_laboratories(np.array([0.5, 0.8, 0.8]), (0.5, 0.8), 0.9).axes[0]
    points = axes.lines[0].get_xydata()
    assert points[:, 0].tolist() == [0.5, 0.8, 0.8] and points[:, 1].tolist() == [0, 0, 1]
    assert axes.get_xlim()[0] < 0.5 and axes.get_xlim()[1] > 0.9


def curve(anonymous=False):
    accuracies = [(100, 0, 0.8), (200, 0, 0.85), (400, 0, 1.0), (100, 1, 0.81), (200, 1, 0.86), (400, 1, 0.9)]
    runs = [
        {"run": f"part-{images}-seed-{seed}", "images": images, "seed": seed, "score": {"value": value}}
        for images, seed, value in accuracies
    ]
    return {
        "opsin": "0.1.0",
        "name": "clinic-north",
        "anonymous": anonymous,
        "recipe": Recipe.from_dict({"data": {"source": "/home/someone/clinic-north"}}).to_dict(),
        "validated": 60,
        "runs": runs,
        "law": {"floor": 0.01, "scale": 2.0, "exponent": 0.5},
        "score": "accuracy",
        "reached": 0.9,
        "doubled": {"images": 800, "score": 0.93, "low": 0.9, "high": 0.95, "told": True},
        "sentence": "Twice as many would help.",
        "band": [[100.0, 800.0], [0.18, 0.05], [0.23, 0.1]],
    }


def test_the_page_of_a_curve_holds_its_sizes_and_its_sentence():
    html = render_curve_page(curve())
    assert "Twice as many would help." in html and 'href="part-400-seed-1/report.html"' in html
    assert "clinic-north" in html and "default-src 'none'" in html
    text = re.sub(r"<[^>]*>", " ", html).replace("\xa0", " ")
    assert re.search(r"100\s+80\.5 %\s+80\.0 % – 81\.0 %", text)
    hidden = render_curve_page(curve(anonymous=True))
    assert "clinic" not in hidden and "someone" not in hidden


def test_a_run_without_mistakes_can_be_drawn():
    axes = plot_curve(curve()).axes[0]
    errors = next(line for line in axes.lines if line.get_label() == "runs").get_ydata()
    assert errors.min() == pytest.approx(0.5 / 60)
