import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from gliocast.core import InputError
from gliocast.train import read_weights, write_weights


def tensors():
    return {"a": torch.randn(4, 3, generator=torch.Generator().manual_seed(0)), "count": torch.tensor(100_000)}


def read(path, form="net 1"):
    return read_weights(path, form, kind="the test network", command="gliocast train test")


def test_weights_come_back_in_half_precision_and_whole_numbers_as_they_are(tmp_path):
    path = tmp_path / "w.safetensors"
    write_weights(path, tensors(), {"format": "net 1", "config": {"size": 3}})
    described, found = read(path)
    assert described["config"] == {"size": 3}
    assert found["a"].dtype == torch.float32
    assert torch.equal(found["a"], tensors()["a"].half().float())
    assert int(found["count"]) == 100_000
    assert path.stat().st_size < 1000


def test_weights_that_are_absent_other_changed_or_none_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(InputError, match="train them: gliocast train test"):
        read(path)
    write_weights(path, tensors(), {"format": "net 1"})
    with pytest.raises(InputError, match="expected weights of format net 2, got net 1"):
        read(path, "net 2")
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
    save_file({name: tensor + 1 for name, tensor in tensors().items()}, path, metadata=metadata)
    with pytest.raises(InputError, match="hash"):
        read(path)
    save_file(tensors(), path)
    with pytest.raises(InputError, match="expected weights of the test network, got something else"):
        read(path)
    path.write_bytes(b"not weights")
    with pytest.raises(InputError, match="something else"):
        read(path)


@pytest.mark.parametrize("value", [float("nan"), 1e5])
def test_what_half_precision_cannot_hold_is_not_written(tmp_path, value):
    path = tmp_path / "w.safetensors"
    with pytest.raises(InputError, match="others in a;"):
        write_weights(path, {"a": torch.tensor([value])}, {"format": "net 1"})
    assert list(tmp_path.iterdir()) == []
