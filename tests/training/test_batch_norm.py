from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from opsin.recipe.recipe import from_settings
from opsin.training.batch_norm import renew_statistics
from opsin.training.prepare import prepare
from opsin.training.session import Session

SETTINGS = {
    "network": "small_resnet",
    "options": {"widths": [4, 8], "blocks": [1, 1]},
    "epochs": 1,
    "batch_size": 32,
    "precision": "32-true",
    "device": "cpu",
}


def session(dataset, **settings):
    return Session(prepare(from_settings({**SETTINGS, **settings}), dataset))


def statistics(network):
    return {name: value.clone() for name, value in network.named_buffers() if "running" in name}


def renew(made, network=None):
    network = made.network if network is None else network
    renew_statistics(network, made.network, made.batches, 0, network)


def test_the_statistics_are_those_torch_computes_over_the_plain_images(few_digits):
    made = session(few_digits, augment=1.0, dropout=0.5)
    made.network.train()
    by_torch = copy.deepcopy(made.network)
    for module in by_torch.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    rows = made.batches.order(0)[: 2 * 32]  # two batches at the least
    standardize, pixels = made.prepared.preprocessing.standardize, made.batches.pixels
    update_bn([standardize(pixels[some]) for some in rows.split(32)], by_torch)
    renew(made)
    for name, value in statistics(made.network).items():
        torch.testing.assert_close(value, statistics(by_torch)[name])


def test_modes_momenta_weights_and_random_numbers_stay_as_they_were(few_digits):
    made = session(few_digits, augment=1.0, dropout=0.5)
    made.network.train()
    modules = list(made.network.modules())
    before = [(module.training, getattr(module, "momentum", None)) for module in modules]
    weights = copy.deepcopy(list(made.network.parameters()))
    torch.manual_seed(5)
    renew(made)
    assert [(module.training, getattr(module, "momentum", None)) for module in modules] == before
    assert all(map(torch.equal, weights, made.network.parameters()))
    after = torch.rand(3)
    torch.manual_seed(5)
    assert torch.equal(after, torch.rand(3))


def test_frozen_layers_keep_their_statistics(few_digits):
    made = session(few_digits, trainable_layers=2, augment=1.0)
    before = statistics(made.network)
    made.fit()
    changed = {name for name, value in statistics(made.network).items() if not torch.equal(value, before[name])}
    learning = {
        name.rpartition(".")[0]
        for name, parameter in made.network.named_parameters()
        if parameter.requires_grad and f"{name.rpartition('.')[0]}.running_mean" in before
    }
    assert learning
    assert {name.rpartition(".")[0] for name in changed} == learning


def test_the_average_of_weights_has_statistics_of_its_own(few_digits):
    made = session(few_digits, average=0.9, augment=1.0)
    made.fit()
    network, average = statistics(made.network), statistics(made.average.module)
    assert any(not torch.equal(network[name], average[name]) for name in network)
    renewed = copy.deepcopy(made.average)
    made.network.train()
    renew(made, renewed)
    for name, value in statistics(renewed.module).items():
        torch.testing.assert_close(value, average[name])


@pytest.mark.parametrize("images", [1, 2, 5])
def test_very_few_images_are_enough(few_digits, images):
    made = session(few_digits, batch_size=2, augment=1.0)
    made.batches.indices = made.batches.indices[: max(2, images)]
    made.network.train()
    renew(made)
    assert all(value.isfinite().all() for value in statistics(made.network).values())


def test_what_augmentation_does_to_the_images_does_not_change_what_validation_sees(few_digits):
    """Trained on brighter images, a network normalizes the plain ones as if it had never seen others."""
    plain, bright = session(few_digits, augment=0.0), session(few_digits, augment=0.0)
    usual = bright.batches.batch
    bright.batches.batch = lambda rows: type(made := usual(rows))(made.images + 3, made.targets)
    for made in (plain, bright):
        for group in made.optimizer.param_groups:
            group["lr"] = 0.0
        made.schedule.peaks = [0.0 for _ in made.schedule.peaks]
        made.fit()
    for name, value in statistics(bright.network).items():
        torch.testing.assert_close(value, statistics(plain.network)[name])
