from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy

from opsin.errors import RecipeError, TrainingError
from opsin.recipe.recipe import from_settings
from opsin.training.fit import Callback, TrainingState
from opsin.training.prepare import prepare
from opsin.training.session import Session, measure_throughput

SETTINGS = {
    "network": "mlp",
    "epochs": 3,
    "batch_size": 32,
    "augment": 0.0,
    "precision": "32-true",
    "optimizer": "sgd",
    "learning_rate": 0.1,
    "schedule": "constant",
    "weight_decay": 0.0,
    "device": "cpu",
}


def session(dataset, **settings):
    return Session(prepare(from_settings({**SETTINGS, **settings}), dataset))


def weights(network):
    return torch.cat([parameter.detach().flatten() for parameter in network.parameters()])


def test_the_loop_is_the_textbooks(few_digits):
    """Trained by hand over the same batches, the network has the same weights, to the last bit."""
    ours, by_hand = session(few_digits), session(few_digits)
    optimizer = torch.optim.SGD(by_hand.network.parameters(), lr=0.1, momentum=0.9, nesterov=True, fused=True)
    by_hand.network.train()
    for epoch in range(3):
        for batch in by_hand.batches.epoch(epoch):
            optimizer.zero_grad()
            cross_entropy(by_hand.network(batch.images), batch.targets).backward()
            optimizer.step()
    ours.fit()
    assert torch.equal(weights(ours.network), weights(by_hand.network))


def test_history_has_a_row_per_epoch_and_the_network_learns(few_digits):
    state = session(few_digits, epochs=15).fit()
    assert [row["epoch"] for row in state.history] == list(range(1, 16))
    assert state.history[-1]["train"]["loss"] < state.history[0]["train"]["loss"] / 2
    assert state.history[-1]["train"]["accuracy"] > 0.9
    assert set(state.history[0]["validation"]) == {"loss", "accuracy", "balanced_accuracy", "macro_f1"}
    best = max(state.history, key=lambda row: (row["validation"]["accuracy"], -row["validation"]["loss"]))
    assert state.best == {"epoch": best["epoch"], "scores": best["validation"]}


def test_accumulated_small_batches_equal_one_large_batch(few_digits):
    large = session(few_digits, batch_size=64, epochs=1)
    small = session(few_digits, batch_size=32, accumulate=2, epochs=1)
    large.fit()
    small.fit()
    assert len(small.batches) // 2 == len(large.batches)
    torch.testing.assert_close(weights(small.network), weights(large.network), atol=1e-6, rtol=1e-5)


def test_clipping_limits_the_gradient(few_digits):
    norms = []

    class Norm(Callback):
        def on_step(self, state):
            norms.append(float(made.optimizer.state[next(iter(made.network.parameters()))]["momentum_buffer"].norm()))

    made = session(few_digits, clip=0.01, epochs=1, momentum=0.1)
    made.fit([Norm()])
    assert max(norms) <= 0.01 / (1 - 0.1) + 1e-6


def test_early_stopping_ends_after_the_asked_epochs_without_improvement(few_digits):
    state = session(few_digits, epochs=40, learning_rate=0.0, early_stopping=3).fit()
    assert state.best["epoch"] == 1
    assert len(state.history) == 4


def test_the_average_is_what_is_validated(few_digits):
    made = session(few_digits, average=0.9, epochs=2)
    validated = []

    class Best(Callback):
        def on_best(self, state, network):
            validated.append(network)

    made.fit([Best()])
    assert all(network is made.average for network in validated)
    assert not torch.equal(weights(made.average.module), weights(made.network))


@pytest.mark.parametrize("settings", [{"mixup": 0.4}, {"cutmix": 1.0}, {"mixup": 0.2, "cutmix": 0.2}])
def test_mixed_images_train_without_a_training_accuracy(few_digits, settings):
    state = session(few_digits, epochs=1, augment=1.0, **settings).fit()
    assert set(state.history[0]["train"]) == {"loss"}


@pytest.mark.parametrize("balance", ["weights", "sampling"])
def test_balancing_trains(few_digits, balance):
    assert np.isfinite(session(few_digits, epochs=1, balance=balance).fit().history[0]["train"]["loss"])


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_same_seed_same_bits(few_digits, precision, optimizer):
    settings = {"network": "small_resnet", "epochs": 1, "augment": 1.0, "dropout": 0.2, "learning_rate": 0.01}
    settings |= {"precision": precision, "optimizer": optimizer}
    first, again, other = (session(few_digits, **settings, seed=seed) for seed in (1, 1, 2))
    histories = [made.fit().history for made in (first, again, other)]
    assert torch.equal(weights(first.network), weights(again.network))
    assert histories[0] == histories[1] != histories[2]


@pytest.mark.parametrize("unfreeze_every", [0, 1])
@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
def test_layers_can_wake_later_with_any_optimizer(few_digits, optimizer, unfreeze_every):
    settings = {"network": "small_resnet", "optimizer": optimizer, "epochs": 4, "learning_rate": 0.01}
    made = session(few_digits, **settings, freeze_epochs=1, unfreeze_every=unfreeze_every)
    before = {name: value.clone() for name, value in made.network.state_dict().items()}
    rested = []

    class AfterFirst(Callback):
        def on_best(self, state, network):
            if state.epoch == 1:
                now = made.network.state_dict()
                rested.extend(name for name, value in before.items() if torch.equal(value, now[name]))

    made.fit([AfterFirst()])
    assert set(before) - set(rested) == {"head.weight", "head.bias"}  # statistics of normalization rest too
    deep = "stages.3.0.convolutions.0.weight"
    assert not torch.equal(before[deep], made.network.state_dict()[deep])


def test_a_batch_of_one_image_cannot_be_normalized(few_digits):
    with pytest.raises(RecipeError, match="--batch-size 2 or more"):
        session(few_digits, network="small_resnet", batch_size=1)


def test_a_device_that_is_not_here_is_one_sentence(few_digits):
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(RecipeError, match="cannot compute on 'cuda'.*--device auto"):
        session(few_digits, device="cuda")


def test_outputs_that_are_not_numbers_stop_training_in_a_sentence(few_digits):
    class Diverge(Callback):
        def on_step(self, state):
            if state.step == len(made.batches):
                with torch.no_grad():
                    made.network.head.weight.fill_(float("inf"))

    made = session(few_digits)
    with pytest.raises(TrainingError, match="outputs are not numbers"):
        made.fit([Diverge()])


def test_weights_that_are_not_numbers_are_not_saved(few_digits, tmp_path):
    made = session(few_digits)
    made.save(tmp_path / "checkpoint.safetensors")
    good = (tmp_path / "checkpoint.safetensors").read_bytes()
    with torch.no_grad():
        made.network.head.weight[0, 0] = float("nan")
    with pytest.raises(TrainingError, match="weights are not numbers"):
        made.save(tmp_path / "checkpoint.safetensors")
    assert (tmp_path / "checkpoint.safetensors").read_bytes() == good


def test_a_loss_that_is_not_a_number_stops_training_in_a_sentence(few_digits):
    with pytest.raises(TrainingError, match="not a number any more .epoch 1.*--learning-rate"):
        session(few_digits, learning_rate=1e30).fit()


def test_a_callback_can_stop_after_a_step(few_digits):
    class Stop(Callback):
        def on_step(self, state: TrainingState):
            state.stop = state.epoch == 1 and state.step == 3

    state = session(few_digits).fit([Stop()])
    assert (state.epoch, state.step, len(state.history)) == (1, 3, 1)


def test_a_time_budget_becomes_epochs(few_digits):
    made = session(few_digits, epochs=None, minutes=0.02)
    assert made.recipe.training.minutes is None
    assert made.recipe.training.epochs >= 1
    longer = session(few_digits, epochs=None, minutes=2.0)  # a hundred times: measuring is not exact
    assert longer.recipe.training.epochs > made.recipe.training.epochs


def test_measuring_throughput_leaves_the_network_as_it_was(few_digits):
    made = session(few_digits, network="small_resnet")
    before = {name: value.clone() for name, value in made.network.state_dict().items()}
    speeds = measure_throughput(made)
    assert set(speeds) == {"loader", "model"}
    assert all(value > 0 for value in speeds.values())
    assert all(torch.equal(value, before[name]) for name, value in made.network.state_dict().items())
