"""Masks of test images, from worst to best: image, truth, prediction, errors."""

from __future__ import annotations

from typing import Any

from opsin.reporting.run_report.gallery import encode
from opsin.reporting.run_report.page import Page
from opsin.reporting.task import report_of
from opsin.tasks.segmentation.drawing import class_colors, strip

LARGEST = 3_000_000  # bytes of all pictures, fewer if the rest of the page needs more
CAPTION = 800  # bytes, more than any
SIDES = (900, 640, 480)  # pixels of the four pictures together


def facts(page: Page) -> dict[str, Any] | None:
    """Return the pictures that fit; None if there are none."""
    rows, images = page.run.thumbnails("test")
    predicted = page.predicted
    if predicted is None or not len(rows):
        return None
    classes, colors = page.classes, class_colors(page.classes)
    truth, found = predicted.targets.values[rows], predicted.predictions.take(rows)
    said = report_of(page.run.task).captions(predicted, rows, classes)
    budget = max(min(LARGEST, page.room - CAPTION * len(rows)), 0)
    strips = [strip(images[place], truth[place], found.labels[place], colors) for place in range(len(rows))]
    encoded = [encode(picture, SIDES[0]) for picture in strips]
    for side in SIDES[1:]:
        if sum(len(source) for source, _, _ in encoded) > budget:
            encoded = [encode(picture, side) for picture in strips]
    shown, taken = [], 0
    for place, (source, width, height) in enumerate(encoded):
        taken += len(source)
        if taken > budget:
            break
        name = "" if page.anonymous else predicted.names[rows[place]]
        shown.append(
            {
                "source": source,
                "width": width,
                "height": height,
                "caption": said.each[place],
                "name": name,
            }
        )
    legend = [
        {"name": name, "color": "#{:02x}{:02x}{:02x}".format(*color)}
        for name, color in zip(classes, colors.tolist(), strict=True)
        if any(color)
    ]
    return (
        {
            "pictures": shown,
            "said": said,
            "total": len(rows),
            "tested": len(predicted),
            "legend": legend,
            "binary": len(classes) == 2,
        }
        if shown
        else None
    )
