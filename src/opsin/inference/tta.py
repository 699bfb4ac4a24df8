"""An image shown several times, mirrored and turned, and what a network says of the views on average."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

VIEWS = {"none": 1, "mirror": 2, "any": 8}  # as `opsin.data.images.Symmetry`: how many views there are


def count_views(symmetry: str, height: int, width: int) -> int:
    """Return how many views of an image there are: of one that is not square, those without quarter turns."""
    return min(VIEWS[symmetry], 8 if height == width else 4)


def show(images: Tensor, number: int) -> Tensor:
    """Return one view of images ``(N, C, H, W)``.

    Args:
        images: They are square where ``number`` is 4 or more.
        number: 0: as they are; 1: mirrored left to right; 2: turned by half; 3: both; 4 to 7: and by a quarter.
    """
    if number >= 4:
        images = torch.rot90(images, 1, dims=(2, 3))
    if number % 4 >= 2:
        images = torch.rot90(images, 2, dims=(2, 3))
    return images.flip(3) if number % 2 else images


def show_back(maps: Tensor, number: int) -> Tensor:
    """Bring maps ``(N, C, H, W)`` of a view, as `show` gives it, back to where the image has them."""
    maps = maps.flip(3) if number % 2 else maps
    if number % 4 >= 2:
        maps = torch.rot90(maps, 2, dims=(2, 3))
    return torch.rot90(maps, -1, dims=(2, 3)) if number >= 4 else maps


class Views(nn.Module):
    """A network that is shown several views of each image.

    Args:
        network: Maps images ``(N, C, H, W)`` to outputs ``(N, …)``.
        number: How many views, the image itself first.
        average: Where outputs are maps ``(N, C, H, W)``, they are brought back to the image's own view first. Returns
            outputs ``(N, …)`` that say what outputs ``(number, N, …)`` say on average.
    """

    def __init__(self, network: nn.Module, number: int, average: Callable[[Tensor], Tensor]):
        super().__init__()
        self.module = network
        self.number = number
        self.average = average

    def forward(self, images: Tensor) -> Tensor:
        """Return outputs ``(N, …)`` of images ``(N, C, H, W)``."""
        outputs = [self.module(show(images, number)) for number in range(self.number)]
        if outputs[0].ndim == images.ndim:
            outputs = [show_back(maps, number) for number, maps in enumerate(outputs)]
        return self.average(torch.stack(outputs))
