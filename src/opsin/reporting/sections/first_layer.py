"""First-layer filters as pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError, safe_open

from opsin.errors import RunError
from opsin.reporting.run_report.gallery import encode
from opsin.reporting.run_report.page import Page
from opsin.reporting.run_report.pictures import enlarge, weight_image
from opsin.runs.folder import RunFolder

SHOWN = 64
SIDE = 48  # pixels of a picture


def facts(page: Page) -> dict[str, Any] | None:
    """Return a picture per filter or unit of the first layer; None if its weights are not pictures."""
    layer = first_layer(page.run)
    if layer is None:
        return None
    name, weights, kind = layer
    strength = np.sqrt((weights.astype(np.float64) ** 2).sum(axis=(1, 2, 3)))
    order = np.argsort(-strength, kind="stable")[:SHOWN]
    return {
        "layer": name,
        "kind": kind,
        "total": len(weights),
        "size": weights.shape[1:3],
        "color": weights.shape[3] == 3,
        "weakest": float(strength[order[-1]] / max(strength[order[0]], 1e-12)),
        "pictures": [_picture(weights[number]) for number in order],
    }


def first_layer(folder: RunFolder) -> tuple[str, NDArray[np.float32], str] | None:
    """Read the weights of the first layer, if the weights of each unit form a picture of more than one pixel.

    Returns:
        Its name, float32 ``(units, H, W, C)`` with C = 1 or 3, and "filter" (of a convolution) or "unit" (fully
        connected). None where there are no weights yet, or the first layer is of another kind.

    Raises:
        RunError: The file of weights is damaged.
    """
    network, path = folder.info.get("network", {}), folder.path / "best.safetensors"
    layers, shape = network.get("layers"), network.get("input")
    if not layers or not shape or not path.exists():
        return None
    name = layers[0]["name"]
    try:
        with safe_open(path, framework="numpy") as file:
            key = f"{name}.weight"
            if key not in file.keys():  # noqa: SIM118 - it is no dict
                return None
            weights = file.get_tensor(key).astype(np.float32)
    except (SafetensorError, OSError, ValueError) as error:
        raise RunError(f"{path} is damaged ({error}); restore it from a copy, or train again.") from None
    if weights.ndim == 4 and weights.shape[1] == shape[0] and min(weights.shape[2:]) > 1:
        kind = "filter"
    elif weights.ndim == 2 and weights.shape[1] == np.prod(shape):
        weights, kind = weights.reshape(-1, *shape), "unit"
    else:
        return None
    return name, weights.transpose(0, 2, 3, 1), kind


def _picture(weights: NDArray[np.float32]) -> dict[str, Any]:
    pixels = weight_image(weights)
    if max(pixels.shape[:2]) > SIDE:
        small = Image.fromarray(pixels)
        small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
        pixels = np.asarray(small)
    source, width, height = encode(enlarge(pixels, SIDE))
    return {"source": source, "width": width, "height": height}
