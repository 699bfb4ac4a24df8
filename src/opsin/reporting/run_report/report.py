"""The report of a run: one HTML file that holds everything it shows."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from opsin.reporting import formats
from opsin.reporting.run_report.page import LARGEST, Page, network_facts, training_facts
from opsin.reporting.task import report_of
from opsin.runs.folder import RunFolder
from opsin.storage.atomic import write_text

HOME = "opsin.reporting"
FRAME = 100_000  # bytes of the page around its sections, more than styles, scripts and headline take


def write_report(run: RunFolder, path: Path | None = None, *, anonymous: bool = False) -> Path:
    """Write ``report.html`` from what the run folder holds.

    The file is below 5 MB, loads nothing from anywhere, and the same folder gives the same bytes. What the run has not
    come to yet is left out.

    Args:
        run: Finished or not.
        path: The file; left out, ``report.html`` in the run folder.
        anonymous: Leave out the names of files, folders, groups, columns and machines, and the notes, which may hold
            such names. Class names stay.

    Returns:
        The path of the report.

    Raises:
        RunError: The folder is no run, or one of its files is damaged.
    """
    path = path or run.path / "report.html"
    write_text(path, render_report(run, anonymous=anonymous))
    return path


def render_report(run: RunFolder, *, anonymous: bool = False) -> str:
    """Return the report as HTML text; see `write_report`."""
    page = Page.read(run, anonymous=anonymous)
    environment = create_environment(*dict.fromkeys(section.templates for section in report_of(run.task).sections))
    sections = _render_sections(environment, page)
    names = [section["anchor"] for section in sections]
    script = _joined(environment, "js", names)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return environment.get_template("report.html").render(
        _head(page),
        sections=sections,
        style=Markup(_joined(environment, "css", names)),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
    )


def _render_sections(environment: jinja2.Environment, page: Page) -> list[dict[str, Any]]:
    """Render the sections that have something to show; the gallery last, which fills the room that the others leave."""
    room = LARGEST - FRAME
    rendered = {}
    sections = report_of(page.run.task).sections
    for section in sorted(sections, key=lambda section: section.anchor in ("gallery", "masks")):
        facts = section.facts(replace(page, room=room))
        if facts is not None:
            template = environment.get_template(f"sections/{section.anchor}.html")
            rendered[section.anchor] = template.render(facts, anonymous=page.anonymous)
            room -= len(rendered[section.anchor].encode())
    return [
        {"anchor": section.anchor, "title": section.title, "html": Markup(rendered[section.anchor])}
        for section in sections
        if section.anchor in rendered
    ]


def _joined(environment: jinja2.Environment, kind: str, names: Sequence[str]) -> str:
    """Return the page's own styles or script and those of some sections; scripts keep their variables to themselves."""
    there = set(environment.list_templates(extensions=[kind]))
    assert environment.loader is not None
    source = environment.loader.get_source
    own = [source(environment, path)[0] for name in names if (path := f"sections/{name}.{kind}") in there]
    blocks = [f"{{\n{text}}}\n" for text in own] if kind == "js" else own
    return "".join([source(environment, f"report.{kind}")[0], *blocks])


def create_environment(*packages: str) -> jinja2.Environment:
    """Return the templates of this package and of others, with our number formats; all values are escaped.

    Args:
        packages: Further packages with a folder ``templates``: the rooms of tasks.
    """
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([jinja2.PackageLoader(name) for name in dict.fromkeys((HOME, *packages))]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(
        score=formats.score,
        percent=formats.percent,
        count=formats.count,
        magnitude=formats.magnitude,
        duration=formats.duration,
        moment=formats.moment,
        marked=formats.marked,
    )
    environment.globals.update(interval=formats.interval, number_of=formats.number_of)
    return environment


def _head(page: Page) -> dict[str, Any]:
    """Return what stands above the sections: the headline with the main score, and how far the run came."""
    run, info = page.run, page.run.info
    data, card = info.get("data", {}), run.scorecard
    split = "test" if card.get("test") else "validation"
    name = "" if page.anonymous else data.get("name", "")
    score = card.get(split, {}).get(page.task.main_metric)
    return {
        "version": info.get("opsin", ""),
        "anonymous": page.anonymous,
        "created": info.get("created", ""),
        "title": name or (page.task.title if page.anonymous else run.name),
        "subject": _subject(page),
        "scored_split": split,
        "score": score,
        "head": report_of(run.task).headline(page, score, split) if score else None,
        "training": training_facts(run),
        "run_path": "RUN" if page.anonymous else shlex.quote(str(run.path)),
    }


def _subject(page: Page) -> str:
    """Return one line on what was trained on what."""
    network = network_facts(page.run, anonymous=page.anonymous) or {}
    images = page.run.info.get("data", {}).get("images")
    parts = []
    if page.classes:
        one, many = page.task.outputs
        parts.append(formats.number_of(len(page.classes), one, many) if one else page.classes[0])
    if images:
        parts.append(formats.number_of(images, "image"))
    if network.get("name"):
        parameters = network.get("parameters")
        parts.append(network["name"] + (f" with {formats.magnitude(parameters)} parameters" if parameters else ""))
    return " · ".join(parts)
