from __future__ import annotations

import torch

from opsin.networks.registry import create_network
from opsin.networks.summary import summarize


def test_course_cnn_layer_by_layer():
    network = create_network("course_cnn", 10, 1, (28, 28))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    summary = summarize(network, (1, 28, 28))
    assert summary["parameters"] == 21_578
    assert [layer["parameters"] for layer in summary["layers"]] == [80, 1_168, 4_640, 15_690]
    assert [layer["output"] for layer in summary["layers"]] == [[8, 28, 28], [16, 14, 14], [32, 7, 7], [10]]
    # By hand: kernel size x input channels x output values of each convolution, plus the dense layer.
    assert summary["macs"] == 9 * 8 * 784 + 72 * 16 * 196 + 144 * 32 * 49 + 1_568 * 10
    assert network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_frozen_layers_are_marked():
    network = create_network("mlp", 3, 1, (8, 8))
    network.hidden.requires_grad_(False)
    assert [layer["trainable"] for layer in summarize(network, (1, 8, 8))["layers"]] == [False, True]
