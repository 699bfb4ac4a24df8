"""What the heat maps say: whether the answers depend on the margin of the images, where no subject should be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from opsin.evaluation.verdict.finding import Finding

# What these two find is a real part of the answer; gradients and feature maps only hint at it.
METHODS = {"integrated_gradients": "integrated gradients", "occlusion": "occlusion"}
# Shares of the margin, as multiples of its area. Networks that look at their subject were measured at 0.4 to 1.1, those
# that had learned to read a ruler along one edge at 1.6.
NOTE, WARNING = 1.25, 1.5
FEWEST = 4  # images


def looking_findings(attributions: dict[str, Any]) -> list[Finding]:
    """Say that a network looks at the margin, where it does so by more than chance.

    Args:
        attributions: ``attributions.json``; empty where the network was not inspected.

    Returns:
        At most one finding, "looks-at-border": a warning where the outer tenth of the sides holds one and a half times
        the share of its area or more, a note from one and a quarter on.
    """
    border = attributions.get("border", {})
    area, shares = border.get("area", 1.0), border.get("shares", {})
    measured = [np.array(shares[name]) for name in METHODS if len(shares.get(name, [])) >= FEWEST]
    if not measured:
        return []
    images = np.mean([values[: min(map(len, measured))] for values in measured], axis=0)
    mean = float(images.mean())
    # Twice the standard error below it, the share still has to exceed that of a map without preference.
    if mean < NOTE * area or mean - 2 * float(images.std(ddof=1)) / math.sqrt(len(images)) <= area:
        return []
    told = " and ".join(
        f"{100 * float(np.mean(shares[name])):.0f} % by {title}" for name, title in METHODS.items() if shares.get(name)
    )
    return [
        Finding(
            "looks-at-border",
            "warning" if mean >= WARNING * area else "note",
            f"The network looks at the margin: the outermost {100 * border['width']:.0f} % along each side hold "
            f"{100 * mean:.0f} % of what its answers depend on, and only {100 * area:.0f} % of the area.",
            f"Measured on {len(images)} images of the gallery: {told}.",
            "Look at the heat maps for rulers, labels, dark corners or frames that go with the answer; crop them away, "
            "and train again.",
        )
    ]
