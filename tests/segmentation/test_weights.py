"""Weights in a file: the same answers from it, and nothing from another."""

from dataclasses import asdict

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from gliocast.core import InputError
from gliocast.segmentation.unet import UNet, UNetConfig
from gliocast.segmentation.weights import (
    SegmentationWeights,
    load_segmentation,
    save_segmentation,
    shipped_segmentation,
)
from gliocast.train import write_weights

CONFIG = UNetConfig(num_classes=5, channels=(8, 16), residual=False, patch=2, reduction=4)
SIZES = asdict(CONFIG)
FORMAT = "gliocast segmentation 1"


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return UNet(CONFIG)


@pytest.fixture
def path(tmp_path, network):
    save_segmentation(tmp_path / "weights.safetensors", SegmentationWeights(network, 16))
    return tmp_path / "weights.safetensors"


def test_saved_network_gives_the_same_answers_to_half_precision(path, network):
    found = load_segmentation(path)
    assert (found.network.config, found.edge) == (CONFIG, 16)
    assert not found.network.training
    scans = torch.randn(1, 4, 16, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        answer, expected = found.network(scans), network.eval()(scans)
    torch.testing.assert_close(answer, expected, atol=1e-2 * expected.std().item(), rtol=0)
    assert not torch.equal(answer, expected)  # half precision is half of the size


def test_weights_that_were_read_are_written_as_the_same_bytes(path, tmp_path):
    save_segmentation(tmp_path / "again.safetensors", load_segmentation(path))
    assert (tmp_path / "again.safetensors").read_bytes() == path.read_bytes()


def test_a_file_takes_two_bytes_for_a_weight(path, network):
    num_weights = sum(parameter.numel() for parameter in network.parameters())
    assert 2 * num_weights < path.stat().st_size < 2 * num_weights + 10_000


def refused(path):
    with pytest.raises(InputError) as refusal:
        load_segmentation(path)
    message = str(refusal.value)
    assert message.startswith(f"weights {path.name}: expected ")
    assert "\n" not in message
    return message


def test_absent_weights_are_refused_with_the_command_that_makes_them(tmp_path):
    assert "gliocast train segmentation" in refused(tmp_path / "none.safetensors")


def test_a_changed_tensor_is_noticed(path):
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
    tensors["head.bias"][0] += 1
    save_file(tensors, path, metadata=metadata)
    assert "hash" in refused(path)


@pytest.mark.parametrize("size", [0, 5, 1000, -1])
def test_a_truncated_file_is_refused(path, size):
    path.write_bytes(path.read_bytes()[:size])
    assert "something else" in refused(path)


def test_another_kind_of_file_is_refused(path):
    path.write_text("no weights\n")
    assert "something else" in refused(path)


def test_a_folder_is_refused(tmp_path):
    assert "something else" in refused(tmp_path)


def test_weights_of_another_network_are_refused(path, network):
    write_weights(path, network.state_dict(), {"format": "gliocast morph-infer 1"})
    assert f"weights of format {FORMAT}, got gliocast morph-infer 1" in refused(path)


def described(**changes):
    return {"format": FORMAT, "edge": 16, "config": SIZES, **changes}


@pytest.mark.parametrize(
    "changes",
    [
        {"config": {**SIZES, "channels": (8, 24)}},
        {"config": {**SIZES, "channels": (8, 16, 16)}},
        {"config": {**SIZES, "num_classes": 4}},
        {"config": {**SIZES, "patch": 1}},
        {"config": {**SIZES, "squeeze_excitation": False}},
        {"config": {**SIZES, "depth": 3}},
        {"config": {**SIZES, "channels": 8}},
        {"config": None},
        {"edge": 18},
        {"edge": 0},
        {"edge": "wide"},
    ],
    ids=str,
)
def test_tensors_of_another_configuration_are_refused(path, network, changes):
    write_weights(path, network.state_dict(), described())
    load_segmentation(path)
    write_weights(path, network.state_dict(), described(**changes))
    assert "something else" in refused(path)


def test_a_configuration_that_makes_no_network_is_refused(path, network):
    write_weights(path, network.state_dict(), described(config={**SIZES, "groups": 7}))
    with pytest.raises(InputError, match="groups"):
        load_segmentation(path)


def test_shipped_weights_are_small_and_have_a_card():
    path = shipped_segmentation()
    assert path.stat().st_size < 16e6
    assert "research only" in path.with_suffix(".md").read_text(encoding="utf-8")
    assert load_segmentation().network.config.num_classes == 4
