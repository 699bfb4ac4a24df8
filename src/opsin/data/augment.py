"""Random variation of training images: a whole batch at once, each image its own way, on the device.

All geometric changes of an image are composed into one grid of positions and sampled once, so that a batch pays for
one interpolation however many transformations are on; masks are sampled at the same positions. All changes of color are
one more pass.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

import torch
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from opsin.data.targets.base import Motion
from opsin.recipe.schema import AugmentationRecipe

GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma
ELASTIC_NODES = 5  # in each direction; each moves by itself and the pixels between them follow smoothly


class Moves(Protocol):
    """Anything that follows the pixels of a batch; see `opsin.data.targets.EncodedTargets.move`."""

    def move(self, motion: Motion) -> Self:
        """Return what it becomes when the images are moved."""


class _Still:
    """Nothing: images without targets."""

    def move(self, motion: Motion) -> Self:
        return self


MovesT = TypeVar("MovesT", bound=Moves)


@dataclass(frozen=True)
class Augmentation:
    """Vary images by the ranges of a recipe.

    The randomness is torch's default CPU generator's: seed it and the same images come out.

    Args:
        recipe: A resolved recipe; every range is multiplied by its ``strength``.
    """

    recipe: AugmentationRecipe

    @property
    def active(self) -> bool:
        """Whether any transformation is on."""
        return self._geometric or self._photometric or self._range("erase") > 0

    @property
    def _geometric(self) -> bool:
        names = ("horizontal_flip", "vertical_flip", "quarter_turns", "rotation", "shift", "scale", "shear", "elastic")
        return any(self._range(name) > 0 for name in names)

    @property
    def _photometric(self) -> bool:
        return any(self._range(name) > 0 for name in ("brightness", "contrast", "saturation", "noise"))

    def _range(self, name: str) -> float:
        value = (getattr(self.recipe, name) or 0.0) * self.recipe.strength
        probability = name in ("horizontal_flip", "vertical_flip", "quarter_turns")
        # A probability is not made larger than the recipe says: a mirror image half of the time stays half.
        return min(value, getattr(self.recipe, name) or 0.0) if probability else value

    def __call__(self, images: Tensor) -> Tensor:
        """Vary a batch.

        Args:
            images: float32 ``(N, C, H, W)`` in [0, 1].

        Returns:
            A batch of the same shape and range, laid out channels-last.
        """
        return self.together(images, _Still())[0]

    def together(self, images: Tensor, targets: MovesT) -> tuple[Tensor, MovesT]:
        """Vary a batch of images and their targets: both by the same geometry, colors of images alone.

        Args:
            images: float32 ``(N, C, H, W)`` in [0, 1].
            targets: Of the same N images; `EncodedTargets.move` says how they follow the pixels.

        Returns:
            Both in the same shape and range, the images laid out channels-last.
        """
        if self._geometric:
            number, _, height, width = images.shape
            maps = self.sample_maps(number, height, width).to(images.device)
            grid = grid_of(maps, height, width)
            if self._range("elastic") > 0:
                grid = grid + self.sample_displacements(number, height, width, images.device)
            images = sample(images, grid)
            targets = targets.move(Motion(maps, grid))
        if self._photometric:
            images = self._change_colors(images)
        if self._range("erase") > 0:
            images = self._erase(images)
        return images.contiguous(memory_format=torch.channels_last), targets

    def sample_maps(self, number: int, height: int, width: int) -> Tensor:
        """Draw one affine map for each image.

        Returns:
            float32 ``(number, 2, 3)`` in the convention of `torch.nn.functional.affine_grid`: output to input position.
        """
        random = torch.rand(8, number) * 2 - 1  # one draw for all parameters; values in [-1, 1)
        angle = random[0] * math.radians(min(self._range("rotation"), 180))
        turns = torch.floor((random[1] + 1) * 1.5) + 1  # 1, 2 or 3 quarter turns
        turns = torch.full_like(turns, 2) if height != width else turns
        angle = angle + torch.where(self._chance(number, "quarter_turns"), turns * (math.pi / 2), 0)
        zoom = (1 + self._range("scale")) ** -random[2]
        shear = torch.tan(random[3] * math.radians(min(self._range("shear"), 60)))
        mirror_x = torch.where(self._chance(number, "horizontal_flip"), -zoom, zoom)
        mirror_y = torch.where(self._chance(number, "vertical_flip"), -zoom, zoom)
        cosine, sine, aspect = torch.cos(angle), torch.sin(angle), height / width
        # Rotation · shear · zoom in pixels, brought to coordinates in which each side spans [-1, 1].
        maps = torch.empty(number, 2, 3)
        maps[:, 0, 0] = cosine * mirror_x
        maps[:, 0, 1] = (cosine * shear - sine) * mirror_y * aspect
        maps[:, 1, 0] = sine * mirror_x / aspect
        maps[:, 1, 1] = (sine * shear + cosine) * mirror_y
        maps[:, :, 2] = (random[4:6] * 2 * self._range("shift")).T
        return maps

    def sample_displacements(self, number: int, height: int, width: int, device: torch.device) -> Tensor:
        """Draw one elastic deformation for each image (Simard et al. 2003; Ronneberger et al. 2015).

        The nodes of a coarse grid are displaced by normally distributed steps, with bicubic interpolation between them.

        Returns:
            float32 ``(number, height, width, 2)``, what is added to positions in which each side spans [-1, 1].
        """
        nodes = torch.randn(number, 2, ELASTIC_NODES, ELASTIC_NODES) * (2 * self._range("elastic"))
        moved = interpolate(nodes.to(device), (height, width), mode="bicubic", align_corners=True)
        return moved.movedim(1, -1)

    def _chance(self, number: int, name: str) -> Tensor:
        probability = self._range(name)
        return torch.rand(number) < probability if probability > 0 else torch.zeros(number, dtype=torch.bool)

    def _change_colors(self, images: Tensor) -> Tensor:
        """Change brightness, contrast and saturation by one matrix for each image, then add noise."""
        number, channels = images.shape[:2]
        random = (torch.rand(4, number) * 2 - 1).to(images.device).view(4, number, 1, 1)
        planes = images.contiguous().view(number, channels, -1)
        contrast = 1 + random[0] * min(self._range("contrast"), 1)
        mean = planes.mean(dim=(1, 2), keepdim=True)
        shift = mean * (1 - contrast) + random[1] * self._range("brightness")
        if self._range("saturation") > 0 and channels == 3:
            saturation = 1 + random[2] * self._range("saturation")
            grey = torch.tensor(GREY, device=images.device).expand(3, 3)
            # The grey value's weights sum to 1, so that the same shift of all channels comes after as well as before.
            matrix = contrast * (saturation * torch.eye(3, device=images.device) + (1 - saturation) * grey)
            changed = torch.baddbmm(shift, matrix, planes)
        else:
            changed = torch.addcmul(shift, planes, contrast)
        if self._range("noise") > 0:
            changed.addcmul_(torch.randn_like(changed), (random[3] + 1) / 2 * self._range("noise"))
        return changed.clamp_(0, 1).view(images.shape)

    def _erase(self, images: Tensor) -> Tensor:
        """Blank a square with the image's mean (cutout, DeVries and Taylor 2017)."""
        number, _, height, width = images.shape
        side = min(self._range("erase"), 0.9)
        center = torch.rand(2, number, 1).to(images.device)
        rows = (torch.arange(height, device=images.device) / height - center[0]).abs() < side / 2
        columns = (torch.arange(width, device=images.device) / width - center[1]).abs() < side / 2
        blank = (rows[:, :, None] & columns[:, None, :])[:, None]
        return torch.where(blank, images.mean(dim=(2, 3), keepdim=True), images)


def warp(images: Tensor, maps: Tensor, mode: str = "bilinear") -> Tensor:
    """Apply an affine map to each image; what lies outside is the reflected image.

    Args:
        images: float ``(N, C, H, W)``.
        maps: float32 ``(N, 2, 3)``, output to input position, each side spanning [-1, 1].
        mode: "bilinear", or "nearest" for masks of class numbers.
    """
    return sample(images, grid_of(maps, *images.shape[2:]), mode)


def grid_of(maps: Tensor, height: int, width: int) -> Tensor:
    """Return where each pixel of a map's output comes from, float32 ``(N, height, width, 2)``, x before y."""
    x, y = ((2 * torch.arange(side, device=maps.device) + 1) / side - 1 for side in (width, height))
    # As torch's affine_grid, which multiplies a matrix of all positions by each map and takes five times as long.
    maps = maps[:, None]
    rows = torch.addcmul(maps[..., 2], y[:, None], maps[..., 1])
    return torch.addcmul(rows[:, :, None], x[:, None], maps[:, None, ..., 0])


def sample(images: Tensor, grid: Tensor, mode: str = "bilinear") -> Tensor:
    """Return images ``(N, C, H, W)`` at positions as `grid_of` gives them; what lies outside is the reflected image."""
    return grid_sample(images, grid, mode=mode, padding_mode="reflection", align_corners=False)
