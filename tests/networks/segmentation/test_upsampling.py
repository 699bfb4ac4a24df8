import pytest
import torch
from torch import nn
from torch.nn import functional

from opsin.networks.segmentation.upsampling import (
    UPSAMPLING,
    Upsampling,
    initialize_bilinear,
    padded,
)


def test_a_transposed_convolution_by_hand():
    """2x2 under a 3x3 kernel with stride 2: each value lays down the kernel times itself, two pixels further on."""
    values = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    kernel = torch.arange(1.0, 10.0).view(3, 3)
    laid_down = torch.zeros(5, 5)
    for row in range(2):
        for column in range(2):
            laid_down[2 * row : 2 * row + 3, 2 * column : 2 * column + 3] += values[row, column] * kernel
    # On paper: the first row is 1·(1 2 3) and 2·(1 2 3) two pixels on, and so on; the border of one pixel is cut off.
    by_hand = torch.tensor(
        [
            [1.0, 2.0, 5.0, 4.0, 6.0],
            [4.0, 5.0, 14.0, 10.0, 12.0],
            [10.0, 14.0, 36.0, 24.0, 30.0],
            [12.0, 15.0, 34.0, 20.0, 24.0],
            [21.0, 24.0, 55.0, 32.0, 36.0],
        ]
    )
    torch.testing.assert_close(laid_down, by_hand)
    layer = Upsampling("transposed", 1, 1)
    with torch.no_grad():
        layer.convolution.weight.copy_(kernel.view(1, 1, 3, 3))
        layer.convolution.bias.zero_()
        enlarged = layer(values.view(1, 1, 2, 2))[0, 0]
    assert enlarged.shape == (4, 4)
    torch.testing.assert_close(enlarged, by_hand[1:, 1:])
    torch.testing.assert_close(
        functional.conv_transpose2d(values.view(1, 1, 2, 2), kernel.view(1, 1, 3, 3), stride=2)[0, 0], by_hand
    )


@pytest.mark.parametrize("kind", UPSAMPLING)
@pytest.mark.parametrize(("factor", "kernel"), [(2, None), (2, 4), (8, None), (3, None)])
def test_every_kind_enlarges_by_its_factor(kind, factor, kernel):
    if kind == "unpooling" and factor != 2:
        with pytest.raises(ValueError, match="by 2"):
            Upsampling(kind, 6, 4, factor)
        return
    pooled, indices = nn.MaxPool2d(2, return_indices=True)(torch.randn(2, 4, 10, 14))
    layer = Upsampling(kind, 6, 4, factor, kernel)
    assert layer(torch.randn(2, 6, 5, 7), indices).shape == (2, 4, 5 * factor, 7 * factor)


def test_unpooling_puts_values_back_where_they_came_from():
    image = torch.arange(16.0).view(1, 1, 4, 4)
    pooled, indices = nn.MaxPool2d(2, return_indices=True)(image)
    layer = Upsampling("unpooling", 1, 1)
    with torch.no_grad():
        nn.init.dirac_(layer.convolution.weight)
        layer.convolution.bias.zero_()
        back = layer(pooled, indices)
    expected = torch.zeros(4, 4)
    expected[1::2, 1::2] = torch.tensor([[5.0, 7.0], [13.0, 15.0]])
    torch.testing.assert_close(back[0, 0], expected)
    with pytest.raises(ValueError, match="indices of max pooling"):
        layer(pooled)


def test_pixel_shuffle_begins_without_a_checkerboard():
    enlarged = Upsampling("shuffle", 3, 2)(torch.randn(1, 3, 5, 5))
    torch.testing.assert_close(enlarged, functional.interpolate(enlarged[..., ::2, ::2], scale_factor=2))


@pytest.mark.parametrize("factor", [2, 8])
def test_a_transposed_convolution_can_initialize_bilinear_interpolation(factor):
    layer = Upsampling("transposed", 3, 3, factor, 2 * factor)
    initialize_bilinear(layer.convolution)
    image = torch.randn(1, 3, 6, 6)
    expected = functional.interpolate(image, scale_factor=factor, mode="bilinear", align_corners=False)
    inner = slice(factor, -factor)  # at the edge the one sees zeros beyond, the other repeats the edge
    torch.testing.assert_close(layer(image)[..., inner, inner], expected[..., inner, inner])


def test_padding_to_a_multiple():
    image = torch.arange(6.0).view(1, 1, 2, 3)
    assert padded(image, 1) is image
    torch.testing.assert_close(padded(image, 4)[0, 0, :, 2], torch.tensor([2.0, 5.0, 5.0, 5.0]))
    assert padded(image, 4).shape == (1, 1, 4, 4)
