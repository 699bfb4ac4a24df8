import pytest
import torch
from torch.nn import functional

from opsin.networks.segmentation.dual_unet import (
    DUAL_PARTS,
    CellularRefinement,
    DilatedInception,
    DualUNet,
    GlobalContext,
)


def test_dilations_decide_how_far_a_pixel_sees():
    for dilations in ((1,), (1, 2), (1, 2, 4)):
        block = DilatedInception(1, 60, dilations).eval()
        image = torch.randn(1, 1, 21, 21, requires_grad=True)
        block(image)[..., 10, 10].sum().backward()
        assert (image.grad[0, 0].nonzero() - 10).abs().max() == max(dilations)


@pytest.mark.parametrize("channels", [16, 24])
def test_dilated_weights_have_gradients_in_half_precision(channels):
    """The kernels of torch 2.15 for images with channels last give nan for 24."""
    torch.manual_seed(0)
    block = DilatedInception(channels, 48).to(memory_format=torch.channels_last)
    features = torch.randn(4, channels, 32, 32).to(memory_format=torch.channels_last)
    gradients = []
    for half in (False, True):
        block.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            block(features)[:, ::2].float().square().sum().backward()
        gradients.append(torch.cat([branch.weight.grad.flatten() for branch in block.branches]))
    assert (gradients[0] - gradients[1]).norm() < 0.05 * gradients[0].norm()


def test_the_global_context_adds_one_vector_from_the_whole_map():
    torch.manual_seed(0)
    context = GlobalContext(8)
    features = torch.randn(2, 8, 5, 6)
    added = context(features) - features
    torch.testing.assert_close(added, added[..., :1, :1].expand_as(added))
    weights = functional.softmax(context.attention(features).view(2, 1, 30), dim=2)
    summary = torch.einsum("ncp,nop->nc", features.view(2, 8, 30), weights)
    torch.testing.assert_close(added[..., 0, 0], context.transform(summary))
    features[0, :, 4, 5] += 5
    assert not torch.allclose(context(features)[0, :, 0, 0], (features + added)[0, :, 0, 0])


def test_a_step_of_the_automaton_carries_what_a_pixel_knows_by_one_pixel():
    torch.manual_seed(0)
    for steps in (1, 3):
        rule = CellularRefinement(2, 1, steps)
        logits, image = torch.randn(1, 2, 15, 15, requires_grad=True), torch.randn(1, 1, 15, 15)
        rule(logits, image)[..., 7, 7].sum().backward()
        reached = logits.grad.abs().sum(dim=1)[0].nonzero() - 7
        assert reached.abs().max() == steps
    assert CellularRefinement(2, 1, 0)(logits, image) is logits


def test_parts_can_be_left_out():
    torch.manual_seed(0)
    plain = DualUNet(3, 1, (32, 32), parts=[])
    assert plain.refinement is None
    names = {type(module).__name__ for module in plain.modules()}
    assert not names & {"DilatedInception", "SqueezeExcitation", "AttentionGate", "GlobalContext"}
    sizes = {part: sum(p.numel() for p in DualUNet(3, 1, (32, 32), parts=[part]).parameters()) for part in DUAL_PARTS}
    assert len(set(sizes.values())) == len(DUAL_PARTS)
    images = torch.randn(1, 1, 32, 32)
    plain.eval()
    torch.testing.assert_close(plain(images), (plain.macro(images) + plain.micro(images)) / 2)
