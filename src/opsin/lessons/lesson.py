"""A lesson that was run: sentences, tables and pictures, for the terminal and for a page."""

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

# How the lines of a figure differ, in color and in dashes.
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
        figure: What is shown.
        title: Above it.
        caption: What to see in it; also read out to those who cannot.
        wide: Whether it takes the whole width of the page.
    """

    figure: Figure
    title: str
    caption: str
    wide: bool = False


@dataclass
class Part:
    """One step of a lesson.

    Attributes:
        title: A few words.
        sentences: What was done and what came out, one paragraph each.
        tables: Numbers.
        pictures: Figures.
    """

    title: str
    sentences: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)


@dataclass
class Lesson:
    """A lesson that was run.

    Attributes:
        name: Its word on the command line.
        title: What it teaches.
        lede: The one thing to take away.
        source: Which data were used.
        parts: Its steps, in order.
        questions: What to try next.
    """

    name: str
    title: str
    lede: str
    source: str
    parts: list[Part]
    questions: list[str]

    def lines(self) -> Iterable[str | Table]:
        """Yield what a terminal shows: titles, sentences and tables."""
        yield f"{self.title} ({self.source})"
        for part in self.parts:
            yield f"\n{part.title}"
            yield from part.sentences
            yield from part.tables

    def write_page(self, path: Path) -> Path:
        """Write the lesson with its pictures as one HTML page, which loads nothing from anywhere, and return its path.

        Raises:
            RunError: The folder is missing or may not be written to, or the disk is full.
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
    """Make an axis logarithmic, with its powers of ten in plain numbers."""
    axes.set(**{f"{direction}scale": "log"})
    axis = axes.yaxis if direction == "y" else axes.xaxis
    axis.set_major_locator(LogLocator(numticks=6))
    axis.set_minor_formatter(NullFormatter())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.4g}"))
    axes.tick_params(which="minor", length=0)
