"""The report of a run: one HTML file that holds everything it shows."""

from __future__ import annotations

import base64
import hashlib
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jinja2
import tomli_w
from markupsafe import Markup

from opsin.files import write_text
from opsin.reporting import contents, formats, privacy
from opsin.reporting.contents import Predicted
from opsin.reporting.gallery import read_gallery
from opsin.reporting.panels import draw_panels
from opsin.runfolder import RunFolder

LARGEST = 5_000_000  # bytes of the whole file
GALLERY = 3_000_000  # bytes of its pictures, less where the rest needs more

Words = Callable[[str], str]


def write_report(folder: RunFolder | Path, *, anonymous: bool = False) -> Path:
    """Write ``report.html`` from what the run folder holds.

    The file is below 5 MB, loads nothing from anywhere, and the same folder gives the same bytes. What the run has not
    come to yet is left out.

    Args:
        folder: The run, finished or not.
        anonymous: Leave out the names of files, folders, groups, columns and machines, and the notes, which may hold
            such names. Class names stay.

    Returns:
        The path of the report.

    Raises:
        RunError: The folder is no run, or one of its files is damaged.
    """
    run = folder if isinstance(folder, RunFolder) else RunFolder(folder)
    path = run.path / "report.html"
    write_text(path, render_report(run, anonymous=anonymous))
    return path


def render_report(run: RunFolder, *, anonymous: bool = False) -> str:
    """Return the report as HTML text; see `write_report`."""
    environment = create_environment()
    script = _source(environment, "report.js")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    template = environment.get_template("report.html")
    predicted = Predicted.read(run, "test")
    content = gather(run, predicted, anonymous=anonymous) | {
        "script": Markup(script),
        "script_hash": f"sha256-{digest}",
    }
    without_pictures = template.render(content, sections=[], gallery=[], gallery_total=0, gallery_classes=[])
    captions = 1_500 * len(run.thumbnails("test")[0])
    room = min(GALLERY, LARGEST - 50_000 - len(without_pictures.encode()) - captions)
    gallery, total = read_gallery(run, predicted, budget=max(room, 0), anonymous=anonymous)
    shown = {picture.truth for picture in gallery} | {picture.predicted for picture in gallery}
    gallery_classes = [name for name in contents.class_names(run) if name in shown]
    sections = _sections(content, bool(gallery))
    return template.render(
        content, sections=sections, gallery=gallery, gallery_total=total, gallery_classes=gallery_classes
    )


def create_environment() -> jinja2.Environment:
    """Return the templates of this package, with our number formats; whatever they are given is escaped."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("opsin.reporting"),
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
    )
    environment.globals.update(interval=formats.interval, number_of=formats.number_of)
    return environment


def _source(environment: jinja2.Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def gather(run: RunFolder, predicted: Predicted | None, *, anonymous: bool) -> dict[str, Any]:
    """Return everything that the template shows apart from the pictures of the gallery."""
    names = contents.class_names(run)
    words: Words = privacy.Redactor(privacy.names_of(run), names) if anonymous else str
    matrix = predicted.matrix if predicted else None
    rows = contents.class_rows(run, names, matrix)
    card = run.scorecard
    split = "test" if card.get("test") else "validation"
    data = contents.data_facts(run, names, anonymous=anonymous)
    data["split"] = words(data["split"])
    info = run.info
    return {
        "version": info.get("opsin", ""),
        "anonymous": anonymous,
        "created": info.get("created", ""),
        "title": data["name"] or ("Image classification" if anonymous else run.name),
        "subject": _subject(run, data, words, anonymous=anonymous),
        "scored_split": split,
        "accuracy": card.get(split, {}).get("accuracy"),
        "tested": len(predicted.labels) if predicted else 0,
        "baseline": contents.most_common_part(predicted),
        "training": contents.training_facts(run),
        "run_path": "RUN" if anonymous else shlex.quote(str(run.path)),
        "findings": [{key: words(value) for key, value in finding.items()} for finding in contents.findings(run)],
        "data": data,
        "looks": contents.looks_facts(run, anonymous=anonymous),
        "scores": _redacted_scores(contents.score_rows(run, len(names)), words),
        "classes": contents.weakest_classes(rows),
        "hidden_classes": max(0, len(rows) - contents.LISTED_CLASSES),
        "pairs": contents.confused_pairs(matrix, names) if matrix is not None else [],
        "calibration": contents.calibration_facts(predicted, card.get("test", {}).get("accuracy")),
        "throughput": contents.throughput_facts(run),
        "network": _network(run, anonymous=anonymous),
        "commands": _commands(run, anonymous=anonymous),
        "recipe": tomli_w.dumps(privacy.anonymous_recipe(run.recipe)) if anonymous else run.recipe.to_toml(),
        "machine": _machine(run, anonymous=anonymous),
        **draw_panels(run, rows, predicted),
    }


def _subject(run: RunFolder, data: dict[str, Any], words: Words, *, anonymous: bool) -> str:
    """Return one line on what was trained on what."""
    network = _network(run, anonymous=anonymous) or {}
    parts = []
    if data["classes"]:
        parts.append(formats.number_of(data["classes"], "class", "classes"))
    if data["images"]:
        parts.append(formats.number_of(data["images"], "image"))
    if network.get("name"):
        parameters = network.get("parameters")
        parts.append(network["name"] + (f" with {formats.magnitude(parameters)} parameters" if parameters else ""))
    return " · ".join(parts)


def _redacted_scores(rows: list[dict[str, Any]], words: Words) -> list[dict[str, Any]]:
    for row in rows:
        for split in ("test", "validation"):
            if row[split]:
                row[split] = row[split] | {"method": words(row[split].get("method", ""))}
    return rows


def _network(run: RunFolder, *, anonymous: bool) -> dict[str, Any] | None:
    network = run.info.get("network")
    if not network:
        return None
    network = {"weights": "", "macs": None, "input": [], "layers": []} | network
    if anonymous:
        for key in ("name", "weights"):
            network[key] = privacy.anonymous_network(network[key])
    return network


def _commands(run: RunFolder, *, anonymous: bool) -> str:
    path = "RUN" if anonymous else shlex.quote(str(run.path))
    train = "opsin train DATA --recipe recipe.toml" if anonymous else f"opsin train --recipe {path}/recipe.toml"
    return "\n".join(
        (
            "# train it again",
            train,
            "# score it on other labelled images",
            f"opsin evaluate {path} OTHER_IMAGES",
            "# name the classes of new images",
            f"opsin predict {path} IMAGES --out predictions.csv",
        )
    )


def _machine(run: RunFolder, *, anonymous: bool) -> list[tuple[str, Any]]:
    info = run.info
    machine = info.get("machine", {})
    if anonymous:
        machine = privacy.anonymous_machine(machine)
    titles = {
        "device": "Device",
        "device_name": "Device name",
        "processor": "Processor",
        "cores": "Cores",
        "system": "System",
        "python": "Python",
        "torch": "PyTorch",
    }
    shown = [(title, machine[key]) for key, title in titles.items() if machine.get(key) not in (None, "")]
    identity = [("Opsin", info.get("opsin", "")), ("Recipe", info.get("recipe", ""))]
    if not anonymous:
        identity.insert(0, ("Run", run.name))
    fingerprint = info.get("data", {}).get("fingerprint", "")
    return identity + ([("Data fingerprint", fingerprint)] if fingerprint else []) + shown


def _sections(content: dict[str, Any], gallery: bool) -> list[tuple[str, str]]:
    figures = content["figures"]
    sections = (
        ("verdict", "Verdict", content["findings"]),
        ("data", "Data", content["data"]["known"]),
        ("scores", "Scores", content["scores"]),
        ("classes", "Classes", content["classes"]),
        ("confusion", "Confusions", figures["confusion"]),
        ("calibration", "Calibration", figures["reliability"]),
        ("gallery", "Gallery", gallery),
        ("training", "Training", figures["loss"] or content["throughput"]),
        ("network", "Network", content["network"]),
        ("reproduce", "Reproduce", True),
    )
    return [(anchor, name) for anchor, name, there in sections if there]
