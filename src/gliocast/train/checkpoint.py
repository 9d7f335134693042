"""State of a training run in one file: tensors by name, and a few words; loading runs no code."""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gliocast.core import InputError
from gliocast.train.whole import write_whole


def save_checkpoint(path: Path, tensors: Mapping[str, Tensor], *, key: str, state: Mapping[str, object]) -> None:
    """Write a checkpoint; it replaces the one before only when it is whole.

    Args:
        path: file to write.
        tensors: by name.
        key: of what the run depends on.
        state: anything else, as JSON can write it.

    Raises:
        InputError: it can't be written, for lack of space perhaps; the checkpoint before stays.
    """
    own = {
        name: tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        for name, tensor in tensors.items()
    }
    content = save(own, metadata={"key": key, "state": json.dumps(state)})
    write_whole(path, content, kept="the run goes on from its last checkpoint when it is started again")


def load_checkpoint(path: Path, *, key: str) -> tuple[dict[str, Tensor], dict[str, object]] | None:
    """Tensors and state of a checkpoint; None where there is none.

    Raises:
        InputError: the file is damaged, or belongs to a run of another kind.
    """
    if not path.exists():
        return None
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = json.loads(metadata["state"])
            if metadata["key"] != key:
                raise InputError(
                    f"checkpoint {path.name}",
                    expected="one of a run with the same data, network and options",
                    got="one of another run",
                    advice="use another folder, or remove it",
                )
            return {name: file.get_tensor(name) for name in file.keys()}, state  # noqa: SIM118  # no mapping
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise InputError(
            f"checkpoint {path.name}", expected="a whole checkpoint", got="a damaged file", advice="remove it"
        ) from error
