"""Heat maps of what the network's answers depend on."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from opsin.reporting.formats import number_of, percent
from opsin.reporting.gallery import PIXEL_ART, encode
from opsin.reporting.page import Page, Predicted
from opsin.reporting.pictures import overlay

# Title and what it shows.
METHODS = {
    "saliency": (
        "Saliency",
        "How steeply the answer changes when a pixel changes a little: the largest absolute gradient of its channels. "
        "It shows where details matter, not whether they speak for or against the class (Simonyan et al. 2014).",
    ),
    "integrated_gradients": (
        "Integrated gradients",
        "The gradients on the way from a picture of one even color, the mean of the training images, to this image, "
        "added up. All pixels together make exactly the difference between the two answers, so each has a share in it, "
        "for or against (Sundararajan et al. 2017).",
    ),
    "grad_cam": (
        "Grad-CAM",
        "The last feature map of the network, weighted by what each of its channels does for the class. It shows "
        "regions, no details, and only what speaks for the class (Selvaraju et al. 2017).",
    ),
    "occlusion": (
        "Occlusion",
        "Squares of the image are covered one after the other. Orange: the answer gets weaker when this place is "
        "covered, so it speaks for the class. Blue: it gets stronger (Zeiler and Fergus 2014).",
    ),
}


def facts(page: Page) -> dict[str, Any] | None:
    """Return the images with their heat maps; None where they were not computed, or for another gallery."""
    told = page.run.attributions
    if page.predicted is None or not told:
        return None
    stored = page.run.arrays("attributions.npz", "rows", "images", "targets", "maps")
    if not len(stored["rows"]) or stored["rows"].max() >= len(page.predicted.labels):
        return None
    methods = [
        {"name": name, "title": METHODS[name][0], "meaning": METHODS[name][1], "signed": name in told["signed"]}
        for name in told["methods"]
    ]
    seen = told["feature_map"]
    return {
        "images": [_image(page, page.predicted, stored, number, methods) for number in range(len(stored["rows"]))],
        "worst": told["worst"],
        "best": told["images"] - told["worst"],
        "methods": methods,
        "left_out": [f"{METHODS[name][0]} is left out: {reason}" for name, reason in told["left_out"].items()],
        "settings": f"Integrated gradients takes {told['steps']} steps, occlusion covers {told['window'][0]} × "
        f"{told['window'][1]} of {told['size'][0]} × {told['size'][1]} pixels at a time"
        + (f", and Grad-CAM sees the image as {seen['height']} × {seen['width']} patches." if seen else "."),
        "border": _border(told["border"]),
    }


def _image(
    page: Page, predicted: Predicted, stored: dict[str, NDArray], number: int, methods: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return one image, what the network said of it, and its heat maps for one class or two."""
    row, image = int(stored["rows"][number]), stored["images"][number]
    truth, guess = int(predicted.labels[row]), int(predicted.result.labels[row])
    source, width, height = encode(image)
    explained = []
    for place, target in enumerate(stored["targets"][number]):
        if target < 0:
            continue
        maps = [
            encode(overlay(image, stored["maps"][number, place, index], signed=method["signed"]))[0]
            for index, method in enumerate(methods)
        ]
        explained.append({"class": page.classes[target], "role": ("predicted", "true")[place], "maps": maps})
    return {
        "truth": page.classes[truth],
        "predicted": page.classes[guess],
        "right": truth == guess,
        "confidence": float(predicted.result.confidence[row]),
        "name": "" if page.anonymous else predicted.names[row],
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
