"""Result of a lesson: sentences, tables and figures, for the terminal and for an HTML page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from opsin.reporting.figures.style import BLUE, INK, MUTED, ORANGE, figure_to_svg
from opsin.reporting.run_report.report import create_environment
from opsin.storage.atomic import write_text
from opsin.version import __version__

# Line styles of a figure, which differ in color and dashes.
LOOKS: tuple[dict[str, Any], ...] = (
    {"color": BLUE},
    {"color": ORANGE, "linestyle": (0, (4, 1.6))},
    {"color": INK, "linestyle": (0, (1, 1.2))},
    {"color": MUTED},
)


@dataclass(frozen=True)
class Table:
    """A table of a lesson.

    Attributes:
        columns: Headings.
        rows: Cells, as text; all columns but the first are aligned to the right.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


@dataclass(frozen=True)
class Picture:
    """A figure of a lesson.

    Attributes:
        figure: The figure.
        title: Its title.
        caption: Caption, also the text alternative.
        wide: Whether it spans the full width of the page.
    """

    figure: Figure
    title: str
    caption: str
    wide: bool = False


@dataclass
class Part:
    """One step of a lesson.

    Attributes:
        title: Title.
        sentences: Method and results, one paragraph each.
        tables: Tables.
        pictures: Figures.
    """

    title: str
    sentences: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)


@dataclass
class Lesson:
    """Result of a lesson.

    Attributes:
        name: Name on the command line.
        title: Title.
        lede: Summary in a sentence or two.
        source: Description of the data.
        parts: Steps, in order.
        questions: Suggested experiments.
    """

    name: str
    title: str
    lede: str
    source: str
    parts: list[Part]
    questions: list[str]

    def lines(self) -> Iterable[str | Table]:
        """Yield the titles, sentences and tables for a terminal."""
        yield f"{self.title} ({self.source})"
        for part in self.parts:
            yield f"\n{part.title}"
            yield from part.sentences
            yield from part.tables

    def write_page(self, path: Path) -> Path:
        """Write the lesson as one self-contained HTML page, and return its path.

        Raises:
            RunError: The folder is missing or not writable, or the disk is full.
        """
        parts = [
            {
                "anchor": f"part-{number}",
                "title": part.title,
                "sentences": part.sentences,
                "tables": part.tables,
                "pictures": [
                    {
                        "svg": Markup(figure_to_svg(picture.figure, f"p{number}-{place}", picture.caption)),
                        "title": picture.title,
                        "caption": picture.caption,
                        "wide": picture.wide,
                        "width": round(picture.figure.get_size_inches()[0] * 96),
                    }
                    for place, picture in enumerate(part.pictures)
                ],
            }
            for number, part in enumerate(self.parts, 1)
        ]
        page = (
            create_environment()
            .get_template("lesson.html")
            .render(
                version=__version__,
                title=self.title,
                kind="lesson",
                subject=self.source,
                lede=self.lede,
                sections=[(part["anchor"], part["title"]) for part in parts] + [("questions", "Try it")],
                parts=parts,
                questions=self.questions,
            )
        )
        write_text(path, page)
        return path


def log_scale(axes: Axes, direction: str = "y") -> None:
    """Make an axis logarithmic, with tick labels in plain numbers."""
    axes.set(**{f"{direction}scale": "log"})
    axis = axes.yaxis if direction == "y" else axes.xaxis
    axis.set_major_locator(LogLocator(numticks=6))
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    axes.tick_params(which="minor", length=0)
