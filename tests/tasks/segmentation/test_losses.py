import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from torchvision.ops import sigmoid_focal_loss

from opsin.errors import RecipeError
from opsin.metrics.segmentation import VOID
from opsin.tasks.segmentation import losses


@st.composite
def batches(draw, void=True):
    """Logits and targets of a few small images."""
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32 - 1)))
    classes, number = draw(st.integers(2, 5)), draw(st.integers(1, 3))
    shape = number, draw(st.integers(1, 6)), draw(st.integers(1, 6))
    logits = 3 * torch.randn(number, classes, *shape[1:], generator=generator, dtype=torch.float64)
    targets = torch.randint(draw(st.integers(1, classes)), shape, generator=generator)
    if void:
        targets[torch.rand(shape, generator=generator) < draw(st.sampled_from([0.0, 0.3, 1.0]))] = VOID
    weights = torch.rand(classes, generator=generator, dtype=torch.float64) + 0.1
    return logits, targets, draw(st.sampled_from([None, weights]))


@settings(max_examples=40)
@given(batches(), st.sampled_from([0.0, 0.1]))
def test_cross_entropy_of_each_image_is_torchs(batch, smoothing):
    logits, targets, weights = batch
    values = losses.cross_entropy(logits, targets, weights, smoothing)
    for value, image, target in zip(values, logits, targets, strict=True):
        expected = functional.cross_entropy(
            image[None], target[None], weights, ignore_index=VOID, label_smoothing=smoothing
        )
        assert float(value) == pytest.approx(float(expected.nan_to_num(0)), abs=1e-9)


@settings(max_examples=40)
@given(batches(void=False))
def test_focal_loss(batch):
    logits, targets, weights = batch
    torch.testing.assert_close(
        losses.focal(logits, targets, weights, gamma=0.0), losses.cross_entropy(logits, targets, weights)
    )
    two = logits[:, :2]
    single = two[:, 1] - two[:, 0]  # the softmax of two logits is the sigmoid of their difference
    labels = targets.clamp(max=1)
    expected = sigmoid_focal_loss(single, labels.double(), alpha=-1, gamma=2, reduction="none").mean(dim=(1, 2))
    torch.testing.assert_close(losses.focal(two, labels, gamma=2.0), expected)


def tversky_by_hand(logits, targets, weights, false_alarm, miss):
    values = []
    for image, target in zip(logits.softmax(1), targets, strict=True):
        known = target != VOID
        terms, shares = [], []
        for name in range(len(image)) if len(image) > 2 else [1]:
            p, truth = image[name][known], (target[known] == name).double()
            hits, alarms, misses = (p * truth).sum(), (p * (1 - truth)).sum(), ((1 - p) * truth).sum()
            if len(image) > 2 and not truth.any():
                continue
            terms.append(1 - (hits + 1) / (hits + false_alarm * alarms + miss * misses + 1))
            shares.append(1.0 if weights is None or len(image) == 2 else float(weights[name]))
        total = sum(share * float(term) for share, term in zip(shares, terms, strict=True))
        values.append(total / sum(shares) if shares else 0.0)
    return torch.tensor(values, dtype=torch.float64)


@settings(max_examples=40)
@given(batches())
def test_tversky_and_dice_by_hand(batch):
    expected = tversky_by_hand(*batch, 0.3, 0.7)
    torch.testing.assert_close(losses.tversky(*batch, 0.3, 0.7), expected)
    torch.testing.assert_close(losses.dice(*batch), tversky_by_hand(*batch, 0.5, 0.5))


@settings(max_examples=20)
@given(batches(), st.sampled_from(["cross-entropy", "dice", "focal", "tversky", "cross-entropy+dice"]))
def test_void_pixels_change_neither_loss_nor_gradient(batch, name):
    logits, targets, weights = batch
    loss = losses.create_loss(name)
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(logits, targets, weights).sum(), logits)
    assert gradient.isfinite().all()
    void = (targets == VOID).unsqueeze(1)
    assert (gradient.masked_select(void) == 0).all()
    other = torch.where(void, 5.0, logits)
    torch.testing.assert_close(loss(other, targets, weights), loss(logits, targets, weights))


def test_a_sum_of_losses():
    torch.manual_seed(0)
    logits, targets = torch.randn(2, 3, 4, 4), torch.randint(3, (2, 4, 4))
    parts = losses.cross_entropy(logits, targets, smoothing=0.1), losses.focal(logits, targets, gamma=3.0)
    torch.testing.assert_close(
        losses.create_loss("cross-entropy + focal", smoothing=0.1, gamma=3.0)(logits, targets), sum(parts)
    )
    expected = losses.tversky(logits, targets, false_alarm=0.2, miss=0.8)
    torch.testing.assert_close(losses.create_loss("tversky", miss=0.8)(logits, targets), expected)


def test_the_right_mask_costs_nothing():
    targets = torch.randint(3, (2, 8, 8), generator=torch.Generator().manual_seed(1))
    logits = 60.0 * functional.one_hot(targets, 3).movedim(-1, 1)
    for name in ("cross-entropy", "dice", "focal", "tversky"):
        assert losses.create_loss(name)(logits, targets).abs().max() < 1e-6


def test_an_unknown_loss_is_told():
    with pytest.raises(RecipeError, match="no loss 'dise' for segmentation .*'dice'"):
        losses.create_loss("cross-entropy+dise")
