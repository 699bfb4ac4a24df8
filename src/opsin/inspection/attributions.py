"""Inspection ``attributions``: heat maps of some gallery images of test, which is already scored.

Writes ``attributions.npz`` (``rows`` int64 ``(K,)`` of ``predictions-test.csv``; ``images`` uint8 ``(K, h, w, C)``;
``targets`` int64 ``(K, 2)``, the outputs that are explained, see `opsin.evaluation.explained`; ``maps`` uint8
``(K, 2, M, h, w)``, see `smoothed` and `encode`; ``scales`` float32 ``(K, 2, M)``) and ``attributions.json`` (settings
of the methods, and the fraction of attribution along the border).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from opsin.data.images import TEST, TRAIN
from opsin.data.preprocessing import channel_statistics
from opsin.errors import NetworkError
from opsin.evaluation.task import evaluation_of
from opsin.inspection import Subject
from opsin.inspection.attribution_methods import (
    BORDER,
    METHODS,
    SIGNED,
    attribute,
    border_share,
    find_feature_map,
    occlusion_window,
)
from opsin.runs.folder import RunFolder

LARGEST = 112  # pixels; the longer side of the maps that are kept
PIXELWISE = frozenset({"saliency", "integrated_gradients"})
SMOOTH = 1 / 64  # of the longer side; in larger images single pixels of these maps would not be visible
CUT = 98.0  # percentile of a map's absolute values that is drawn in full color
BUDGET = 2e11  # multiply-adds, about twenty seconds on one core


class Effort(NamedTuple):
    """Amount of computation.

    Attributes:
        worst: Number of images from the worst end of the gallery.
        best: Number of images from its best end.
        steps: Steps of integrated gradients.
        windows: Windows of occlusion along each side.
    """

    worst: int
    best: int
    steps: int
    windows: int

    @property
    def passes(self) -> int:
        """Maximum number of forward passes of one image; a backward pass counts as two."""
        classes = 2 * self.worst + self.best
        return classes * (3 + 3 + 3 * self.steps + self.windows**2)


EFFORTS = (Effort(8, 4, 32, 10), Effort(8, 4, 20, 8), Effort(8, 4, 10, 6), Effort(6, 2, 8, 5), Effort(4, 2, 8, 4))


def inspect(folder: RunFolder, subject: Subject) -> None:
    """Explain the worst and the best images of the gallery; nothing is written without a gallery of test."""
    stored, _ = folder.thumbnails(TEST)
    if not len(stored):
        return
    effort = choose_effort(int(folder.info.get("network", {}).get("macs") or 0))
    rows = _ends(stored, effort)
    tested = folder.predicted(TEST)
    targets = evaluation_of(folder.task).explained(tested.targets, tested.predictions, rows)
    image, place = np.nonzero(targets >= 0)  # one explanation for each image and output

    pixels = subject.pixels[torch.from_numpy(subject.rows[TEST][rows])]
    network, device = subject.predictor.network, subject.predictor.device
    inputs = subject.predictor.preprocessing.standardize(pixels.to(device))
    baseline = _mean_color(subject).to(device)
    methods, left_out, seen = _possible_methods(subject, inputs)
    found: dict[str, NDArray[np.float32]] = {}
    for number, method in enumerate(methods):
        subject.progress(number, len(methods))
        found |= attribute(
            network,
            inputs[image],
            torch.from_numpy(targets[image, place]).to(device),
            [method],
            baseline=baseline,
            steps=effort.steps,
            windows=effort.windows,
        )
    subject.progress(len(methods), len(methods))

    shown = np.stack([shrink(one.numpy()) for one in pixels])
    maps = np.zeros((len(rows), 2, len(methods), *shown.shape[1:3]), np.uint8)
    scales = np.zeros(maps.shape[:3], np.float32)
    for number, method in enumerate(methods):
        for which, value in zip(zip(image, place, strict=True), found[method], strict=True):
            small = shrink((smoothed(value) if method in PIXELWISE else value)[..., None])[..., 0]
            maps[(*which, number)], scales[(*which, number)] = encode(small, signed=method in SIGNED)
    folder.write_arrays("attributions.npz", rows=rows, images=shown, targets=targets, maps=maps, scales=scales)
    windows = [occlusion_window(side, effort.windows)[0] for side in inputs.shape[2:]]
    folder.write(
        "attributions.json",
        {
            "images": len(rows),
            "worst": min(effort.worst, len(rows)),
            "methods": list(methods),
            "signed": [method for method in methods if method in SIGNED],
            "left_out": left_out,
            "feature_map": seen,
            "steps": effort.steps,
            "window": windows,
            "size": list(inputs.shape[2:]),
            "border": _border({method: maps[place == 0] for method, maps in found.items()}),
        },
    )


def choose_effort(macs: int, budget: float = BUDGET) -> Effort:
    """Return the largest effort within a budget of multiply-adds, else the smallest.

    Args:
        macs: Multiply-adds of one image; 0 if unknown.
        budget: Total multiply-adds.
    """
    return next((effort for effort in EFFORTS if effort.passes * macs <= budget), EFFORTS[-1])


def encode(values: NDArray[np.float32], *, signed: bool) -> tuple[NDArray[np.uint8], float]:
    """Encode a map as bytes: 0 to 255 for 0 to its scale; if signed, 1 to 255 for -scale to scale, 128 for 0.

    Args:
        values: float32 ``(H, W)``.
        signed: Whether it is signed.

    Returns:
        uint8 ``(H, W)``, and the scale: the 98th percentile of the absolute values.
    """
    scale = float(np.percentile(np.abs(values), CUT)) or float(np.abs(values).max())
    part = np.clip(values / scale, -1, 1) if scale else np.zeros_like(values)
    return np.rint(128 + 127 * part if signed else 255 * part).astype(np.uint8), scale


def smoothed(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Smooth a map by a Gaussian of 1/64 of the longer side; its sum is unchanged.

    Images of up to 64 pixels, whose pixels are visible, are not smoothed.
    """
    from scipy.ndimage import gaussian_filter

    deviation = SMOOTH * max(values.shape)
    return gaussian_filter(values, deviation, mode="reflect") if deviation > 1 else values


def shrink(pixels: NDArray[Any]) -> NDArray[Any]:
    """Resize uint8 or float32 ``(H, W, C)`` to at most 112 pixels along the longer side, antialiased."""
    height, width = pixels.shape[:2]
    factor = max(height, width) / LARGEST
    if factor <= 1:
        return pixels
    size = (max(1, round(width / factor)), max(1, round(height / factor)))
    channels = [
        Image.fromarray(pixels[..., channel]).resize(size, Image.Resampling.BILINEAR)
        for channel in range(pixels.shape[2])
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def _ends(rows: NDArray[np.int64], effort: Effort) -> NDArray[np.int64]:
    """Return the worst and the best images of the gallery, which is sorted from worst to best."""
    best = rows[max(min(effort.worst, len(rows)), len(rows) - effort.best) :]
    return np.concatenate([rows[: effort.worst], best])


def _mean_color(subject: Subject) -> torch.Tensor:
    """Return the mean color of the training images, normalized, ``(C, 1, 1)``."""
    preprocessing = subject.predictor.preprocessing
    mean, _ = channel_statistics(subject.pixels, torch.from_numpy(subject.rows[TRAIN]), limit=1_000)
    color = torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1)
    return preprocessing.normalize(color)[0]


def _possible_methods(
    subject: Subject, inputs: torch.Tensor
) -> tuple[tuple[str, ...], dict[str, str], dict[str, object] | None]:
    """Return the methods that apply to the network, why others do not, and the feature map of Grad-CAM."""
    try:
        seen = find_feature_map(subject.predictor.network, inputs[:1])
    except NetworkError as error:
        return tuple(method for method in METHODS if method != "grad_cam"), {"grad_cam": str(error)}, None
    return METHODS, {}, {"name": seen.name, "height": seen.height, "width": seen.width}


def _border(maps: dict[str, NDArray[np.float32]]) -> dict[str, object]:
    """Return the fraction along the border of each method's maps of the first explained output."""
    shares, area = {}, 0.0
    for method, values in maps.items():
        share, area = border_share(values)
        shares[method] = [round(float(value), 4) for value in share[np.isfinite(share)]]
    return {"width": BORDER, "area": round(area, 4), "shares": shares}
