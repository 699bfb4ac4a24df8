from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from timm.optim import param_groups_layer_decay

from opsin.errors import RecipeError
from opsin.networks.layer_groups import layer_groups
from opsin.networks.registry import create_network
from opsin.recipe.schema import TrainingRecipe
from opsin.training.optimizer import Schedule, check_trainable_layers, create_optimizer, set_trainable


def recipe(**settings):
    return TrainingRecipe(**{"epochs": 10, "learning_rate": 0.1, "optimizer": "sgd", **settings})


def schedule(steps_per_epoch=10, **settings):
    asked = recipe(**settings)
    network = create_network("mlp", 2, 1, (4, 4))
    return Schedule(create_optimizer(network, asked), asked, steps_per_epoch)


def rates(made, epochs=10, losses=None):
    taken = []
    for epoch in range(epochs):
        for _ in range(made.steps_per_epoch):
            taken.append(made.learning_rate)
            made.step()
        made.after_epoch(losses[epoch] if losses else 1.0 / (epoch + 1))
    return taken


def test_constant():
    assert set(rates(schedule(schedule="constant"))) == {0.1}


def test_step_equals_torch():
    ours = rates(schedule(schedule="step", step_epochs=3, gamma=0.5))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    reference = torch.optim.lr_scheduler.StepLR(optimizer, 30, 0.5)
    for rate in ours:
        assert rate == pytest.approx(reference.get_last_lr()[0])
        optimizer.step()
        reference.step()


def test_cosine_equals_torch():
    ours = rates(schedule(schedule="cosine"))
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 100)
    for rate in ours:
        assert rate == pytest.approx(reference.get_last_lr()[0], abs=1e-9)
        optimizer.step()
        reference.step()


def test_one_cycle_rises_for_a_quarter_and_falls_to_nearly_nothing():
    ours = rates(schedule(schedule="one-cycle"))
    assert ours[0] == pytest.approx(0.1 / 25)
    assert max(ours) == ours[25] == pytest.approx(0.1)
    assert ours[:26] == sorted(ours[:26])
    assert ours[25:] == sorted(ours[25:], reverse=True)
    assert ours[-1] < 0.001


def test_warm_up_is_linear():
    ours = rates(schedule(schedule="constant", warmup_epochs=2.0))
    assert ours[:3] == pytest.approx([0.005, 0.01, 0.015])
    assert set(ours[19:]) == {0.1}


def test_plateau_lowers_the_rate_after_epochs_without_improvement():
    losses = [1.0, 0.9, 0.95, 0.96, 0.97, 0.98, 0.5, 0.4, 0.3, 0.2]
    ours = rates(schedule(1, schedule="plateau", plateau_epochs=2, gamma=0.5), losses=losses)
    assert ours == pytest.approx([0.1] * 5 + [0.05] * 5)


@given(
    st.sampled_from(["constant", "step", "cosine", "one-cycle", "plateau"]),
    st.integers(1, 60),
    st.integers(1, 7),
    st.floats(0, 3),
    st.integers(0, 70),
)
def test_any_schedule_stays_between_0_and_the_peak_and_goes_on_from_its_state(name, epochs, steps, warmup, at):
    made = schedule(steps, schedule=name, epochs=epochs, warmup_epochs=warmup)
    for _ in range(at):
        made.step()
        assert 0 <= made.learning_rate <= 0.1 * (1 + 1e-12)
    again = schedule(steps, schedule=name, epochs=epochs, warmup_epochs=warmup)
    again.load_state_dict(json.loads(json.dumps(made.state_dict())))
    assert again.learning_rate == made.learning_rate


@pytest.mark.parametrize("name", ["sgd", "rmsprop", "adam", "adamw"])
def test_biases_and_normalization_are_not_decayed(name):
    network = create_network("small_resnet", 3, 1, (8, 8))
    optimizer = create_optimizer(network, recipe(optimizer=name, weight_decay=0.3))
    by_parameter = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert len(by_parameter) == len(list(network.parameters()))
    for parameter in network.parameters():
        assert by_parameter[id(parameter)] == (0.3 if parameter.ndim > 1 else 0.0)


def trainable(network):
    return {name for name, parameter in network.named_parameters() if parameter.requires_grad}


def test_frozen_epochs_train_the_head_only():
    network = create_network("small_resnet", 3, 1, (8, 8))
    everything = trainable(network)
    set_trainable(network, recipe(freeze_epochs=2), 1)
    assert trainable(network) == {"head.weight", "head.bias"}
    set_trainable(network, recipe(freeze_epochs=2), 2)
    assert trainable(network) == everything


def test_gradual_unfreezing_wakes_blocks_from_the_head_down():
    network = create_network("small_resnet", 3, 1, (8, 8))
    asked = recipe(freeze_epochs=1, unfreeze_every=2)
    awake = []
    for epoch in range(14):
        set_trainable(network, asked, epoch)
        awake.append(trainable(network))
    assert awake[0] == {"head.weight", "head.bias"}
    assert all(before <= after for before, after in zip(awake, awake[1:], strict=False))
    assert awake[1] == awake[2] < awake[3]
    assert any(name.startswith("stages.3") for name in awake[1])
    assert not any(name.startswith("stem") for name in awake[3])
    assert len(awake[-1]) == len(list(network.parameters()))


def test_learning_rate_is_finite_for_one_step_in_all():
    made = schedule(1, schedule="one-cycle", epochs=1)
    assert math.isfinite(made.learning_rate)
    made.step()
    assert made.learning_rate >= 0


def rates_by_name(network, optimizer):
    rate_of = {id(parameter): group["lr"] for group in optimizer.param_groups for parameter in group["params"]}
    return {name: rate_of[id(parameter)] for name, parameter in network.named_parameters()}


@pytest.mark.parametrize("name", ["resnet10t", "vit_tiny_patch16_224"])
def test_layer_wise_rates_are_timm_s(name):
    network = create_network(name, 3, 3, (32, 32))
    ours = rates_by_name(network, create_optimizer(network, recipe(layer_decay=0.5)))
    scale_of = {
        id(parameter): group["lr_scale"]
        for group in param_groups_layer_decay(network, layer_decay=0.5)
        for parameter in group["params"]
    }
    assert ours == pytest.approx({name: 0.1 * scale_of[id(p)] for name, p in network.named_parameters()})


def test_layer_wise_rates_fall_from_the_head_to_the_input_and_follow_the_schedule():
    network = create_network("small_resnet", 3, 1, (8, 8))
    optimizer = create_optimizer(network, recipe(layer_decay=0.5, weight_decay=0.3, schedule="constant"))
    made = Schedule(optimizer, recipe(layer_decay=0.5, schedule="step", step_epochs=1, gamma=0.1), 1)
    before = rates_by_name(network, optimizer)
    assert before["head.weight"] == before["head.bias"] == made.learning_rate == 0.1
    assert before["stages.3.0.convolutions.0.weight"] == pytest.approx(0.05)
    assert before["stem.0.weight"] == pytest.approx(0.1 * 0.5 ** (len(layer_groups(network)) - 1))
    decays = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    assert all(decays[id(p)] == (0.3 if p.ndim > 1 else 0) for p in network.parameters())
    made.step()
    assert rates_by_name(network, optimizer) == pytest.approx({name: rate / 10 for name, rate in before.items()})


def test_rmsprop_is_the_textbooks():
    network = create_network("mlp", 2, 1, (2, 2))
    weight = network.head.weight
    optimizer = create_optimizer(network, recipe(optimizer="rmsprop", momentum=0.9, weight_decay=0.0))
    value, square = weight.detach().clone(), torch.zeros_like(weight)
    for step in range(3):
        gradient = torch.full_like(weight, 0.5 + step)
        weight.grad = gradient.clone()
        optimizer.step()
        square = 0.9 * square + 0.1 * gradient**2  # Hinton 2012, lecture 6e
        value = value - 0.1 * gradient / (square.sqrt() + 1e-8)
    torch.testing.assert_close(weight.detach(), value)


def test_the_last_layers_alone_learn_and_the_rest_is_at_rest():
    network = create_network("small_resnet", 3, 1, (8, 8)).train()
    for number, awake in ((1, {"head"}), (3, {"head", "stages.3", "stages.2"})):
        set_trainable(network.train(), recipe(trainable_layers=number), 0)
        assert {name for name in trainable(network)} == {
            name for name, _ in network.named_parameters() if name.startswith(tuple(awake))
        }
        assert not network.stem[1].training  # its statistics stay
        assert network.stages[3][0].convolutions[1].training is (number == 3)


@given(st.integers(0, 12), st.integers(0, 4), st.integers(0, 3), st.integers(0, 20))
def test_layers_wake_from_the_head_down_and_never_more_than_may_learn(layers, freeze, every, epoch):
    network = create_network("mlp", 2, 1, (2, 2), options={"widths": [2] * 9})
    groups = layer_groups(network)
    asked = recipe(freeze_epochs=freeze, unfreeze_every=every, trainable_layers=layers)
    set_trainable(network.train(), asked, epoch)
    awake = [all(parameter.requires_grad for parameter in group) for group in groups]
    assert awake == sorted(awake) and awake[-1]
    assert sum(awake) <= (layers or len(groups))
    if epoch < freeze:
        assert sum(awake) == 1
    elif not every:
        assert sum(awake) == min(layers or len(groups), len(groups))
    set_trainable(network.train(), asked, epoch + 1)
    assert sum(all(p.requires_grad for p in group) for group in groups) >= sum(awake)


def test_more_trainable_layers_than_there_are_is_one_sentence():
    network = create_network("mlp", 2, 1, (2, 2))
    check_trainable_layers(network, recipe(trainable_layers=2))
    with pytest.raises(RecipeError, match="trainable_layers is 3, but the network has 2 groups"):
        check_trainable_layers(network, recipe(trainable_layers=3))
