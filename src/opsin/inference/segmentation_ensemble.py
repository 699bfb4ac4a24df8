"""Several networks that name pixels as one; see `opsin.inference.ensemble`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opsin.inference.ensemble import Ensemble


class SegmentationEnsemble(Ensemble):
    """Networks that each name the pixels of every image; the probabilities of each pixel are averaged.

    Args:
        num_classes: Number of outputs for each pixel.
        in_channels: Channels of the image.
        image_size: (height, width) of the image.
        dropout: Of no meaning; each member has its own.
        members: Of each network its ``name``, and its ``dropout`` and ``options`` where it has any.
        task: Says how members are made and outputs averaged.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        dropout: float = 0.0,
        members: Sequence[Mapping[str, Any]] = ({"name": "conv_deconv"},) * 2,
        task: str = "segmentation",
    ):
        super().__init__(num_classes, in_channels, image_size, dropout, members, task)
