"""Weights of networks in files: tensors in half precision and what they are for; loading runs no code."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from gliocast.core import InputError
from gliocast.train.whole import write_whole


def write_weights(path: Path, tensors: Mapping[str, Tensor], described: Mapping[str, object]) -> None:
    """Write weights in half precision, with the hash of the tensors; whole numbers stay as they are.

    Args:
        path: file to write, in a folder that exists.
        tensors: by name.
        described: what the weights are for, as JSON can write it; "format" is the one that `read_weights` asks for.

    Raises:
        InputError: a weight is nan or too large for half precision, or the file can't be written.
    """
    half = {name: _halved(path, name, tensor) for name, tensor in tensors.items()}
    metadata = {"gliocast": json.dumps({**described, "hash": _hash(half)}, sort_keys=True)}
    write_whole(path, save(half, metadata=metadata))


def read_weights(path: Path, form: str, *, kind: str, command: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Description and tensors of a file of a format, in single precision.

    Args:
        path: file to read.
        form: its format.
        kind: what network it is for, as a user knows it.
        command: that trains one.

    Raises:
        InputError: there is no such file, it has another format, or it isn't as it was written.
    """
    if not path.exists():
        raise refuse_weights(path, "a file of weights", "none", f"train them: {command}")
    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads((file.metadata() or {})["gliocast"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        found, stated = described["format"], described["hash"]
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        raise not_weights(path, kind) from error
    if found != form:
        raise refuse_weights(path, f"weights of format {form}", f"{found}", "train them anew")
    if stated != _hash(tensors):
        raise refuse_weights(path, "tensors with the hash that the file states", "others", "get the file again")
    return described, {
        name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in tensors.items()
    }


def refuse_weights(path: Path, expected: str, got: str, advice: str) -> InputError:
    """What to raise about a file of weights."""
    return InputError(f"weights {path.name}", expected=expected, got=got, advice=advice)


def not_weights(path: Path, kind: str) -> InputError:
    """What to raise where a file is something else than weights of a network."""
    return refuse_weights(path, f"weights of {kind}", "something else", "get the file again")


def _halved(path: Path, name: str, tensor: Tensor) -> Tensor:
    plain = tensor.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
    if not plain.is_floating_point():
        return plain
    half = plain.half()
    if not torch.isfinite(half).all():
        raise refuse_weights(path, "numbers within half precision", f"others in {name}", "train them anew")
    return half


def _hash(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)} {tensors[name].dtype}".encode())
        digest.update(tensors[name].contiguous().numpy().tobytes())
    return digest.hexdigest()
