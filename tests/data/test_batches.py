from __future__ import annotations

import itertools

import torch
from torchvision.transforms import v2

from opsin.data.augment import Augmentation
from opsin.data.batches import Batches
from opsin.data.preprocessing import Preprocessing
from opsin.data.targets.base import EncodedArray
from opsin.recipe.schema import AugmentationRecipe

PIXELS = (torch.arange(50 * 6 * 6) % 251).to(torch.uint8).view(50, 6, 6, 1)
LABELS = torch.arange(50) % 5


def batches(indices=None, **settings):
    indices = torch.arange(50) if indices is None else indices
    settings = {"batch_size": 8, "preprocessing": Preprocessing(6, 6, 1, mean=(0.5,), std=(0.25,)), **settings}
    return Batches(PIXELS, EncodedArray(LABELS), indices, **settings)


def test_each_image_comes_at_most_once_and_the_remainder_is_left_out():
    made = batches()
    assert len(made) == 6
    assert made.images_per_epoch == 48
    assert sum(len(batch) for batch in made.epoch(0)) == 48
    order = made.order(3).tolist()
    assert len(set(order)) == 48
    assert order != made.order(4).tolist()


def test_fewer_images_than_a_batch_are_one_batch():
    assert [len(batch) for batch in batches(torch.arange(5)).epoch(0)] == [5]


def test_images_are_normalized_and_belong_to_their_labels():
    batch = next(batches().epoch(0))
    rows = batches().order(0)[:8]
    expected = (PIXELS[rows].permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.25
    torch.testing.assert_close(batch.images, expected)
    assert batch.targets.tolist() == LABELS[rows].tolist()


def test_an_epoch_goes_on_from_any_step_with_the_same_numbers():
    made = batches(augmentation=Augmentation(AugmentationRecipe(horizontal_flip=0.5)), seed=7)
    whole = [(batch.images, torch.rand(1)) for batch in made.epoch(2)]
    rest = [(batch.images, torch.rand(1)) for batch in made.epoch(2, start=4)]
    for (images, drawn), (again, drawn_again) in zip(whole[4:], rest, strict=True):
        assert torch.equal(images, again)
        assert torch.equal(drawn, drawn_again)


def test_seeds_and_epochs_differ():
    vary = Augmentation(AugmentationRecipe())
    first = {
        (seed, epoch): next(batches(augmentation=vary, seed=seed).epoch(epoch)).images.sum().item()
        for seed, epoch in itertools.product(range(3), range(3))
    }
    assert len(set(first.values())) == 9


def test_weights_draw_rare_classes_as_often_as_others():
    labels = torch.tensor([0] * 45 + [1] * 5)
    weights = (1 / torch.bincount(labels).double())[labels]
    made = Batches(
        PIXELS,
        EncodedArray(labels),
        torch.arange(50),
        batch_size=10,
        preprocessing=Preprocessing(6, 6, 1, mean=(0.5,), std=(1,)),
        weights=weights,
    )
    drawn = torch.cat([labels[made.order(epoch)] for epoch in range(40)])
    assert 0.45 < drawn.float().mean().item() < 0.55


def test_mixed_targets_sum_to_one():
    batch = next(batches(mix=v2.MixUp(num_classes=5, alpha=0.4)).epoch(0))
    assert batch.targets.shape == (8, 5)
    torch.testing.assert_close(batch.targets.sum(dim=1), torch.ones(8))
