"""Style of all figures, and their conversion to SVG for a page.

The two series colors are distinct in every common form of color blindness (blue against orange, Okabe and Ito 2008),
and lines also differ by dash or marker, so that a black-and-white print is readable.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

INK = "#1d2329"
MUTED = "#626b76"
GRID = "#e2e0da"
BLUE = "#4249ad"
ORANGE = "#c4611a"
ON_BLUE = "#fffffe"

# In a page the figure follows the page's colors and dark mode; elsewhere it uses the light ones.
_PAGE_COLORS = {
    INK: "ink",
    MUTED: "muted",
    GRID: "grid",
    BLUE: "blue",
    ORANGE: "orange",
    ON_BLUE: "on-blue",
}

FONT_SIZE = 9.0
LIVE = "live-"  # prefix of the gid of elements that a page's script may move; in the page it is the element's class
_SVG = "{http://www.w3.org/2000/svg}"
_HREF = "{http://www.w3.org/1999/xlink}href"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure, independent of pyplot's global state.

    Args:
        width: Inches.
        height: Inches.
    """
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def add_axes(figure: Figure, position: Any = 111, title: str = "", grid: str = "y", **arguments: Any) -> Axes:
    """Add axes in the common style: title at the left, light grid lines, no frame.

    Args:
        figure: Figure to add to.
        position: As for ``Figure.add_subplot``.
        title: Name of the vertical axis, written horizontally above the axes.
        grid: Grid lines: "x", "y", "both" or "".
        arguments: Passed on to ``Figure.add_subplot``.
    """
    axes = figure.add_subplot(position, **arguments)
    axes.set_facecolor("none")
    for spine in axes.spines.values():
        spine.set_visible(False)
    if grid:
        axes.grid(axis=grid, color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, labelsize=FONT_SIZE - 0.5, labelcolor=MUTED, color=GRID, pad=4)
    if title:
        axes.set_title(title, loc="left", fontsize=FONT_SIZE + 0.5, fontweight="bold", color=INK, parse_math=False)
    result: Axes = axes
    return result


def add_legend(axes: Axes, columns: int = 2) -> None:
    """Place the legend above the axes at the right, on the line of the title, where it hides no data."""
    axes.legend(
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        borderaxespad=0.2,
        ncols=columns,
        frameon=False,
        fontsize=FONT_SIZE - 0.5,
        labelcolor=INK,
        handlelength=1.6,
        columnspacing=1.2,
    )


def label_x(axes: Axes, text: str) -> None:
    """Set the name of the horizontal axis."""
    axes.set_xlabel(text, fontsize=FONT_SIZE - 0.5, color=MUTED, parse_math=False)


def whole_numbers(axes: Axes) -> None:
    """Use whole numbers on the horizontal axis."""
    axes.xaxis.set_major_locator(MaxNLocator(nbins=8, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def plain_ticks(axes: Axes) -> None:
    """Write the numbers of the vertical axis in full, without offset or separate power of ten."""
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))


def tick_labels(names: Sequence[str], longest: int = 24) -> list[str]:
    """Return names without control characters, shortened in the middle if too long."""
    return [shorten(name, longest) for name in names]


def shorten(name: str, longest: int) -> str:
    """Return the name without control characters, its middle replaced by an ellipsis beyond ``longest`` characters."""
    name = "".join("\ufffd" if unicodedata.category(c) in ("Cc", "Cs") or c in "\ufffe\uffff" else c for c in name)
    if len(name) <= longest:
        return name
    end = (longest - 1) // 3
    return f"{name[: longest - 1 - end]}…{name[len(name) - end :]}"


def figure_to_svg(figure: Figure, name: str, description: str) -> Markup:
    """Return a figure as an ``<svg>`` element for a page.

    Its background is transparent, its colors follow the page's CSS variables (``--ink``, ``--blue``, …) where they are
    set, and its text remains text in the page's font, so that class names in any script can be read, found and copied.
    Equal figures give equal text.

    An element whose gid starts with `LIVE` keeps it as its class, so that a script can move it. The figure then has the
    position of its first axes as ``data-axes``: left, top, right and bottom in its own units, then the values there.

    Args:
        figure: The figure.
        name: Name that is unique on the page; it keeps references within figures distinct.
        description: Text alternative of the figure.
    """
    figure.patch.set_visible(False)
    buffer = io.StringIO()
    with warnings.catch_warnings(), matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "opsin"}):
        # The browser draws the text and has glyphs that Matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    figure.patch.set_visible(True)
    root = ElementTree.fromstring(buffer.getvalue())
    _clean(root, name)
    width, height = (float(side) for side in root.attrib["viewBox"].split()[2:])
    root.attrib = {
        "viewBox": root.attrib["viewBox"],
        "width": f"{width * 4 / 3:.0f}",
        "height": f"{height * 4 / 3:.0f}",
        "role": "img",
        "aria-label": description,
        "class": "figure",
        "style": "stroke-linejoin:round;stroke-linecap:butt",
    }
    if any(element.get("class", "").startswith(LIVE) for element in root.iter()):
        root.set("data-axes", _place_of(figure.axes[0], width, height))
    # Safe: the text of the figure was escaped when it was written as XML.
    return Markup(ElementTree.tostring(root, encoding="unicode"))


def _place_of(axes: Axes, width: float, height: float) -> str:
    """Return left, top, right, bottom of drawn axes in a figure of this width and height, then the values there."""
    box, (left, right), (bottom, top) = axes.get_position(), axes.get_xlim(), axes.get_ylim()
    place = (box.x0 * width, (1 - box.y1) * height, box.x1 * width, (1 - box.y0) * height)
    return " ".join(f"{number:.6g}" for number in (*place, left, top, right, bottom))


def _clean(root: ElementTree.Element, name: str) -> None:
    """Convert Matplotlib's SVG document, in place, into an element for an HTML page with other figures."""
    parents = {child: parent for parent in root.iter() for child in parent}
    for style in list(root.iter(f"{_SVG}style")):
        parents[style].remove(style)  # its rule would apply to the whole page
    text = ElementTree.tostring(root, encoding="unicode")
    used = set(re.findall(r"url\(#([^)]+)\)", text)) | set(re.findall(r'href="#([^"]+)"', text))
    for element in root.iter():
        element.tag = element.tag.removeprefix(_SVG)
        if element.tag != "text":
            element.text = None
        element.tail = None
        values = element.attrib
        if "id" in values:
            identifier = values.pop("id")
            if identifier in used:
                values["id"] = f"{name}-{identifier}"
            elif identifier.startswith(LIVE):
                values["class"] = identifier
        if _HREF in values:
            target = values.pop(_HREF)
            values["href"] = f"#{name}-{target[1:]}" if target.startswith("#") else target.replace("\n", "")
        if "clip-path" in values:
            values["clip-path"] = values["clip-path"].replace("url(#", f"url(#{name}-")
        if "d" in values:
            values["d"] = _rounded(" ".join(values["d"].split()))
        for key in ("x", "y", "transform"):
            if key in values:
                values[key] = _rounded(values[key]).replace("rotate(-0 ", "rotate(0 ")
        if "style" in values:
            values["style"] = _page_style(values["style"])


def _rounded(numbers: str) -> str:
    """Round to a hundredth of a point, finer than any screen shows."""
    return re.sub(r"-?\d+\.\d{3,}", lambda match: f"{float(match.group()):.2f}", numbers)


def _page_style(style: str) -> str:
    style = re.sub(r"font-family: [^;]*", "font-family: inherit", style)
    for color, variable in _PAGE_COLORS.items():
        style = style.replace(color, f"var(--{variable},{color})")
    return style.replace(": ", ":").replace("; ", ";")
