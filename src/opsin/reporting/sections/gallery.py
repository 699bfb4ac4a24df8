"""Gallery of test images, from worst to best."""

from __future__ import annotations

from typing import Any

from opsin.reporting.run_report.gallery import read_gallery
from opsin.reporting.run_report.page import Page

LARGEST = 3_000_000  # bytes of all pictures, fewer if the rest of the page needs more
CAPTION = 1_500  # bytes, more than any


def facts(page: Page) -> dict[str, Any] | None:
    """Return the pictures that fit; None if there are none."""
    captions = CAPTION * len(page.run.thumbnails("test")[0])
    budget = max(min(LARGEST, page.room - captions), 0)
    gallery, said, total = read_gallery(page.run, page.predicted, budget=budget, anonymous=page.anonymous)
    if page.predicted is None or said is None or not gallery:
        return None
    return {
        "gallery": gallery,
        "total": total,
        "tested": len(page.predicted),
        "said": said,
        "output": page.task.outputs[0].capitalize(),
    }
