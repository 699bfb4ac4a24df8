"""Image corruptions, as from another camera, another laboratory or lossy transmission, at five severities each.

After Hendrycks and Dietterich (2019, Benchmarking Neural Network Robustness to Common Corruptions and Perturbations):
networks are measured on common corruptions that were not in training. The amounts are Opsin's: severity 1 is barely
visible, 3 is obvious but leaves the image easy to recognize, 5 is severe. Lengths are fractions of the shorter side, or
of 32 pixels for smaller images, so that they mean the same at every resolution.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import conv2d, interpolate, pad

from opsin.data.augment import GREY, MovesT, grid_of, warp
from opsin.data.targets.base import Motion
from opsin.recipe.schema import AugmentationRecipe

SEVERITIES = (1, 2, 3, 4, 5)
SMALLEST = 32  # pixels; in smaller images, lengths are fractions of this side

# Optical density of hematoxylin, eosin and a third, orthogonal dye in red, green and blue: Ruifrok and Johnston (2001),
# Quantification of Histochemical Staining by Color Deconvolution.
MAX_JPEG_SIDE = 65500  # pixels
STAINS = ((0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78))

# Applies a corruption to float32 images (N, C, H, W) in [0, 1], given the amount, the direction for each image, float
# (N,) in [0, 1), and the generator of its noise. The result may leave [0, 1].
Apply = Callable[[Tensor, float, Tensor, torch.Generator], Tensor]

# Returns the affine maps of images (N, C, H, W) for an amount and directions as above, float32 (N, 2, 3); see `warp`.
Move = Callable[[Tensor, float, Tensor], Tensor]


@dataclass(frozen=True)
class Corruption:
    """One corruption.

    Attributes:
        title: Display name.
        apply: Applies the corruption.
        amounts: Amount at severities 1 to 5; 0 is no change.
        meaning: Description of the amount, with a placeholder for it.
        colored: Whether it applies to color images only.
        learned_by: Augmentations of a recipe that show similar changes in training.
        flag: The training flag that adds it as augmentation; empty if none does.
        move: Returns the affine maps of the pixels, so that targets can be moved with them; None if pixels stay.
    """

    title: str
    apply: Apply
    amounts: tuple[float, float, float, float, float]
    meaning: str
    colored: bool = False
    learned_by: tuple[str, ...] = ()
    flag: str = ""
    move: Move | None = None

    def amount(self, severity: float) -> float:
        """Return the amount at a severity from 0 to 5, linearly interpolated."""
        lower = min(int(severity), 4)
        known = (0.0, *self.amounts)
        return known[lower] + (severity - lower) * (known[lower + 1] - known[lower])

    def seen(self, augmentation: AugmentationRecipe) -> bool:
        """Return whether this augmentation showed similar changes in training."""
        return augmentation.strength > 0 and any(getattr(augmentation, name) for name in self.learned_by)


def corrupt(images: Tensor, name: str, severity: float, *, seed: int = 0, way: float | None = None) -> Tensor:
    """Apply a corruption to a batch.

    Args:
        images: uint8 or float ``(N, C, H, W)``, C = 1 or 3, sides of at least 8 pixels; float in [0, 1].
        name: From `CORRUPTIONS`.
        severity: 0 (none) to 5; fractions are allowed.
        seed: Seed of the noise and of the direction for each image (darker or brighter, bluer or redder).
        way: One direction for all images, in [0, 1); None: a direction for each image.

    Returns:
        Images of the same shape, type and range.
    """
    return corrupt_by(images, {name: severity}, seed=seed, ways={} if way is None else {name: way})


def corrupt_by(images: Tensor, severities: dict[str, float], *, seed: int = 0, ways: dict[str, float]) -> Tensor:
    """Apply several corruptions in the given order; see `corrupt`.

    Args:
        images: uint8 or float ``(N, C, H, W)``.
        severities: Name -> 0 to 5.
        seed: Seed of the noise and of the directions that are not given.
        ways: Name -> one direction for all images, in [0, 1).
    """
    values = images.float() / 255 if images.dtype == torch.uint8 else images.float()
    for name, severity in severities.items():
        corruption = CORRUPTIONS[name]
        if corruption.colored and images.shape[1] != 3:
            raise ValueError(f"{name} needs color images")
        if not severity:
            continue
        way, generator = _ways(len(images), seed, ways.get(name))
        values = corruption.apply(values, corruption.amount(severity), way.to(images.device), generator).clamp(0, 1)
    return (values * 255).round().to(torch.uint8) if images.dtype == torch.uint8 else values.to(images.dtype)


def move_targets(
    targets: MovesT, images: Tensor, severities: dict[str, float], *, seed: int = 0, ways: dict[str, float]
) -> MovesT:
    """Move targets as `corrupt_by` moves the pixels of their images; the same arguments."""
    for name, severity in severities.items():
        corruption = CORRUPTIONS[name]
        if severity and corruption.move is not None:
            way, _ = _ways(len(images), seed, ways.get(name))
            maps = corruption.move(images[:, :1].float(), corruption.amount(severity), way.to(images.device))
            targets = targets.move(Motion(maps, grid_of(maps, *images.shape[2:])))
    return targets


def _ways(number: int, seed: int, way: float | None) -> tuple[Tensor, torch.Generator]:
    """Return the direction of a corruption for each image, float ``(N,)``, and the generator of its noise."""
    generator = torch.Generator().manual_seed(seed)
    random = torch.rand(number, generator=generator)
    return random if way is None else torch.full_like(random, way), generator


def _length(images: Tensor, part: float) -> float:
    return part * max(min(images.shape[2:]), SMALLEST)


def _factor(amount: float, way: Tensor) -> Tensor:
    """Return ``1 + amount`` for directions below 0.5 and its inverse for the others, ``(N, 1, 1, 1)``."""
    return torch.where(way < 0.5, 1 + amount, 1 / (1 + amount)).view(-1, 1, 1, 1)


def _normal(images: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(images.shape, generator=generator).to(images.device)


def _add_noise(images: Tensor, amount: float, way: Tensor, generator: torch.Generator) -> Tensor:
    return images + amount * _normal(images, generator)


def _add_shot_noise(images: Tensor, amount: float, way: Tensor, generator: torch.Generator) -> Tensor:
    # The counts of a bright pixel are approximately normal with a variance equal to the mean.
    return images + amount * images.sqrt() * _normal(images, generator)


def _blur(images: Tensor, amount: float, way: Tensor, generator: torch.Generator) -> Tensor:
    sigma = _length(images, amount)
    # Matrix products are ten times as fast as depthwise convolutions on a CPU.
    down, across = (_blurring(side, sigma).to(images.device) for side in images.shape[2:])
    return down @ images @ across.T


def _blurring(side: int, sigma: float) -> Tensor:
    """Return the matrix, float32 ``(side, side)``, that blurs a line of pixels, with replicated borders.

    The Gaussian is integrated over each pixel, so that widths below one pixel have an effect.
    """
    reach = max(1, math.ceil(3 * sigma))
    weights = torch.erf((torch.arange(-reach, reach + 2) - 0.5) / (sigma * math.sqrt(2))).diff()
    weights /= weights.sum()
    places = torch.arange(side)
    matrix = torch.zeros(side, side)
    for offset, weight in zip(range(-reach, reach + 1), weights, strict=True):
        matrix.index_put_((places, (places + offset).clamp(0, side - 1)), weight, accumulate=True)
    return matrix


def _blur_by_motion(images: Tensor, amount: float, way: Tensor, generator: torch.Generator) -> Tensor:
    number, channels, height, width = images.shape
    length = _length(images, amount)
    reach = math.ceil(length / 2)
    places = torch.arange(-reach, reach + 1, device=images.device)
    path = (torch.arange(64, device=images.device) + 0.5) / 64 * length - length / 2
    x, y = (path * turn(math.pi * way)[:, None] for turn in (torch.cos, torch.sin))
    # Each point of the path is distributed bilinearly over the four pixels around it.
    across, down = ((1 - (at[..., None] - places).abs()).clamp(min=0) for at in (x, y))
    kernels = torch.einsum("npy,npx->nyx", down, across) / 64
    kernels = kernels[:, None].repeat_interleave(channels, 0)
    padded = pad(images, (reach,) * 4, mode="replicate").reshape(
        1, number * channels, *(s + 2 * reach for s in (height, width))
    )
    return conv2d(padded, kernels, groups=number * channels).view(images.shape)


def _compress(images: Tensor, amount: float, way: Tensor, generator: torch.Generator) -> Tensor:
    pixels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    height, width, channels = pixels.shape[1:]
    # JPEG codes each 8x8 block of a gray image alone: a tall stack of images decodes to the same bits, faster.
    together = MAX_JPEG_SIDE // height if channels == 1 and height % 8 == width % 8 == 0 else 1
    decoded = []
    for first in range(0, len(pixels), together):
        stack = pixels[first : first + together].reshape(-1, width, channels)
        file = io.BytesIO()
        Image.fromarray(stack[..., 0] if channels == 1 else stack).save(file, "JPEG", quality=round(100 - amount))
        decoded.append(np.asarray(Image.open(file, formats=["JPEG"])).reshape(-1, height, width, channels))
    return torch.from_numpy(np.concatenate(decoded)).permute(0, 3, 1, 2).to(images.device) / 255


def _pixelate(images: Tensor, amount: float, way: Tensor, generator: torch.Generator) -> Tensor:
    factor = 1 + amount * min(1.0, min(images.shape[2:]) / SMALLEST)
    size = tuple(max(2, round(side / factor)) for side in images.shape[2:])
    few = interpolate(images, size=size, mode="bilinear", antialias=True)
    return interpolate(few, size=images.shape[2:], mode="bilinear")


def _expose(images: Tensor, amount: float, way: Tensor, generator: torch.Generator) -> Tensor:
    return images * _factor(amount, way)


def _change_contrast(images: Tensor, amount: float, way: Tensor, generator: torch.Generator) -> Tensor:
    mean = images.mean(dim=(1, 2, 3), keepdim=True)
    return mean + (images - mean) * _factor(amount, way)


def _saturate(images: Tensor, amount: float, way: Tensor, generator: torch.Generator) -> Tensor:
    weights = torch.tensor(GREY, device=images.device).view(1, 3, 1, 1)
    grey = (images * weights).sum(dim=1, keepdim=True)
    return grey + (images - grey) * _factor(amount, way)


def _cast(images: Tensor, amount: float, way: Tensor, generator: torch.Generator) -> Tensor:
    hues = torch.arange(3, device=images.device) / 3
    gains = amount * torch.cos(2 * math.pi * (way[:, None] - hues))
    return images * torch.exp2(gains)[:, :, None, None]


def _stain(images: Tensor, amount: float, way: Tensor, generator: torch.Generator) -> Tensor:
    stains = torch.tensor(STAINS, device=images.device)
    stains = stains / stains.norm(dim=1, keepdim=True)
    angle = 2 * math.pi * way
    factors = torch.exp2(amount * torch.stack([torch.cos(angle), torch.sin(angle), torch.zeros_like(angle)], dim=1))
    # Optical density is linear in the stains, so the change is one matrix per image.
    change = torch.einsum("ij,nj,jk->nik", torch.linalg.inv(stains), factors, stains)
    density = -torch.log10((images * 255 + 1) / 256)
    changed = torch.bmm(change.transpose(1, 2), density.flatten(2)).view(images.shape)
    return (256 * 10**-changed - 1) / 255


def _turned(images: Tensor, amount: float, way: Tensor) -> Tensor:
    angle = torch.where(way < 0.5, math.radians(amount), -math.radians(amount))
    cosine, sine, aspect = torch.cos(angle), torch.sin(angle), images.shape[2] / images.shape[3]
    zero = torch.zeros_like(angle)
    rows = (torch.stack([cosine, -sine * aspect, zero], 1), torch.stack([sine / aspect, cosine, zero], 1))
    return torch.stack(rows, 1)


def _zoomed(images: Tensor, amount: float, way: Tensor) -> Tensor:
    return torch.eye(2, 3, device=images.device) * _factor(amount, way).view(-1, 1, 1)


def _warp_by(move: Move) -> Apply:
    return lambda images, amount, way, generator: warp(images, move(images, amount, way))


CORRUPTIONS: dict[str, Corruption] = {
    "stain": Corruption(
        "stain or dye",
        _stain,
        (0.15, 0.3, 0.5, 0.75, 1.05),
        "dyes up to {:.2f} octaves stronger or weaker",
        colored=True,
    ),
    "brightness": Corruption(
        "brightness",
        _expose,
        (0.06, 0.12, 0.2, 0.35, 0.55),
        "{:.0%} brighter, or as much darker",
        learned_by=("brightness",),
        flag="--brightness 0.3",
    ),
    "rotation": Corruption(
        "rotation",
        _warp_by(_turned),
        (4.0, 8.0, 14.0, 22.0, 32.0),
        "{:.0f} degrees to either side",
        learned_by=("rotation", "quarter_turns"),
        flag="--rotation 30",
        move=_turned,
    ),
    "scale": Corruption(
        "scale",
        _warp_by(_zoomed),
        (0.08, 0.16, 0.28, 0.45, 0.7),
        "{:.0%} larger, or as much smaller",
        learned_by=("scale",),
        flag="--scale 0.4",
        move=_zoomed,
    ),
    "blur": Corruption(
        "out of focus", _blur, (0.004, 0.008, 0.014, 0.022, 0.034), "Gaussian, deviation {:.1%} of the side"
    ),
    "motion": Corruption("motion blur", _blur_by_motion, (0.015, 0.03, 0.05, 0.08, 0.12), "along {:.1%} of the side"),
    "cast": Corruption(
        "color cast",
        _cast,
        (0.06, 0.12, 0.2, 0.32, 0.5),
        "channels up to {:.2f} octaves apart from their mean",
        colored=True,
    ),
    "contrast": Corruption(
        "contrast",
        _change_contrast,
        (0.1, 0.22, 0.4, 0.7, 1.1),
        "{:.0%} more, or as much less",
        learned_by=("contrast",),
        flag="--contrast 0.4",
    ),
    "saturation": Corruption(
        "saturation",
        _saturate,
        (0.2, 0.45, 0.8, 1.5, 3.0),
        "{:.0%} more vivid, or as much paler",
        colored=True,
        learned_by=("saturation",),
        flag="--saturation 0.5",
    ),
    "noise": Corruption(
        "noise",
        _add_noise,
        (0.02, 0.04, 0.07, 0.11, 0.16),
        "deviation {:.0%} of the full range",
        learned_by=("noise",),
        flag="--noise 0.1",
    ),
    "shot": Corruption(
        "too little light",
        _add_shot_noise,
        (0.03, 0.05, 0.08, 0.13, 0.2),
        "shot noise, {:.0%} of the full range in white",
        learned_by=("noise",),
        flag="--noise 0.1",
    ),
    "pixelation": Corruption(
        "few pixels", _pixelate, (0.25, 0.6, 1.2, 2.0, 3.0), "pixels {:.0%} larger, scaled up again"
    ),
    "jpeg": Corruption("JPEG", _compress, (20.0, 50.0, 70.0, 82.0, 90.0), "quality 100 less {:.0f}"),
}
