"""Formatting of numbers for reports."""

from __future__ import annotations

import math
import re
from datetime import datetime

from markupsafe import Markup, escape


def score(value: float | None) -> str:
    """Format a score with three decimals, None as "–".

    >>> score(0.97444), score(None), score(12.3456)
    ('0.974', '–', '12.35')
    """
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.4g}"


def interval(low: float | None, high: float | None) -> str:
    """Format an interval with an en dash, None as "".

    >>> interval(0.966, 0.9814)
    '0.966–0.981'
    """
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        return ""
    return f"{score(low)}–{score(high)}"


def percent(part: float | None, decimals: int = 1) -> str:
    r"""Format a fraction in percent with a no-break space; never round to 100 or 0.

    >>> percent(0.97444), percent(0.99999), percent(1.0), percent(0.0001, 0)
    ('97.4\xa0%', '>99.9\xa0%', '100\xa0%', '<1\xa0%')
    """
    if part is None or not math.isfinite(part):
        return "–"
    step = 10.0**-decimals
    if 0 < part < 1 and round(100 * part, decimals) == 100:
        return f">{100 - step:.{decimals}f}\xa0%"
    if 0 < part < 1 and round(100 * part, decimals) == 0:
        return f"<{step:.{decimals}f}\xa0%"
    return f"{100 * part:.0f}\xa0%" if part in (0, 1) else f"{100 * part:.{decimals}f}\xa0%"


def threshold(part: float) -> str:
    r"""Format a probability threshold in percent, with three digits of the distance to 0 or 1.

    >>> threshold(0.5), threshold(0.001243), threshold(0.99973), threshold(1.0), threshold(1.1)
    ('50\xa0%', '0.124\xa0%', '99.973\xa0%', '100\xa0%', 'above\xa0all')
    """
    if part > 1:
        return "above\xa0all"
    left = 100 * min(part, 1 - part)
    decimals = max(0, min(2 - math.floor(math.log10(left)), 9)) if left > 0 else 0
    text = f"{100 * part:.{decimals}f}"
    return f"{text.rstrip('0').rstrip('.') if '.' in text else text}\xa0%"


def count(number: float | None) -> str:
    """Format a count with thousands separators.

    >>> count(21578), count(None)
    ('21,578', '–')
    """
    return "–" if number is None or not math.isfinite(number) else f"{number:,.0f}"


def magnitude(number: float | None) -> str:
    """Format a large number with three digits and a word.

    >>> magnitude(3_413_024), magnitude(12_345), magnitude(950)
    ('3.41 million', '12.3 thousand', '950')
    """
    if number is None:
        return "–"
    for start, unit, word in (
        (1e12, 1e12, "trillion"),
        (1e9, 1e9, "billion"),
        (1e6, 1e6, "million"),
        (1e4, 1e3, "thousand"),
    ):
        if number >= start:
            return f"{number / unit:.3g} {word}"
    return f"{number:,.0f}"


def duration(seconds: float | None) -> str:
    """Format a duration in its two largest units.

    >>> duration(4.26), duration(75), duration(7260)
    ('4.3 seconds', '1 min 15 s', '2 h 1 min')
    """
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} seconds"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60)} min"


def moment(text: str) -> str:
    """Format an ISO 8601 time as date and time of day.

    >>> moment("2026-11-22T04:45:11+00:00")
    '22 November 2026, 04:45 UTC'
    """
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{time.day} {time:%B %Y, %H:%M}{' UTC' if time.utcoffset() is not None and not time.utcoffset() else ''}"


def number_of(number: int, one: str, many: str = "") -> str:
    """Format a count with its noun.

    >>> number_of(1, "image"), number_of(2, "class", "classes")
    ('1 image', '2 classes')
    """
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def marked(text: str) -> Markup:
    """Convert backticks to ``<code>`` and escape everything else.

    >>> marked("`--test 0.3` locks <more> away")
    Markup('<code>--test 0.3</code> locks &lt;more&gt; away')
    """
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))
