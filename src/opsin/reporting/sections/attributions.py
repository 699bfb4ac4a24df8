"""Heat maps of what the network's answers depend on."""

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

# Title and what it shows; {supports} and {score} are the words of the task (`opsin.reporting.questions`).
METHODS = {
    "saliency": (
        "Saliency",
        "How steeply the answer changes when a pixel changes a little: the largest absolute gradient of its channels. "
        "It shows where details matter, not in which direction (Simonyan et al. 2014).",
    ),
    "integrated_gradients": (
        "Integrated gradients",
        "The gradients on the way from a picture of one even color, the mean of the training images, to this image, "
        "added up. All pixels together make exactly the difference between the two answers, so each has a share in it, "
        "with its sign (Sundararajan et al. 2017).",
    ),
    "grad_cam": (
        "Grad-CAM",
        "The last feature map of the network, weighted by what each of its channels does for the answer. It shows "
        "regions, no details, and only what {supports} (Selvaraju et al. 2017).",
    ),
    "occlusion": (
        "Occlusion",
        "Squares of the image are covered one after the other. Orange: {score} falls when this place is covered, so "
        "that it {supports}. Blue: it rises (Zeiler and Fergus 2014).",
    ),
}


def facts(page: Page) -> dict[str, Any] | None:
    """Return the images with their heat maps; None where they were not computed, or for another gallery."""
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
        "left_out": [f"{METHODS[name][0]} is left out: {reason}" for name, reason in told["left_out"].items()],
        "settings": f"Integrated gradients takes {told['steps']} steps, occlusion covers {told['window'][0]} × "
        f"{told['window'][1]} of {told['size'][0]} × {told['size'][1]} pixels at a time"
        + (f", and Grad-CAM sees the image as {seen['height']} × {seen['width']} patches." if seen else "."),
        "border": _border(told["border"]),
    }


def _maps(
    stored: dict[str, NDArray], number: int, methods: list[dict[str, Any]], asked: Sequence[Words]
) -> dict[str, Any]:
    """Return one image and its heat maps, a row for each question."""
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
    """Say how much of what matters lies along the edges of the images."""
    parts = [
        f"{percent(float(np.mean(border['shares'][name])), 0)} ({METHODS[name][0].lower()})"
        for name in ("integrated_gradients", "occlusion")
        if border["shares"].get(name)
    ]
    if not parts:
        return ""
    number = len(next(iter(border["shares"].values())))
    return (
        f"A frame of {percent(border['width'], 0)} of the sides is {percent(border['area'], 0)} of an image's area. On "
        f"{number_of(number, 'image')} shown here it holds {' and '.join(parts)} of what matters to the answer."
    )
