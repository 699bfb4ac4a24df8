"""A section of the report of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from opsin.reporting.run_report.page import Page


class Section(NamedTuple):
    """One section: ``templates/sections/NAME.html`` shows what ``facts`` gives.

    The template sees the keys of the facts and ``anonymous``, and takes ``icon`` and ``measured`` from ``macros.html``;
    the page puts ``<section id="NAME">`` around it. ``NAME.css`` and ``NAME.js`` beside it, where there are any, are
    joined into the page; without the script the section must be complete.

    Attributes:
        anchor: Name of the template, and of the place in the page.
        title: Words of the navigation.
        facts: Returns what the template shows; None leaves the section out.
        templates: The package that holds ``templates/``; the room of a task for its own sections.
    """

    anchor: str
    title: str
    facts: Callable[[Page], dict[str, Any] | None]
    templates: str = "opsin.reporting"
