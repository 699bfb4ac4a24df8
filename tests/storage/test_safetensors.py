from __future__ import annotations

import pytest
import torch
from torch import nn

from opsin.errors import RunError
from opsin.storage.safetensors import load_weights, read_tensors, save_weights, write_tensors


def test_weights_round_trip_bit_for_bit_and_carry_facts(tmp_path):
    network = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3)).to(memory_format=torch.channels_last)
    save_weights(tmp_path / "a.safetensors", network, epoch=3)
    other = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))
    assert load_weights(tmp_path / "a.safetensors", other) == {"epoch": 3}
    for name, value in network.state_dict().items():
        assert torch.equal(value, other.state_dict()[name])


@pytest.mark.parametrize("length", range(40, 260, 3))
def test_no_header_is_taken_for_a_pickle(tmp_path, length):
    """The file begins with the header's length, whose bytes may be those of a pickle."""
    write_tensors(tmp_path / "a.safetensors", {"x" * length: torch.ones(2)}, {})
    assert read_tensors(tmp_path / "a.safetensors")[0]["x" * length].tolist() == [1, 1]


def test_pickles_missing_and_foreign_files_are_refused_in_a_sentence(tmp_path):
    torch.save({"a": torch.ones(1)}, tmp_path / "a.pt")
    with pytest.raises(RunError, match="could run any program"):
        read_tensors(tmp_path / "a.pt")
    with pytest.raises(RunError, match="is missing"):
        read_tensors(tmp_path / "none")
    save_weights(tmp_path / "b", nn.Linear(2, 2))
    with pytest.raises(RunError, match="weights of another network"):
        load_weights(tmp_path / "b", nn.Linear(3, 2))
