"""What the inspections leave in a run folder, as the report shows it."""

from __future__ import annotations

import base64
import io
import json
import re

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file

from opsin.data.targets import ClassTargets
from opsin.errors import RunError
from opsin.inspection.embedding_map import SHEET
from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.pictures import overlay, weight_image
from opsin.reporting.run_report.report import render_report
from opsin.reporting.sections import attributions as looking
from opsin.reporting.sections import embedding_map as alike
from opsin.reporting.sections import first_layer as filters
from opsin.tasks.base import PredictedSplit

METHODS = ["saliency", "integrated_gradients", "grad_cam", "occlusion"]


def add_attributions(run, number=5, methods=METHODS, **facts):
    """Heat maps that are strongest in the upper left corner; every second image was given a wrong class."""
    predicted = run.predicted("test")
    labels, result = predicted.targets.values, predicted.predictions
    wrong = np.flatnonzero(labels != result.labels)
    right = np.flatnonzero(labels == result.labels)
    rows = np.concatenate([wrong[: number - 2], right[:2]])
    targets = np.stack([result.labels[rows], labels[rows]], axis=1)
    targets[targets[:, 0] == targets[:, 1], 1] = -1
    maps = np.full((len(rows), 2, len(methods), 8, 8), 128, np.uint8)
    maps[..., :2, :2] = 255
    images = np.random.default_rng(0).integers(0, 256, (len(rows), 8, 8, 1), dtype=np.uint8)
    run.write_arrays("attributions.npz", rows=rows, images=images, targets=targets, maps=maps)
    told = {
        "images": len(rows),
        "worst": len(rows) - 2,
        "methods": list(methods),
        "signed": ["integrated_gradients", "occlusion"],
        "left_out": {},
        "feature_map": {"name": "stages", "height": 2, "width": 2},
        "steps": 32,
        "window": [2, 2],
        "size": [8, 8],
        "border": {"width": 0.1, "area": 0.4375, "shares": {"occlusion": [0.3, 0.5]}},
    }
    run.write("attributions.json", told | facts)
    return rows


def add_map(run, number=60, neighbors=True, sheet=None):
    """Validation predictions, and places on two circles."""
    predicted = run.predicted("test")
    names, labels, result = predicted.names, predicted.targets.values, predicted.predictions
    run.write_predictions("validation", PredictedSplit(list(names), ClassTargets(np.asarray(labels)), result))
    angle = np.linspace(0, 6, number)
    places = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    buffer = io.BytesIO()
    Image.new("L", (64, 64)).save(buffer, "PNG")
    run.write_arrays(
        "map.npz",
        rows=np.arange(number),
        principal=places,
        neighbors=2 * places if neighbors else places[:0],
        explained=np.array([0.3, 0.2]),
        agreement=np.array(0.9),
        sheet=np.frombuffer(buffer.getvalue(), np.uint8) if sheet is None else sheet,
        tile=np.array([8, 8, 8]),
    )


def pixels(source):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",")[1]))))


def test_sections_are_left_out_of_runs_that_were_not_examined(make_run):
    page = Page.read(make_run())
    assert looking.facts(page) is None and alike.facts(page) is None and filters.facts(page) is None


def test_every_image_stands_with_its_maps(make_run):
    run = make_run()
    rows = add_attributions(run)
    facts = looking.facts(Page.read(run))
    assert [len(image["explained"]) for image in facts["images"]] == [2, 2, 2, 1, 1]
    predicted = run.predicted("test")
    names, labels, result = predicted.names, predicted.targets.values, predicted.predictions
    for image, row in zip(facts["images"], rows, strict=True):
        truth, guess = run.classes[labels[row]], run.classes[result.labels[row]]
        assert image["caption"].truth == truth and image["caption"].guess == guess and image["name"] == names[row]
        wanted = (
            [f"Evidence for {truth}"]
            if truth == guess
            else [f"Evidence for {guess} (predicted)", f"Evidence for {truth} (true class)"]
        )
        assert [asked["text"] for asked in image["explained"]] == wanted
        assert all(len(asked["maps"]) == 4 for asked in image["explained"])
    orange = pixels(facts["images"][0]["explained"][0]["maps"][3])
    assert orange[0, 0, 0] > 200 > 100 > orange[0, 0, 2]  # speaks for the class
    assert np.ptp(orange[7, 7].astype(int)) == 0  # says nothing, so the image shows through in grey
    assert "they hold 40\xa0% (occlusion) of the attribution" in facts["border"]


def test_the_page_is_complete_without_script(make_run):
    run = make_run()
    rows = add_attributions(run)
    add_map(run)
    html = render_report(run)
    section = re.search(r'<section id="attributions">.*?</section>', html, re.DOTALL)[0]
    assert section.count("<figure") == (2 * 3 + 2) * 4 and section.count('class="what"') == len(rows)
    for title, meaning in looking.METHODS.values():
        assert title in section and meaning.format(supports="supports the class", score="the score") in section
    assert "Adebayo et al. 2018" in section
    section = re.search(r'<section id="embedding_map">.*?</section>', html, re.DOTALL)[0]
    assert section.count("<circle cx=") == 60
    predicted = run.predicted("test")
    labels, result = predicted.targets.values, predicted.predictions
    assert section.count('<circle class="ring"') == (labels[:60] != result.labels[:60]).sum()
    assert "90 %".replace(" ", "\xa0") in section


def test_an_anonymous_report_holds_no_file_name(make_run):
    run = make_run(names=[f"patient-{number:03}-left.png" for number in range(270)])
    add_attributions(run)
    add_map(run)
    assert "patient-" in render_report(run)
    assert "patient-" not in render_report(run, anonymous=True)


def test_names_in_the_data_of_the_map_cannot_end_the_script(make_run):
    run = make_run(classes=["</script><b>x", "b"])
    add_map(run)
    html = render_report(run)
    assert "<b>x" not in html
    data = json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.DOTALL)[1])
    assert data["classes"][0] == "</script><b>x"
    assert len(data["labels"]) == len(data["guesses"]) == len(data["places"][0]) == 60


def test_the_largest_map_stays_below_800_kilobytes(make_run):
    run = make_run(images=1_500, names=[f"{'folder/' * 12}{number}.png" for number in range(1_500)])
    add_map(run, number=1_500, sheet=np.random.default_rng(0).integers(0, 256, SHEET, dtype=np.uint8))
    section = re.search(r'<section id="embedding_map">.*?</section>', render_report(run), re.DOTALL)[0]
    assert section.count("<circle cx=") == 1_500
    assert len(section.encode()) < 800_000


def test_few_images_are_shown_by_their_principal_components(make_run):
    run = make_run()
    add_map(run, number=20, neighbors=False)
    facts = alike.facts(Page.read(run))
    assert len(facts["data"]["places"]) == 1 and not facts["neighbors"]
    assert "first two principal components" in render_report(run)


def test_the_map_is_not_distorted_and_fills_the_field():
    places = np.array([[0.0, 0.0], [4.0, 1.0], [2.0, 3.0]])
    fitted = alike.fit(places)
    assert fitted[:, 1].min() == alike.MARGIN and fitted[:, 1].max() == alike.HEIGHT - alike.MARGIN
    scale = (alike.HEIGHT - 2 * alike.MARGIN) / 3
    np.testing.assert_allclose(np.diff(fitted[:, 0]), scale * np.diff(places[:, 0]), atol=1)
    np.testing.assert_allclose(np.diff(fitted[:, 1]), -scale * np.diff(places[:, 1]), atol=1)
    assert (alike.fit(np.zeros((3, 2))) == (alike.WIDTH / 2, alike.HEIGHT / 2)).all()


def test_many_classes_share_the_last_color_but_the_most_mistaken():
    labels, guesses = np.repeat(np.arange(30), 4), np.repeat(np.arange(30), 4)
    guesses[[0, 1, 116]] = [20, 20, 7]
    colors = alike.color_of(labels, guesses, 30)
    own = np.flatnonzero(colors < alike.COLORS - 1)
    assert len(own) == 9 and {0, 7, 20, 29} <= set(own) and len(set(colors[own])) == 9
    np.testing.assert_array_equal(alike.color_of(labels[:8], guesses[:8], 10), np.arange(10))


def test_damaged_files_are_explained(make_run):
    run = make_run()
    add_attributions(run)
    path = run.path / "attributions.npz"
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(RunError, match=r"attributions\.npz is damaged"):
        render_report(run)


def test_heat_is_grey_where_nothing_matters_and_colored_where_much_does():
    image = np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8, 1).repeat(3, axis=2)
    signed = overlay(image, np.array([[128] * 7 + [255]] + [[1] + [128] * 7] * 7, np.uint8), signed=True)
    assert np.ptp(signed[3, 4].astype(int)) == 0
    assert signed[0, 7, 0] > 200 and signed[0, 7, 2] < 80  # for: orange
    assert signed[5, 0, 2] > 200 and signed[5, 0, 0] < 120  # against: blue
    absolute = overlay(image, np.eye(8, dtype=np.uint8) * 255, signed=False)
    assert absolute[3, 3].min() > 120 and np.ptp(absolute[3, 4].astype(int)) == 0


@pytest.mark.parametrize("channels", [1, 3])
def test_weights_are_stretched_to_the_largest(channels):
    weights = np.zeros((2, 2, channels))
    weights[0, 0, 0], weights[1, 1, 0] = 0.02, -0.02
    drawn = weight_image(weights).astype(int)
    nothing = 128 if channels == 3 else 255
    assert (drawn[0, 1] == nothing).all()
    assert drawn[0, 0, 0] > drawn[0, 0, 2] and drawn[1, 1, 0] < drawn[1, 1, 2]
    assert (weight_image(0 * weights) == nothing).all()


@pytest.mark.parametrize(
    ("shape", "kind", "size"), [((16, 1, 3, 3), "filter", (3, 3)), ((100, 64), "unit", (8, 8))], ids=["cnn", "mlp"]
)
def test_the_first_layer_is_drawn_strongest_first(make_run, shape, kind, size):
    run = make_run()
    weights = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    weights[3] *= 9
    save_file({"stem.0.weight": weights, "head.weight": np.zeros((10, 4), np.float32)}, run.path / "best.safetensors")
    facts = filters.facts(Page.read(run))
    assert (facts["layer"], facts["kind"], facts["total"], tuple(facts["size"])) == ("stem.0", kind, shape[0], size)
    assert len(facts["pictures"]) == min(shape[0], 64)
    first = pixels(facts["pictures"][0]["source"])
    times = len(first) // size[0]
    np.testing.assert_array_equal(first[::times, ::times], weight_image(weights[3].reshape(*size, 1)))
    assert f"{'The 64 strongest of 100' if kind == 'unit' else 'All 16'} {kind}s" in render_report(run)


def test_a_first_layer_that_is_no_picture_is_left_out(make_run):
    run = make_run()
    save_file({"stem.0.weight": np.zeros((8, 1, 1, 1), np.float32)}, run.path / "best.safetensors")
    assert filters.facts(Page.read(run)) is None
    save_file({"other.weight": np.zeros((8, 1, 3, 3), np.float32)}, run.path / "best.safetensors")
    assert filters.facts(Page.read(run)) is None
    (run.path / "best.safetensors").write_bytes(b"nothing")
    with pytest.raises(RunError, match=r"best\.safetensors is damaged"):
        filters.facts(Page.read(run))
