"""Heat maps: pixels that the predictions depend on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.reporting.formats import number_of, percent
from opsin.reporting.run_report.gallery import PIXEL_ART, encode
from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.pictures import overlay
from opsin.reporting.run_report.questions import Words
from opsin.reporting.task import report_of

# Title and meaning; {supports} and {score} are the words of the task (`opsin.reporting.questions`).
METHODS = {
    "saliency": (
        "Saliency",
        "Absolute gradient of the output by each pixel (maximum over its channels). It shows where details matter, not "
        "in which direction (Simonyan et al. 2014).",
    ),
    "integrated_gradients": (
        "Integrated gradients",
        "Gradients integrated along the path from a uniform image (mean color of the training images) to this image. "
        "The values of all pixels sum to the difference between the two outputs, so each pixel has a signed share in "
        "it (Sundararajan et al. 2017).",
    ),
    "grad_cam": (
        "Grad-CAM",
        "Last feature map of the network, its channels weighted by their gradients. It shows regions rather than "
        "details, and only what {supports} (Selvaraju et al. 2017).",
    ),
    "occlusion": (
        "Occlusion",
        "Squares of the image are covered one at a time. Orange: {score} falls when this region is covered, so it "
        "{supports}. Blue: it rises (Zeiler and Fergus 2014).",
    ),
}


def facts(page: Page) -> dict[str, Any] | None:
    """Return the images with their heat maps; None if not computed, or computed for another gallery."""
    told = page.run.attributions
    if page.predicted is None or not told:
        return None
    stored = page.run.arrays("attributions.npz", "rows", "images", "targets", "maps")
    if not len(stored["rows"]) or stored["rows"].max() >= len(page.predicted):
        return None
    rows, targets = stored["rows"], stored["targets"]
    report = report_of(page.run.task)
    questions = report.questions(page.predicted, rows, targets, page.classes)
    captions = report.captions(page.predicted, rows, page.classes)
    words = {"supports": questions.supports, "score": questions.score}
    methods = [
        {
            "name": name,
            "title": METHODS[name][0],
            "meaning": METHODS[name][1].format(**words),
            "signed": name in told["signed"],
        }
        for name in told["methods"]
    ]
    seen = told["feature_map"]
    return {
        "images": [
            {
                "caption": caption,
                "name": "" if page.anonymous else page.predicted.names[rows[number]],
                **_maps(stored, number, methods, asked),
            }
            for number, (caption, asked) in enumerate(zip(captions.each, questions.each, strict=True))
        ],
        "questions": questions,
        "worst": told["worst"],
        "best": told["images"] - told["worst"],
        "methods": methods,
        "left_out": [f"{METHODS[name][0]} is not available: {reason}" for name, reason in told["left_out"].items()],
        "settings": f"Integrated gradients uses {told['steps']} steps; occlusion covers {told['window'][0]} × "
        f"{told['window'][1]} of {told['size'][0]} × {told['size'][1]} pixels at a time"
        + (f"; Grad-CAM has a resolution of {seen['height']} × {seen['width']}." if seen else "."),
        "border": _border(told["border"]),
    }


def _maps(
    stored: dict[str, NDArray[Any]], number: int, methods: list[dict[str, Any]], asked: Sequence[Words]
) -> dict[str, Any]:
    """Return one image and its heat maps, a row per explained output."""
    image = stored["images"][number]
    source, width, height = encode(image)
    explained = []
    for place, question in zip(np.flatnonzero(stored["targets"][number] >= 0), asked, strict=True):
        maps = [
            encode(overlay(image, stored["maps"][number, place, index], signed=method["signed"]))[0]
            for index, method in enumerate(methods)
        ]
        explained.append({"question": question, "text": "".join(piece for piece, _ in question), "maps": maps})
    return {
        "source": source,
        "width": width,
        "height": height,
        "tiny": max(width, height) <= PIXEL_ART,
        "explained": explained,
    }


def _border(border: dict[str, Any]) -> str:
    """Return a sentence on the fraction of the attribution along the image border."""
    parts = [
        f"{percent(float(np.mean(border['shares'][name])), 0)} ({METHODS[name][0].lower()})"
        for name in ("integrated_gradients", "occlusion")
        if border["shares"].get(name)
    ]
    if not parts:
        return ""
    number = len(next(iter(border["shares"].values())))
    return (
        f"Border: the outermost {percent(border['width'], 0)} along each side are {percent(border['area'], 0)} of "
        f"the area. On {number_of(number, 'image')} shown here they hold {' and '.join(parts)} of the attribution."
    )
