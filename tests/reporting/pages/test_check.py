import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from opsin.audit.finding import ImageFinding
from opsin.audit.result import Check
from opsin.data.dataset import Dataset
from opsin.data.decisions import Decision, Decisions
from opsin.data.images import ArrayImages, FileImages
from opsin.data.targets import ClassTargets
from opsin.reporting.pages import check as check_page
from opsin.reporting.pages.check import render_check_page


def make_check(findings=(), number=40, classes=("cat", "dog"), names=None, side=24):
    pixels = np.random.default_rng(0).integers(0, 256, (number, side, side, 3), np.uint8)
    images = ArrayImages(pixels) if names is None else FileImages(Path("/x"), [Path("/x", name) for name in names])
    data = Dataset("pets", classes, images, ClassTargets(np.arange(number) % len(classes)))
    shapes = np.tile([side, side, 3], (number, 1))
    return Check(data, tuple(findings), Path("pets/decisions.csv"), "24×24", pixels, shapes)


def finding(images, **more):
    return ImageFinding("outlier", "warning", "Something was found.", "Look.", tuple(images), **more)


def facts_of(text):
    return json.loads(re.search(r'<script type="application/json" id="facts">(.*?)</script>', text, re.S)[1])


def tiles_of(text):
    return re.findall(r'<li class="tile[^"]*" data-image="(\d+)"', text)


def test_the_page_loads_nothing_and_shows_every_finding():
    text = render_check_page(make_check([finding(["image 3", "image 5"], details={"image 3": "far away"})]))
    assert not re.search(r'(src|href)="(?!data:|#)', text)
    assert "Something was found." in text and "far away" in text and "1 warning" in text
    facts = facts_of(text)
    assert [facts["names"][number] for number in facts["findings"][0]["images"]] == ["image 3", "image 5"]
    assert facts["classes"] == ["cat", "dog"] and facts["file"] == "decisions.csv"
    assert len(tiles_of(text)) == 2 + 40 and text.count("data:image/png") == 42


def test_only_its_own_script_may_run():
    text = render_check_page(make_check())
    import base64
    import hashlib

    script = re.search(r"<script>(.*?)</script>", text, re.S)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text.replace("&#39;", "'")


def test_names_cannot_break_out_of_the_page():
    names = [f"cat/{number}.png" for number in range(39)] + ["dog/</script><script>alert(1)<!--.png"]
    text = render_check_page(make_check([finding(names[-1:])], names=names))
    assert "alert(1)<" not in text
    assert names[-1] in facts_of(text)["names"]


def test_suggestions_and_groups_reach_the_script():
    found = [
        finding(["image 1"], suggestions={"image 1": "cat"}),
        replace(finding(["image 2", "image 4"]), kind="duplicates", groups=(("image 2", "image 4"),)),
    ]
    facts = facts_of(render_check_page(make_check(found)))
    number = facts["names"].index("image 1")
    assert facts["findings"][0]["suggestions"] == {str(number): "cat"}
    assert [[facts["names"][n] for n in group] for group in facts["findings"][1]["groups"]] == [["image 2", "image 4"]]


def test_what_was_decided_before_is_saved_again():
    check = make_check()
    rows = (Decision("gone.png", "exclude", "", "dark"), Decision("image 3", "relabel", "dog", ""))
    object.__setattr__(check.dataset, "decisions", Decisions(Path("decisions.csv"), rows))
    text = render_check_page(check)
    assert facts_of(text)["decided"] == [["gone.png", "exclude", "", "dark"], ["image 3", "relabel", "dog", ""]]
    assert "1 image excluded, 1 relabeled by decisions.csv." in text and "gone.png" in text


def test_an_anonymous_page_has_no_names_and_no_decisions():
    names = [f"secret/{number}.png" for number in range(40)]
    found = [finding(names[:3], details={names[0]: "in train, group Smith"})]
    text = render_check_page(make_check(found, names=names), anonymous=True)
    assert "secret" not in text and "Smith" not in text and "pets" not in text and "decisions.csv" not in text
    assert len(tiles_of(text)) == 43


def test_images_that_cannot_be_read_have_a_tile_without_picture():
    text = render_check_page(make_check([finding(["lost.png"], details={"lost.png": "is empty"})]))
    assert "no picture" in text and "is empty" in text and "lost.png" in facts_of(text)["names"]


def test_the_page_stays_below_its_size(monkeypatch):
    monkeypatch.setattr(check_page, "PICTURES", 100_000)
    names = [f"image {number}" for number in range(300)]
    check = make_check([finding(names[:200]), finding(names[200:])], number=300, side=60)
    text = render_check_page(check)
    pictures = sum(len(source) for source in re.findall(r'src="(data:[^"]+)"', text))
    assert 50_000 < pictures <= 100_000
    assert all(name in facts_of(text)["names"] for name in names)  # without a picture they can still be decided about
    assert "more without pictures" in text


def test_groups_are_shown_whole_or_cut_and_marked():
    groups = tuple(tuple(f"image {start + place}" for place in range(8)) for start in (0, 8))
    names = [name for group in groups for name in group]
    text = render_check_page(make_check([replace(finding(names), groups=groups)]))
    section = text.partition('<ul class="gallery grouped">')[2].partition("</ul>")[0]
    assert len(tiles_of(section)) == 2 * check_page.PER_GROUP and section.count("tile first") == 2


@pytest.mark.parametrize(("shape", "size"), [((50, 100), (12, 24)), ((100, 50), (24, 12)), ((24, 24), (24, 24))])
def test_pictures_have_the_proportions_of_their_files(shape, size):
    pixels = np.zeros((24, 24, 3), np.uint8)
    assert check_page._upright(pixels, np.array([*shape, 3])).shape == (*size, 3)
