"""Using a trained network on new images: the same preprocessing and the same path as validation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from opsin.data.images import FileImages
from opsin.data.preprocessing import Preprocessing
from opsin.errors import DataError, UnreadableImageError, unreadable_message
from opsin.inference.ood import Unlikeness
from opsin.inference.predict_images import predict_images, with_views
from opsin.inference.sliding_window import Tiling, probabilities_by_tiles
from opsin.inference.tta import count_views
from opsin.networks.penultimate import entering_head
from opsin.runs.folder import RunFolder
from opsin.runtime.devices import create_fabric
from opsin.storage.safetensors import load_weights
from opsin.tasks.base import Learner, Predictions
from opsin.tasks.registry import task_spec

AT_ONCE = 256  # images decoded before they are predicted, so that any number fits in memory


@dataclass(frozen=True)
class PredictedImages:
    """What the network says of many images.

    Attributes:
        names: What each of the N images is called.
        predictions: Of these N images.
        unlike: float32 ``(N,)``, how unlike the training images each is, from 0; above 1 the rest means little. None
            where the run does not know.
        left_out: Images that could not be read, with the reasons; they are none of the N.
    """

    names: list[str]
    predictions: Predictions
    unlike: NDArray[np.float32] | None
    left_out: dict[str, str]


class Predictor:
    """A run's network and preprocessing, loaded once.

    Args:
        folder: A run that has at least one finished epoch.

    Raises:
        RunError: The run has no weights yet, or they are damaged.
    """

    def __init__(self, folder: RunFolder):
        self.classes = folder.classes
        self.preprocessing = Preprocessing.from_dict(folder.read("preprocessing.json"))
        spec = task_spec(folder.task)
        self.task: Learner = spec.learner(folder.recipe, len(self.classes), fitted=folder.fitted_state)
        self.network: nn.Module = spec.network(folder.recipe, len(self.classes))
        load_weights(folder.path / "best.safetensors", self.network)
        fabric = create_fabric()  # whatever is here, as the run may come from another machine
        self.device = fabric.device
        self.network = fabric.to_device(self.network).to(memory_format=torch.channels_last).eval()
        self.views = folder.recipe.data.tta
        known = folder.path / "unlike.safetensors"
        self.unlikeness = Unlikeness.load(known) if known.exists() else None

    def predict_pixels(self, pixels: torch.Tensor, rows: torch.Tensor) -> Any:
        """Predict preprocessed pixels, uint8 ``(M, H, W, C)``, at ``rows`` (int64 ``(N,)``)."""
        return predict_images(
            self.task, self.network, self.preprocessing, pixels, rows, device=self.device, views=self.views
        )

    def predict(
        self, images: Sequence[str | Path | NDArray[np.uint8]], *, skip_unreadable: bool = False
    ) -> PredictedImages:
        """Predict image files or arrays.

        Args:
            images: Paths, or uint8 arrays ``(H, W)``, ``(H, W, 1)`` or ``(H, W, 3)``.
            skip_unreadable: Leave out images that cannot be read.

        Raises:
            DataError: Images cannot be read, or none of them with ``skip_unreadable``; they are named.
        """
        names: list[str] = []
        parts: list[Any] = []
        unlike: list[NDArray[np.float32]] = []
        left_out: dict[str, str] = {}
        for start in range(0, len(images), AT_ONCE):
            read = []
            for number, image in enumerate(images[start : start + AT_ONCE], start):
                name = str(image) if isinstance(image, str | Path) else f"image {number}"
                try:
                    read.append(self._read(image))
                    names.append(name)
                except UnreadableImageError as error:
                    left_out[name] = error.reason
            if read:
                part, far = self.predict_unlike(torch.from_numpy(np.stack(read)), torch.arange(len(read)))
                parts.append(part)
                unlike += [] if far is None else [far]
        if left_out and not (skip_unreadable and names):
            raise DataError(unreadable_message("predict", left_out, skippable=not skip_unreadable))
        known = None if self.unlikeness is None else np.concatenate([*unlike, np.zeros(0, np.float32)])
        return PredictedImages(names, self.task.join(parts), known, left_out)

    def predict_unlike(self, pixels: torch.Tensor, rows: torch.Tensor) -> tuple[Any, NDArray[np.float32] | None]:
        """Predict as `predict_pixels`, and say how unlike the training images each image is, float32 ``(N,)``."""
        if self.unlikeness is None:
            return self.predict_pixels(pixels, rows), None
        number = count_views(self.views, self.preprocessing.height, self.preprocessing.width)
        with entering_head(self.network, every=number) as features:
            predictions = self.predict_pixels(pixels, rows)
            return predictions, self.unlikeness.score(features().numpy())

    @torch.no_grad()
    def map_classes(self, image: str | Path | NDArray[np.uint8]) -> torch.Tensor:
        """Return how probable each class is in each pixel of the input, float32 ``(classes, height, width)``.

        Args:
            image: As for `predict`; the run is one of segmentation.

        Raises:
            UnreadableImageError: It cannot be read.
        """
        pixels = torch.from_numpy(self._read(image))[None].to(self.device)
        result: torch.Tensor = self._all_views(self.preprocessing.standardize(pixels)).float().softmax(dim=1)[0].cpu()
        return result

    def map_classes_by_tiles(self, pixels: NDArray[np.uint8], tiling: Tiling) -> Iterator[torch.Tensor]:
        """Yield the same at an image's own resolution, some rows at a time; see `probabilities_by_tiles`."""
        return probabilities_by_tiles(self._all_views, self.preprocessing.standardize, pixels, tiling, self.device)

    @property
    def _all_views(self) -> nn.Module:
        return with_views(self.task.name, self.network, self.preprocessing, self.views)

    def _read(self, image: str | Path | NDArray[np.uint8]) -> NDArray[np.uint8]:
        if isinstance(image, str | Path):
            return self.preprocessing.read(FileImages(Path(), [Path(image)]), 0)
        array = np.asarray(image)
        array = array[..., None] if array.ndim == 2 else array
        if array.dtype != np.uint8 or array.ndim != 3 or array.shape[2] not in (1, 3) or not array.size:
            raise DataError(
                "An image given as an array must be uint8 (H, W), (H, W, 1) or (H, W, 3), "
                f"not {array.dtype} {array.shape}."
            )
        return self.preprocessing.fit(array)
