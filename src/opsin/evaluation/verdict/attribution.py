"""Finding from the heat maps: predictions that depend on the image border, where no subject should be."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from opsin.evaluation.verdict.finding import Finding

# These two measure contributions to the output; gradients and feature maps only hint at them.
METHODS = {"integrated_gradients": "integrated gradients", "occlusion": "occlusion"}
# Attribution on the border, as a multiple of its area. Measured: 0.4 to 1.1 for networks that rely on their subject,
# 1.6 for networks that had learned to read a ruler along one edge.
NOTE, WARNING = 1.25, 1.5
FEWEST = 4  # images


def looking_findings(attributions: dict[str, Any]) -> list[Finding]:
    """Return a finding where the predictions depend on the image border by more than chance.

    Args:
        attributions: ``attributions.json``; empty where the network was not inspected.

    Returns:
        At most one finding, "looks-at-border": a warning where the outer tenth of the sides holds at least 1.5 times
        the attribution expected for its area, a note from 1.25 times.
    """
    border = attributions.get("border", {})
    area, shares = border.get("area", 1.0), border.get("shares", {})
    measured = [np.array(shares[name]) for name in METHODS if len(shares.get(name, [])) >= FEWEST]
    if not measured:
        return []
    images = np.mean([values[: min(map(len, measured))] for values in measured], axis=0)
    mean = float(images.mean())
    # Two standard errors below the mean, the share still has to exceed that of a uniform map.
    if mean < NOTE * area or mean - 2 * float(images.std(ddof=1)) / math.sqrt(len(images)) <= area:
        return []
    told = " and ".join(
        f"{100 * float(np.mean(shares[name])):.0f} % by {title}" for name, title in METHODS.items() if shares.get(name)
    )
    return [
        Finding(
            "looks-at-border",
            "warning" if mean >= WARNING * area else "note",
            f"The predictions depend on the image border: the outermost {100 * border['width']:.0f} % along each "
            f"side hold {100 * mean:.0f} % of the attribution on {100 * area:.0f} % of the area.",
            f"Measured on {len(images)} images of the gallery: {told}.",
            "Look in the heat maps for rulers, text, dark corners or frames that correlate with the prediction; crop "
            "them away and train again.",
        )
    ]
