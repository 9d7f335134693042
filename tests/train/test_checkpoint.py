import pytest
import torch

from gliocast.core import InputError
from gliocast.train import load_checkpoint, save_checkpoint


def test_tensors_of_every_kind_and_layout_come_back(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    shared = torch.arange(6.0).reshape(2, 3)
    tensors = {
        "a": shared,
        "turned": shared.T,
        "same": shared,
        "count": torch.tensor(3),
        "bytes": torch.zeros(0).byte(),
    }
    save_checkpoint(path, tensors, key="k", state={"step": 1, "figure": float("-inf")})
    found, state = load_checkpoint(path, key="k")
    assert state == {"step": 1, "figure": float("-inf")}
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)
    assert load_checkpoint(tmp_path / "none", key="k") is None


def test_a_damaged_checkpoint_is_refused(tmp_path):
    path = tmp_path / "checkpoint.safetensors"
    save_checkpoint(path, {"a": torch.ones(3)}, key="k", state={"step": 1})
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(InputError, match="damaged"):
        load_checkpoint(path, key="k")
