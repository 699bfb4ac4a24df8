"""Two complementary U-Nets, alone or combined: *macro* has a large receptive field, *micro* global context.

Designed for terrain, where large areas are recognized by their surroundings and small objects by their texture. Each
component can be switched off for ablation studies.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import SqueezeExcitation

from opsin.networks.segmentation.decoder import double_convolution
from opsin.networks.segmentation.unet import ShapedNetwork, UShape

MACRO_PARTS = ("dilation", "squeeze", "attention")
MICRO_PARTS = ("context", "squeeze")
DUAL_PARTS = ("dilation", "squeeze", "attention", "context", "refinement")
LARGE_KERNEL = 7  # kernel size of the micro U-Net
TOGETHER = 16  # channel multiple of bfloat16 kernels on CPUs


class DilatedInception(nn.Module):
    """Parallel 3x3 convolutions with several dilations, fused by a 1x1 convolution (Yu and Koltun 2016).

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        dilations: One branch for each; the receptive field is ``2 * max(dilations) + 1`` pixels wide.
    """

    def __init__(self, in_channels: int, out_channels: int, dilations: Sequence[int] = (1, 2, 4)):
        super().__init__()
        share = max(1, out_channels // len(dilations))
        self.branches = nn.ModuleList(
            nn.Conv2d(in_channels, share, 3, padding=dilation, dilation=dilation, bias=False) for dilation in dilations
        )
        self.join = nn.Sequential(
            nn.BatchNorm2d(share * len(dilations)),
            nn.ReLU(inplace=True),
            nn.Conv2d(share * len(dilations), out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(inplace=True),
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return ``(N, out_channels, H, W)``."""
        result: Tensor = self.join(torch.cat(self._branches(features), dim=1))
        return result

    def _branches(self, features: Tensor) -> list[Tensor]:
        cpu = features.device.type == "cpu"
        if cpu and torch.is_autocast_enabled("cpu") and features.shape[1] % TOGETHER:
            # Otherwise the gradient of dilated weights is nan in bfloat16 (torch 2.15, oneDNN).
            with torch.autocast("cpu", enabled=False):
                return [branch(features.float()) for branch in self.branches]
        return [branch(features) for branch in self.branches]


class GlobalContext(nn.Module):
    """Global context block: adds one attention-pooled vector to all positions (Cao et al. 2019, GCNet).

    Args:
        channels: Channels of the map.
        reduction: Reduction ratio of the bottleneck that transforms the vector.
    """

    def __init__(self, channels: int, reduction: int = 4):
        super().__init__()
        between = max(4, channels // reduction)  # layer normalization of two values leaves only their sign
        self.attention = nn.Conv2d(channels, 1, 1, bias=False)  # softmax is invariant to a bias
        self.transform = nn.Sequential(
            nn.Linear(channels, between), nn.LayerNorm(between), nn.ReLU(), nn.Linear(between, channels)
        )

    def forward(self, features: Tensor) -> Tensor:
        """Return the map ``(N, C, H, W)`` with the context vector added."""
        weights = self.attention(features).flatten(2).softmax(dim=2)
        summary = (features.flatten(2) * weights).sum(dim=2)
        result: Tensor = features + self.transform(summary)[:, :, None, None]
        return result


class CellularRefinement(nn.Module):
    """Refinement of the logits by a neural cellular automaton (Mordvintsev et al. 2020).

    In each step a pixel reads the class probabilities of its 3x3 neighborhood and the image, and updates its logits.

    Args:
        num_classes: Channels of the logits.
        in_channels: Channels of the image.
        steps: Number of steps; also the radius of the receptive field.
        hidden: Hidden channels.
    """

    def __init__(self, num_classes: int, in_channels: int, steps: int = 4, hidden: int = 16):
        super().__init__()
        self.steps = steps
        self.look = nn.Conv2d(num_classes + in_channels, hidden, 3, padding=1)
        self.change = nn.Conv2d(hidden, num_classes, 1)
        nn.init.normal_(self.change.weight, std=0.01)  # at first, the update is almost zero
        nn.init.zeros_(self.change.bias)  # type: ignore[arg-type]

    def forward(self, logits: Tensor, images: Tensor) -> Tensor:
        """Return refined logits ``(N, num_classes, H, W)``."""
        for _ in range(self.steps):
            seen = torch.cat([logits.softmax(dim=1), images], dim=1)
            logits = logits + self.change(self.look(seen).relu())
        return logits


class MacroUNet(ShapedNetwork):
    """U-Net with a large receptive field: dilated blocks, squeeze-and-excitation (Hu et al. 2018), attention gates.

    Args:
        num_classes: Number of outputs per pixel.
        in_channels: Channels of the image.
        image_size: (height, width); any size.
        dropout: Probability of dropping a channel before the last layer.
        widths: Channels of the levels.
        parts: Components, a subset of "dilation", "squeeze" and "attention".
        upsampling: See `opsin.networks.segmentation.upsampling.Upsampling`.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        dropout: float = 0.0,
        widths: Sequence[int] = (24, 48, 96, 192),
        parts: Sequence[str] = MACRO_PARTS,
        upsampling: str = "bilinear",
    ):
        _check_parts(parts, MACRO_PARTS)

        def block(before: int, after: int) -> nn.Module:
            inner = DilatedInception(before, after) if "dilation" in parts else double_convolution(before, after)
            return nn.Sequential(inner, *_squeeze(after, parts))

        body = UShape(in_channels, widths, block, upsampling=upsampling, attention="attention" in parts)
        super().__init__(body, widths[0], num_classes, dropout)


class MicroUNet(ShapedNetwork):
    """Shallow U-Net with fewer but larger (7x7) filters, and a global context block at its bottom.

    Args:
        num_classes: Number of outputs per pixel.
        in_channels: Channels of the image.
        image_size: (height, width); any size.
        dropout: Probability of dropping a channel before the last layer.
        widths: Channels of the levels.
        parts: Components, a subset of "context" and "squeeze".
        upsampling: See `opsin.networks.segmentation.upsampling.Upsampling`.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        dropout: float = 0.0,
        widths: Sequence[int] = (16, 32, 64),
        parts: Sequence[str] = MICRO_PARTS,
        upsampling: str = "bilinear",
    ):
        _check_parts(parts, MICRO_PARTS)

        def block(before: int, after: int) -> nn.Module:
            return nn.Sequential(double_convolution(before, after, LARGE_KERNEL), *_squeeze(after, parts))

        context = GlobalContext(widths[-1]) if "context" in parts else None
        body = UShape(in_channels, widths, block, context, upsampling)
        super().__init__(body, widths[0], num_classes, dropout)


class DualUNet(nn.Module):
    """Macro and micro U-Net in parallel: the mean of their logits, refined by a cellular automaton.

    Args:
        num_classes: Number of outputs per pixel.
        in_channels: Channels of the image.
        image_size: (height, width); any size.
        dropout: Probability of dropping a channel before each last layer.
        parts: Components, a subset of "dilation", "squeeze", "attention", "context" and "refinement".
        refinement_steps: Steps of the cellular automaton.
        upsampling: See `opsin.networks.segmentation.upsampling.Upsampling`.
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int,
        image_size: tuple[int, int],
        dropout: float = 0.0,
        parts: Sequence[str] = DUAL_PARTS,
        refinement_steps: int = 4,
        upsampling: str = "bilinear",
    ):
        super().__init__()
        _check_parts(parts, DUAL_PARTS)
        macro, micro = ([part for part in parts if part in known] for known in (MACRO_PARTS, MICRO_PARTS))
        self.macro = MacroUNet(num_classes, in_channels, image_size, dropout, parts=macro, upsampling=upsampling)
        self.micro = MicroUNet(num_classes, in_channels, image_size, dropout, parts=micro, upsampling=upsampling)
        refined = "refinement" in parts
        self.refinement = CellularRefinement(num_classes, in_channels, refinement_steps) if refined else None

    def forward(self, images: Tensor) -> Tensor:
        """Return logits ``(N, num_classes, H, W)`` of images ``(N, C, H, W)``."""
        logits = (self.macro(images) + self.micro(images)) / 2
        result: Tensor = logits if self.refinement is None else self.refinement(logits, images)
        return result

    def get_classifier(self) -> tuple[nn.Module, nn.Module]:
        """Return the last layers of both U-Nets."""
        return self.macro.head, self.micro.head


def _squeeze(channels: int, parts: Sequence[str]) -> list[nn.Module]:
    return [SqueezeExcitation(channels, max(4, channels // 4), activation=nn.SiLU)] if "squeeze" in parts else []


def _check_parts(parts: Sequence[str], known: Sequence[str]) -> None:
    unknown = [part for part in parts if part not in known]
    if unknown:
        raise ValueError(f"parts are {', '.join(known)}, not {unknown[0]!r}")
