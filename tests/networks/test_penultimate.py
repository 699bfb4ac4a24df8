from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from opsin.data.preprocessing import Preprocessing
from opsin.errors import NetworkError
from opsin.networks.layer_groups import head_of
from opsin.networks.penultimate import entering_head, penultimate_features
from opsin.networks.registry import create_network

PREPROCESSING = Preprocessing(32, 32, 3, mean=(0.4, 0.5, 0.6), std=(0.2, 0.25, 0.3))


@pytest.fixture
def pixels():
    return torch.randint(0, 256, (7, 32, 32, 3), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)


@pytest.mark.parametrize("name", ["mlp", "course_cnn", "small_resnet", "tf_efficientnet_lite0", "resnet10t", "vgg11"])
def test_the_last_layer_turns_the_features_into_the_logits(name, pixels):
    torch.manual_seed(0)
    network = create_network(name, 4, 3, (32, 32)).train()
    rows = torch.tensor([5, 0, 3])
    features = penultimate_features(network, PREPROCESSING, pixels, rows, batch_size=2)
    assert features.dtype == np.float32 and features.shape[0] == 3
    assert network.training
    network.eval()
    with torch.no_grad():
        wanted = network(PREPROCESSING.standardize(pixels[rows]))
        logits = head_of(network)(torch.from_numpy(features))
    torch.testing.assert_close(logits, wanted, rtol=1e-4, atol=1e-5)


def test_features_are_watched_while_a_network_predicts(pixels):
    network = create_network("small_resnet", 4, 3, (32, 32)).eval()
    images = PREPROCESSING.standardize(pixels)
    with entering_head(network) as features, torch.no_grad():
        network(images[:3]), network(images[3:5])
        first = features().numpy()
        network(images[5:])
        second = features().numpy()
    wanted = penultimate_features(network, PREPROCESSING, pixels, torch.arange(7))
    np.testing.assert_allclose(np.concatenate([first, second]), wanted, rtol=1e-4, atol=1e-5)
    assert len(first) == 5 and not head_of(network)._forward_pre_hooks


def test_two_last_layers_give_their_inputs_side_by_side(pixels):
    network = create_network("deit_tiny_distilled_patch16_224", 4, 3, (32, 32))
    features = penultimate_features(network, PREPROCESSING, pixels, torch.arange(2))
    assert features.shape == (2, 2 * 192)
    assert not np.allclose(features[:, :192], features[:, 192:])


def test_maps_are_averaged_over_their_places(pixels):
    class Convolutional(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Conv2d(3, 4, 1)

        def forward(self, images):
            return self.head(images).mean(dim=(2, 3))

    features = penultimate_features(Convolutional(), PREPROCESSING, pixels, torch.arange(7))
    np.testing.assert_allclose(features, PREPROCESSING.standardize(pixels).mean(dim=(2, 3)).numpy(), rtol=1e-5)


def test_no_hook_is_left_behind_and_progress_is_told(pixels):
    network, told = create_network("mlp", 4, 3, (32, 32)), []
    penultimate_features(
        network, PREPROCESSING, pixels, torch.arange(7), batch_size=3, progress=lambda *at: told.append(at)
    )
    assert told == [(3, 7), (6, 7), (7, 7)]
    assert not head_of(network)._forward_pre_hooks


def test_no_images_and_no_last_layer(pixels):
    network = create_network("mlp", 4, 3, (32, 32))
    assert len(penultimate_features(network, PREPROCESSING, pixels, torch.arange(0))) == 0
    with pytest.raises(NetworkError, match="no recognizable head"):
        penultimate_features(nn.Flatten(), PREPROCESSING, pixels, torch.arange(2))
