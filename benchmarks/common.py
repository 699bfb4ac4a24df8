"""Shared code of the benchmarks: machine, versions, medians with minimum and maximum, Markdown tables."""

from __future__ import annotations

import datetime
import os
import statistics
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version


def machine() -> str:
    """Return one line that says what machine this is; the host's name is not in it."""
    import psutil

    from opsin.runtime.machine import describe_machine

    facts = describe_machine("cpu")
    memory = psutil.virtual_memory().total / 2**30
    return (
        f"{facts['processor']}, {facts['cores']} cores, {memory:.0f} GiB, {facts['system']}, Python {facts['python']}"
    )


def versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those of the packages that this interpreter has."""
    found = {}
    for package in packages:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def limit_cores(cores: int) -> None:
    """Keep this process, and what it starts, on so many cores where the system can do that (Linux)."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:cores])


def thread_limits(cores: int) -> dict[str, str]:
    """Return the environment variables that make numerical libraries use so many threads."""
    names = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS")
    return dict.fromkeys(names, str(cores))


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Return ``median (lowest–highest)``."""
    middle, low, high = statistics.median(values), min(values), max(values)
    return f"{middle:,.{digits}f} ({low:,.{digits}f}–{high:,.{digits}f})"


def mean_spread(values: Sequence[float], digits: int = 3) -> str:
    """Return ``mean (lowest–highest)``."""
    return f"{statistics.fmean(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def ratios(values: Sequence[float], others: Sequence[float]) -> list[float]:
    """Return the ratio of each round: what slows a whole round down cancels out."""
    return [value / other for value, other in zip(values, others, strict=True)]


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table, aligned so that it can be read in a terminal too."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    return "\n".join([line(header), line(["-" * width for width in widths]), *map(line, rows)])


def today() -> str:
    """Return the date, as 2026-01-31."""
    return datetime.date.today().isoformat()
