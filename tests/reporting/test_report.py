import re
from html.parser import HTMLParser

import numpy as np
import pytest

from opsin.errors import RunError
from opsin.reporting import formats
from opsin.reporting.run_report import gallery
from opsin.reporting.run_report.page import Page as PageFacts
from opsin.reporting.run_report.page import read_predicted
from opsin.reporting.run_report.report import render_report, write_report
from opsin.runs.folder import RunFolder
from opsin.tasks.classification import section_confusion as confusion

VOID = {"meta", "img", "br", "input", "hr", "link"}
EVIL = "<script>alert('x')</script>"


class Page(HTMLParser):
    """Reads a page: whether its tags are balanced, what it would load, which texts and elements it has."""

    def __init__(self, html: str):
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if not self.open or self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.texts).replace("\xa0", " "))

    def ids(self) -> list[str]:
        return [values["id"] for _, values in self.elements if values.get("id")]


def loaded(html: str) -> list[str]:
    """Return every address that a browser would go to for this page."""
    found = []
    for _, values in Page(html).elements:
        found += [values[key] or "" for key in ("src", "href", "srcset", "poster", "data", "action") if key in values]
    found += re.findall(r"url\(([^)]*)\)", html) + re.findall(r"@import[^;]*", html)
    return [address for address in found if not address.startswith(("#", "data:"))]


@pytest.fixture(scope="module")
def html(finished):
    return write_report(finished).read_text(encoding="utf-8")


def test_report_is_balanced_and_loads_nothing(html):
    assert loaded(html) == []
    assert "http://" not in html and "https://" not in html
    policy = next(values["content"] for _, values in Page(html).elements if values.get("http-equiv"))
    assert policy.startswith("default-src 'none'; img-src data:")
    assert "script-src 'sha256-" in policy


def test_policy_allows_exactly_the_script_of_the_page(html):
    import base64
    import hashlib

    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in html
    assert html.count("<script") == 1


def test_every_section_is_there_and_reachable(html):
    page = Page(html)
    wanted = "verdict data scores classes confusion calibration thresholds selective_prediction gallery".split()
    wanted += ["training", "network", "reproduce"]
    assert [values["id"] for tag, values in page.elements if tag == "section"] == wanted
    links = [values["href"] for tag, values in page.elements if tag == "a"]
    assert links == [f"#{name}" for name in wanted]
    assert len(page.ids()) == len(set(page.ids()))


def test_scores_are_those_of_the_scorecard(html, finished):
    text = Page(html).text
    for split in ("test", "validation"):
        for name, entry in finished.scorecard[split].items():
            if split == "test" or "/" not in name:
                assert f"{entry['value']:.3f} {entry['low']:.3f}–{entry['high']:.3f}" in text, name
    accuracy = finished.scorecard["test"]["accuracy"]
    assert f"On {accuracy['n']} held-out test images" in text
    assert f"95 % interval {100 * accuracy['low']:.1f} % to {100 * accuracy['high']:.1f} %" in text


def test_per_class_table_and_matrix_hold_the_counts(html, finished):
    predicted = finished.predicted("test")
    labels, result = predicted.targets.values, predicted.predictions
    text = Page(html).text
    wrong = [(t, g) for t, g in zip(labels, result.labels, strict=True) if t != g]
    pairs = {pair: wrong.count(pair) for pair in wrong}
    truth, guess = max(pairs, key=pairs.get)
    assert f"{truth} {guess} {max(pairs.values())} " in text
    counts = finished.info["data"]["counts"]
    assert f"{counts['train'][3]} {counts['validation'][3]} {counts['test'][3]}" in text


def test_confusion_matrix_has_a_choice_of_numbers_and_order(html, make_run):
    def drawn(run):
        return [(figure["order"], figure["measure"]) for figure in confusion.facts(PageFacts.read(run))["figures"]]

    assert html.count('data-order="listed"') == html.count('data-order="alike"') == 1
    assert 'data-measure="both"' in html and html.count('type="radio"') == 4
    large = make_run(classes=[f"species {number}" for number in range(27)], images=540)
    assert drawn(large) == [(order, kind) for order in ("listed", "alike") for kind in ("counts", "parts")]
    assert drawn(make_run(name="two", classes=["a", "b"])) == [("listed", "both")]


def test_verdict_stands_gravest_first(html, finished):
    text = Page(html).text
    places = [text.index(finding["sentence"]) for finding in finished.verdict]
    good, warning, note = places
    assert warning < note < good < text.rindex("Reproduce")
    assert all(finding["advice"] in text and finding["evidence"] in text for finding in finished.verdict)


def test_gallery_shows_worst_first_and_says_what_is_wrong_in_words(html, finished):
    predicted = finished.predicted("test")
    names, labels, result = predicted.names, predicted.targets.values, predicted.predictions
    rows, _ = finished.thumbnails("test")
    items = [values for tag, values in Page(html).elements if tag == "li" and "data-truth" in values]
    assert [item["data-truth"] for item in items] == [finished.classes[labels[row]] for row in rows]
    assert [item["data-guess"] for item in items] == [finished.classes[result.labels[row]] for row in rows]
    assert [item["data-right"] == "true" for item in items] == (labels == result.labels)[rows].tolist()
    text = Page(html).text
    assert text.count("wrong, ") >= sum(item["data-right"] == "false" for item in items)
    assert names[rows[0]] in text


def test_recipe_and_run_can_be_found_again(html, finished):
    text = Page(html).text
    assert finished.recipe.hash in text and finished.name in text
    assert re.sub(r"\s+", " ", finished.recipe.to_toml()).strip() in text
    assert f"opsin train --recipe {finished.path}/recipe.toml" in text


def test_throughput_is_read_out(html, make_run):
    assert "The loader is no bottleneck: it could deliver 4.8 times what the model consumes" in Page(html).text
    run = make_run()
    run.update(throughput={"loader": 400.0, "model": 1000.0, "training": 390.0})
    assert "The loader is the bottleneck: the model could process 2.5 times" in Page(render_report(run)).text


def test_same_folder_gives_same_bytes(finished):
    first = write_report(finished).read_bytes()
    assert write_report(RunFolder(finished.path)).read_bytes() == first


def test_names_may_hold_markup(make_run):
    classes = [EVIL, 'a"b', "c&amp;d", "$x_{", "e/f"]
    images = [f"{EVIL}/{number}.png" for number in range(50)]
    left_out = {f"{EVIL}.jpg": EVIL}
    run = make_run(classes=classes, images=50, names=images, source=EVIL, data={"left_out": left_out, "notes": [EVIL]})
    run.write("verdict.json", [dict.fromkeys(("kind", "sentence", "evidence", "advice"), EVIL) | {"severity": "note"}])
    html = render_report(run)
    page = Page(html)
    assert sum(tag == "script" for tag, _ in page.elements) == 1
    assert EVIL in page.text and "c&amp;d" in page.text and 'a"b' in page.text
    assert not [key for _, values in page.elements for key in values if key.startswith("on")]


def test_hundred_classes_and_large_pictures_stay_below_five_megabytes(make_run):
    noise = np.random.default_rng(0).integers(0, 256, (48, 224, 224, 3)).astype(np.uint8)
    classes = [f"species {number:03d}" for number in range(100)]
    run = make_run(classes=classes, images=10_000, thumbnails=noise, strength=9.0)
    html = write_report(run).read_text(encoding="utf-8")
    assert len(html.encode()) < 5_000_000
    assert html.count("<img ") == len(run.thumbnails("test")[0]) >= 45
    assert all(name in Page(html).text for name in classes)


def test_pictures_shrink_and_only_then_are_left_out(finished, make_run):
    noise = np.random.default_rng(0).integers(0, 256, (10, 224, 224, 3)).astype(np.uint8)
    run = make_run(thumbnails=noise)
    predicted = read_predicted(run, "test")
    plenty, _, total = gallery.read_gallery(run, predicted, budget=10**7)
    assert total == len(plenty) == 10 and plenty[0].width == 224
    size = sum(len(picture.source) for picture in plenty)
    tight, _, _ = gallery.read_gallery(run, predicted, budget=size // 2)
    assert len(tight) == 10 and tight[0].width < 224
    tiny, _, total = gallery.read_gallery(run, predicted, budget=len(tight[0].source))
    assert 0 < len(tiny) < 10 and total == 10
    assert [picture.name for picture in tiny] == [picture.name for picture in plenty][: len(tiny)]
    assert gallery.read_gallery(run, predicted, budget=0)[0] == []


def test_small_pictures_are_kept_exactly():
    import base64
    import io

    from PIL import Image

    image = np.random.default_rng(0).integers(0, 256, (28, 20, 1)).astype(np.uint8)
    source, width, height = gallery.encode(image)
    read = Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2])))
    assert (width, height) == (20, 28) and np.array_equal(np.asarray(read), image[..., 0])


def test_interrupted_run_says_so_and_shows_what_there_is(make_run):
    run = make_run(until="training")
    html = render_report(run)
    page = Page(html)
    assert "This run was interrupted after 7 epochs of 20" in page.text
    assert f"opsin train --resume {run.path}" in page.text
    assert [values["id"] for tag, values in page.elements if tag == "section"] == [
        "data", "classes", "training", "network", "reproduce"
    ]  # fmt: skip


def test_run_that_has_only_begun_has_a_report(make_run):
    page = Page(render_report(make_run(until="created")))
    assert "This run has not finished its first epoch" in page.text
    assert [values["id"] for tag, values in page.elements if tag == "section"] == ["reproduce"]


def test_validation_scores_alone_are_called_so(make_run):
    run = make_run()
    run.write("scorecard.json", {"validation": run.scorecard["validation"]})
    assert "Only validation images have been scored" in Page(render_report(run)).text


def test_several_looks_at_test_are_told(make_run):
    assert "scored 3 times" in Page(render_report(make_run(looks=3))).text


def test_few_groups_are_called_indicative(make_run):
    run = make_run()
    card = run.scorecard
    card["test"]["accuracy"]["method"] = "cluster bootstrap, 12 groups: indicative"
    run.write("scorecard.json", card)
    text = Page(render_report(run)).text
    assert "With so few independent groups the interval is indicative only." in text
    assert "Pale bars" not in text  # intervals of single images would be too short


def test_undefined_scores_are_dashes(make_run):
    run = make_run()
    card = run.scorecard
    card["test"]["recall/3"] |= {"value": None, "low": 0.0, "high": 1.0, "n": 0}
    run.write("scorecard.json", card)
    Page(render_report(run))


def test_training_without_accuracy_has_a_report(make_run):
    assert "Accuracy on test images" in Page(render_report(make_run(accuracy_on_train=False))).text


def test_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunError, match="is not a run"):
        write_report(RunFolder(tmp_path))


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0.97444, 1, "97.4 %"),
        (0.9999, 1, ">99.9 %"),
        (1.0, 1, "100 %"),
        (0.0, 1, "0 %"),
        (0.0001, 1, "<0.1 %"),
        (0.5, 0, "50 %"),
    ],
)
def test_percentages_are_never_rounded_to_certainty(value, decimals, text):
    assert formats.percent(value, decimals).replace("\xa0", " ") == text
