"""Page of an audit: the findings in a dataset, and decisions on what to exclude, relabel or keep."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray
from PIL import Image

from opsin.audit.finding import KINDS, ImageFinding
from opsin.reporting.run_report.gallery import encode
from opsin.reporting.run_report.report import create_environment
from opsin.storage.atomic import write_text
from opsin.tasks.registry import task_spec
from opsin.version import __version__

if TYPE_CHECKING:
    from opsin.audit.result import Check

PICTURES = 8_000_000  # bytes of all pictures; with names and captions the page stays below 10 MB
PER_FINDING = 60  # pictures
PER_GROUP = 6
SAMPLES = 24  # pictures of each class to browse, fewer if there are many classes
ALL_SAMPLES = 1_200
SIDE = 112  # pixels of the longer side of a picture
NAMED = 2_000  # images without pictures that a finding still lists by name


@dataclass(frozen=True)
class Tile:
    """A picture on the page.

    Attributes:
        image: Its number among the images named on the page.
        source: The picture as a ``data:`` URL; empty if there is none.
        width: Pixels.
        height: Pixels.
        label: Its class; empty if the image cannot be read.
        detail: Details of the finding.
        name: File name; empty on an anonymous page.
        first: Whether it is the first of a group.
    """

    image: int
    source: str
    width: int
    height: int
    label: str
    detail: str
    name: str
    first: bool = False

    @property
    def tiny(self) -> bool:
        """Whether the picture is so small that single pixels are shown."""
        return max(self.width, self.height) <= 64


def write_check_page(check: Check, path: Path, *, anonymous: bool = False) -> Path:
    """Write the page; see `opsin.audit.result.Check.write_page`."""
    write_text(path, render_check_page(check, anonymous=anonymous))
    return path


def render_check_page(check: Check, *, anonymous: bool = False) -> str:
    """Return the page as HTML text, below 10 MB."""
    album = _Album(check, anonymous)
    findings = [_finding_facts(album, finding) for finding in check.findings]
    samples = list(_sample_facts(album))
    environment = create_environment()
    loader = environment.loader
    assert loader is not None
    styles = ("report.css", "sections/gallery.css", "check.css")
    script = loader.get_source(environment, "check.js")[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    now = datetime.now(UTC).isoformat(timespec="minutes")
    return environment.get_template("check.html").render(
        version=__version__,
        created=now,
        anonymous=anonymous,
        title="Images" if anonymous else check.dataset.name,
        images=len(check.dataset),
        sizes=check.sizes,
        headline=check.headline(),
        classes=_class_facts(check),
        what=check.dataset.describe(),
        outputs=(task_spec(check.dataset.task).outputs[1] or "values").capitalize(),
        findings=findings,
        samples=samples,
        decided=_decided(check, anonymous),
        place="" if anonymous or check.place is None else str(check.place),
        style=Markup("".join(loader.get_source(environment, name)[0] for name in styles)),
        script=Markup(script),
        script_hash=f"sha256-{digest}",
        facts={} if anonymous else _script_facts(check, album),
    )


class _Album:
    """Encoder of pictures up to a total size, and numbering of the images named on the page."""

    def __init__(self, check: Check, anonymous: bool):
        self.check = check
        self.anonymous = anonymous
        self.room = PICTURES
        images = check.dataset.images
        self.rows = {images.name(row): row for row in range(len(images))}
        self.numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """Return the number of an image on this page."""
        return self.numbers.setdefault(name, len(self.numbers))

    def tile(self, name: str, detail: str = "", first: bool = False) -> Tile | None:
        """Return the tile of an image, None if its picture no longer fits."""
        row = self.rows.get(name)
        shown = "" if self.anonymous else name
        if row is None:
            return Tile(self.number(name), "", 0, 0, "", detail, shown, first)
        source, width, height = encode(_upright(self.check.pixels[row], self.check.shapes[row]), SIDE)
        if len(source) > self.room:
            return None
        self.room -= len(source)
        dataset = self.check.dataset
        label = dataset.text(row)
        return Tile(self.number(name), source, width, height, label, "" if self.anonymous else detail, shown, first)


def _upright(pixels: NDArray[np.uint8], shape: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Return a picture in the proportions of its file; it was resized for the comparison."""
    height, width = int(shape[0]), int(shape[1])
    if not (height and width) or pixels.shape[0] * width == pixels.shape[1] * height:
        return pixels
    scale = max(pixels.shape[:2]) / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
    return np.array(image.resize(size, Image.Resampling.BILINEAR)).reshape(size[1], size[0], -1)


def _finding_facts(album: _Album, finding: ImageFinding) -> dict[str, Any]:
    """Return the facts of a finding for the page, with the pictures that fit."""
    tiles: list[Tile] = []
    for name, first in _shown(finding):
        tile = album.tile(name, finding.details.get(name, ""), first)
        if tile is None:
            break
        tiles.append(tile)
    numbers = {name: album.number(name) for name in finding.images}
    rest = [name for name in finding.images if numbers[name] not in {tile.image for tile in tiles}]
    return {
        "kind": finding.kind,
        "title": KINDS[finding.kind],
        "severity": finding.severity,
        "sentence": finding.sentence,
        "advice": finding.advice,
        "tiles": tiles,
        "number": len(finding.images),
        "grouped": bool(finding.groups),
        "rest": [] if album.anonymous else rest[:NAMED],
        "more": len(rest),
    }


def _shown(finding: ImageFinding) -> Iterator[tuple[str, bool]]:
    """Yield the images that get a picture, and whether each is the first of a group."""
    if not finding.groups:
        yield from ((name, False) for name in finding.images[:PER_FINDING])
        return
    shown = 0
    for group in finding.groups:
        if shown + min(len(group), PER_GROUP) > PER_FINDING:
            return
        for place, name in enumerate(group[:PER_GROUP]):
            yield name, place == 0
            shown += 1


def _sample_facts(album: _Album) -> Iterator[dict[str, Any]]:
    """Yield a random sample of pictures of each class, with a fixed seed."""
    dataset = album.check.dataset
    kinds = dataset.kinds()
    number = min(SAMPLES, max(4, ALL_SAMPLES // len(kinds)))
    generator = np.random.default_rng(0)
    share = album.room / max(1, len(kinds))
    for name, members in kinds:
        some = np.sort(generator.choice(members, min(number, len(members)), replace=False))
        left = album.room
        tiles = []
        for row in some.tolist():
            tile = album.tile(dataset.images.name(row)) if left - album.room < share else None
            if tile is not None:
                tiles.append(tile)
        if tiles:
            yield {"name": name, "number": len(members), "tiles": tiles}


def _class_facts(check: Check) -> list[dict[str, Any]]:
    counts = [(name, len(members)) for name, members in check.dataset.kinds()]
    largest = max(1, *(number for _, number in counts))
    return [{"name": name, "number": number, "part": number / largest} for name, number in counts]


def _decided(check: Check, anonymous: bool) -> dict[str, Any] | None:
    """Return the earlier decisions."""
    decisions = check.dataset.decisions
    if decisions is None or not decisions.rows:
        return None
    sentence = decisions.describe()
    return {"sentence": sentence, "rows": [] if anonymous else list(decisions.rows)}


def _script_facts(check: Check, album: _Album) -> dict[str, Any]:
    """Return the data of the page's script: image names, and the images of each finding."""
    findings = [
        {
            "kind": finding.kind,
            "images": [album.number(name) for name in finding.images],
            "groups": [[album.number(name) for name in group] for group in finding.groups],
            "suggestions": {album.number(name): label for name, label in finding.suggestions.items()},
        }
        for finding in check.findings
    ]
    decisions = check.dataset.decisions
    rows = decisions.rows if decisions else ()
    return {
        "classes": list(check.dataset.classes) if task_spec(check.dataset.task).exclusive else [],
        "findings": findings,
        "decided": [[row.image, row.decision, row.label, row.reason] for row in rows],
        "file": check.place.name if check.place else "decisions.csv",
        "names": list(album.numbers),
    }
