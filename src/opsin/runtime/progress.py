"""Progress bars on a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


def decoding(console: Console) -> AbstractContextManager[Callable[[int, int], None]]:
    """Show a progress bar while images are decoded; yields a callback for (steps done, total steps)."""
    return working(console, "reading and comparing images")


@contextmanager
def working(console: Console | None, what: str) -> Iterator[Callable[[int, int], None]]:
    """Show a progress bar on a terminal; yields a callback for (steps done, total steps)."""
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    shown = console is not None and console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not shown) as bar:
        row = bar.add_task(what, total=None, visible=False)

        def show(done: int, total: int) -> None:
            bar.update(row, completed=done, total=total, visible=True)

        yield show
