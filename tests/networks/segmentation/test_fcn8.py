import pytest
import torch
from torch import nn

from opsin.networks.segmentation.fcn8 import DENSE, FCN8, SIDE, STAGES


class SmallVGG16(nn.Module):
    """A VGG16 of a sixty-fourth of the channels, with dense layers, as torchvision builds it."""

    def __init__(self, width=1 / 64):
        super().__init__()
        layers, channels = [], 3
        for stage in STAGES:
            for outgoing in (round(width * channels) for channels in stage):
                layers += [nn.Conv2d(channels, outgoing, 3, padding=1), nn.ReLU()]
                channels = outgoing
            layers.append(nn.MaxPool2d(2))
        dense = round(width * DENSE)
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(channels * SIDE**2, dense), nn.ReLU(), nn.Linear(dense, dense), nn.ReLU(), nn.Linear(dense, 5)
        )

    def forward(self, images):
        return self.classifier[:4](self.features(images).flatten(1))


def as_torchvision(state):
    """Its dropout layers count in the numbers of its layers."""
    return {name.replace("classifier.2", "classifier.3"): value for name, value in state.items()}


def as_timm(state):
    """Its dense layers are convolutions already."""
    side = int((state["classifier.0.weight"].shape[1] / state["features.28.weight"].shape[0]) ** 0.5)
    names = {"classifier.0": "pre_logits.fc1", "classifier.2": "pre_logits.fc2"}
    result = {}
    for name, value in state.items():
        layer, _, kind = name.rpartition(".")
        if layer == "classifier.0" and kind == "weight":
            value = value.view(len(value), -1, side, side)
        result[f"{names.get(layer, layer)}.{kind}"] = value
    return result


@pytest.mark.parametrize("names", [as_torchvision, as_timm])
def test_dense_layers_as_convolutions_give_the_same_numbers_everywhere(names):
    torch.manual_seed(0)
    classifier = SmallVGG16().eval()
    for layer in classifier.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
    network = FCN8(3, 3, (224, 224), width=1 / 64).eval()
    network.load_vgg16(names(classifier.state_dict()))
    images = torch.randn(1, 3, 224, 256)
    features = images
    for stage in network.stages:
        features, _ = network.pool(stage(features))
    torch.testing.assert_close(features, classifier.features(images))
    scores = network.dense(features)
    for column in range(2):
        # Where the first dense layer's 7x7 window lies wholly on the 7x8 map.
        seen = classifier.classifier[:4](features[..., column : column + SIDE].flatten(1))
        assert seen.abs().max() > 0.1
        torch.testing.assert_close(scores[:, :, 3, 3 + column], seen)


def test_grey_images_sum_the_first_weights_over_the_colors():
    classifier = SmallVGG16()
    network = FCN8(2, 1, (64, 64), width=1 / 64)
    network.load_vgg16(as_timm(classifier.state_dict()))
    grey = torch.randn(1, 1, 32, 32)
    torch.testing.assert_close(network.stages[0][0](grey), classifier.features[0](grey.expand(-1, 3, -1, -1)))


def test_weights_that_do_not_fit():
    state = as_timm(SmallVGG16().state_dict())
    with pytest.raises(ValueError, match="full width"):
        FCN8(2, 3, (64, 64), width=1 / 32).load_vgg16(state)
    with pytest.raises(ValueError, match="not the weights of a VGG16"):
        FCN8(2, 3, (64, 64), width=1 / 64).load_vgg16({"features.0.weight": state["features.0.weight"]})


def test_scores_of_three_sizes_are_added():
    network = FCN8(2, 3, (64, 64), width=1 / 64).eval()
    images = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        together = network(images)
        features, pooled = images, []
        for stage in network.stages:
            features, _ = network.pool(stage(features))
            pooled.append(features)
        parts = []
        inputs = [network.dense(features), pooled[3], pooled[2]]
        for number, factor in enumerate((32, 16, 8)):
            scores = network.head.scores[number](inputs[number])
            for enlarge in list(network.head.enlarge)[number:]:
                scores = enlarge(scores)
            assert scores.shape[2:] == (inputs[number].shape[2] * factor, inputs[number].shape[3] * factor)
            parts.append(scores)
    torch.testing.assert_close(together, sum(parts))  # it begins as bilinear interpolation, which is linear


@pytest.mark.parametrize("upsampling", ["transposed", "unpooling"])
def test_the_full_size_is_that_of_the_paper(upsampling):
    with torch.device("meta"):
        encoder = FCN8(21, 3, (224, 224), upsampling=upsampling)
    counted = sum(p.numel() for module in (encoder.stages, encoder.dense) for p in module.parameters())
    assert counted == 134_260_544  # VGG16 has 138,357,544 with its last layer of 4,097,000
