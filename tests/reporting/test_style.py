import re
from xml.etree import ElementTree

import numpy as np
import pytest

from opsin.reporting.figures.style import BLUE, INK, add_axes, figure_to_svg, new_figure, shorten


def drawing(title: str = "Loss"):
    figure = new_figure(3, 2)
    axes = add_axes(figure, title=title)
    axes.plot([1, 2, 3], [0.1, 0.3, 0.2], "o-", color=BLUE)
    axes.imshow(np.ones((2, 2, 4)) * 0.5, extent=(1, 2, 0.1, 0.2), aspect="auto", interpolation="none")
    return figure


def test_svg_is_one_element_without_anything_that_reaches_beyond_it():
    svg = figure_to_svg(drawing(), "curve", "a curve")
    root = ElementTree.fromstring(svg)
    assert root.tag == "svg" and root.get("role") == "img" and root.get("aria-label") == "a curve"
    assert "http" not in svg and "<style" not in svg and "<?xml" not in svg and "DOCTYPE" not in svg
    assert re.findall(r'href="([^#][^:]*)', svg) == ["data"]


def test_references_are_kept_apart_by_name_and_all_lead_somewhere():
    svg = figure_to_svg(drawing(), "curve", "")
    ids = set(re.findall(r' id="([^"]+)"', svg))
    used = set(re.findall(r"url\(#([^)]+)\)", svg)) | set(re.findall(r'href="#([^"]+)"', svg))
    assert used == ids and ids and all(name.startswith("curve-") for name in ids)


def test_equal_figures_give_equal_text():
    assert figure_to_svg(drawing(), "a", "b") == figure_to_svg(drawing(), "a", "b")


def test_colors_follow_the_page_and_fall_back_to_the_light_ones():
    svg = figure_to_svg(drawing(), "a", "")
    assert f"var(--blue,{BLUE})" in svg and f"var(--ink,{INK})" in svg
    assert "#ffffff" not in svg  # the background is the page's
    assert drawing().get_facecolor() == (1, 1, 1, 1)  # but a saved picture has its own


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "$\\frac{1}{", "中文 الخط", "a & b"])
def test_any_text_can_be_drawn_and_stays_text(name):
    svg = figure_to_svg(drawing(name), "a", name)
    assert name in [element.text for element in ElementTree.fromstring(svg).iter("text")]
    assert "<script" not in svg


def test_long_names_lose_their_middle_and_control_characters_their_effect():
    assert shorten("a" * 10 + "b" * 10, 9) == "aaaaaa…bb"
    assert shorten("tab\there\ud800", 24) == "tab\ufffdhere\ufffd"
    assert shorten("just fits", 9) == "just fits"


def test_parts_that_a_script_may_move_keep_their_name_and_the_figure_says_where_values_lie():
    figure = new_figure(4, 3)
    axes = add_axes(figure)
    axes.plot([0, 10], [0, 100], gid="live-curve")
    axes.set_xlim(0, 10)
    axes.set_ylim(0, 100)
    root = ElementTree.fromstring(figure_to_svg(figure, "a", ""))
    left, top, right, bottom, *values = (float(number) for number in root.attrib["data-axes"].split())
    assert values == [0, 100, 10, 0]
    (curve,) = (element for element in root.iter() if element.get("class") == "live-curve")
    begin, end = curve.find("path").get("d").removeprefix("M ").split(" L ")
    assert [float(number) for number in begin.split()] == pytest.approx([left, bottom], abs=0.02)
    assert [float(number) for number in end.split()] == pytest.approx([right, top], abs=0.02)
    assert "data-axes" not in figure_to_svg(drawing(), "a", "")
