"""Activations and normalizations by name, and blocks shared by several networks."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU,
    "leaky_relu": nn.LeakyReLU,
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,  # also known as Swish
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
}
# All other activations commute with max pooling.
NON_MONOTONIC = frozenset({"gelu", "silu"})
NORMALIZATIONS = ("none", "batch")


def create_activation(name: str) -> nn.Module:
    """Create an activation by its name in `ACTIVATIONS`.

    Raises:
        ValueError: The name is unknown.
    """
    if name not in ACTIVATIONS:
        raise ValueError(f"there is no activation '{name}'; choose one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def check_normalization(name: str) -> None:
    """Check that a name is one of `NORMALIZATIONS`.

    Raises:
        ValueError: It is not.
    """
    if name not in NORMALIZATIONS:
        raise ValueError(f"there is no normalization '{name}'; choose one of {', '.join(NORMALIZATIONS)}")


def convolution(in_channels: int, out_channels: int, stride: int = 1, *, separable: bool = False) -> list[nn.Module]:
    """Return the layers of a padded 3x3 convolution without bias.

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        stride: 2 halves the resolution.
        separable: Depthwise, then pointwise convolution (Chollet 2017): about a ninth of the parameters and
            multiplications.
    """
    if not separable:
        return [nn.Conv2d(in_channels, out_channels, 3, stride, 1, bias=False)]
    depthwise = nn.Conv2d(in_channels, in_channels, 3, stride, 1, groups=in_channels, bias=False)
    return [depthwise, nn.Conv2d(in_channels, out_channels, 1, bias=False)]


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with batch normalization, added to their input (He et al. 2016).

    Args:
        in_channels: Input channels.
        out_channels: Output channels.
        stride: 2 halves the resolution; the shortcut then averages 2x2 pixels before its 1x1 convolution (He et al.
            2019), so that no pixel is ignored.
        separable: Whether the 3x3 convolutions are depthwise-separable.
        residual: Whether the block has a shortcut.
    """

    def __init__(
        self, in_channels: int, out_channels: int, stride: int = 1, *, separable: bool = False, residual: bool = True
    ):
        super().__init__()
        last = nn.BatchNorm2d(out_channels)
        self.convolutions = nn.Sequential(
            *convolution(in_channels, out_channels, stride, separable=separable),
            nn.BatchNorm2d(out_channels),
            nn.ReLU(),
            *convolution(out_channels, out_channels, separable=separable),
            last,
        )
        self.shortcut = _shortcut(in_channels, out_channels, stride) if residual else None
        self.activation = nn.ReLU()
        if residual:
            nn.init.zeros_(last.weight)  # at first, each block equals its shortcut

    def forward(self, features: Tensor) -> Tensor:
        """Return ``(N, out_channels, H / stride, W / stride)``, rounded up."""
        changed = self.convolutions(features)
        result: Tensor = self.activation(changed if self.shortcut is None else changed + self.shortcut(features))
        return result


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    if stride > 1:
        layers.append(nn.AvgPool2d(stride, ceil_mode=True))
    if in_channels != out_channels:
        layers += [nn.Conv2d(in_channels, out_channels, 1, bias=False), nn.BatchNorm2d(out_channels)]
    return nn.Sequential(*layers)
