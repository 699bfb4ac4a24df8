"""What the verbs print with: plain lines and tables that read well in a terminal and in a log file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

LOG_WIDTH = 120  # a log file or a pipe has no width of its own


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text as it is: no markup, no guessed colors."""
    screen = Console(stderr=stderr, markup=False, highlight=False)
    if not screen.is_terminal:
        screen.width = LOG_WIDTH
    return screen


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Sequence[str] = ()) -> Table:
    """Return a table without frames.

    Args:
        columns: Headings.
        rows: Cells; printed as they are, even where they look like markup.
        numbers: The headings whose columns are aligned to the right.
    """
    result = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for place, column in enumerate(columns):
        # Long names stand in the first column, sentences and paths in the last; what lies between stays in one piece.
        whole = 0 < place < len(columns) - 1
        result.add_column(column, justify="right" if column in numbers else "left", overflow="fold", no_wrap=whole)
    for row in rows:
        result.add_row(*(Text(cell) for cell in row))
    return result


def interval(score: Mapping[str, Any] | None, digits: int = 3) -> str:
    """Return ``0.974 (0.966-0.981)`` for an entry of a scorecard, or an empty string for none; large ones shorter."""
    if not score or score.get("value") is None:
        return ""
    low, high = score.get("low"), score.get("high")
    digits = max(0, digits - len(f"{abs(score['value']):.0f}")) if abs(score["value"]) >= 10 else digits
    around = "" if low is None or high is None else f" ({low:.{digits}f}\u2013{high:.{digits}f})"
    return f"{score['value']:.{digits}f}{around}"
