"""Weights of the network in a file: tensors in half precision and what they are for; loading runs no code."""

import hashlib
import json
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from gliocast.core import InputError
from gliocast.inference.morph_infer.network import InverseNetwork, NetworkConfig
from gliocast.inference.morph_infer.scaling import scaling_of
from gliocast.inference.morph_infer.window import NUM_MOMENTS, WINDOW

#: Changes when weights of before can't be used any more.
_FORMAT = "gliocast morph-infer 1"


@dataclass(frozen=True, eq=False)
class Weights:
    """A trained network and what it is for.

    Args:
        network: with its weights.
        model: growth equation that it inverts.
        parametrization: of its answer, a name in `scaling.SCALINGS`.
        spacing_mm: voxel size that it looks at tumors with [mm].
    """

    network: InverseNetwork
    model: str
    parametrization: str
    spacing_mm: float


def shipped_weights(model: str) -> Path:
    """The file of the weights that come with this package for a growth equation; its card lies beside it."""
    return Path(str(files("gliocast"))) / "weights" / f"morph-infer-{model}.safetensors"


def save_weights(path: Path, weights: Weights) -> None:
    """Write weights in half precision; the file carries the hash of its tensors."""
    tensors = {name: tensor.half().contiguous() for name, tensor in weights.network.state_dict().items()}
    described = {
        "format": _FORMAT,
        "window": WINDOW,
        "config": asdict(weights.network.config),
        "model": weights.model,
        "parametrization": weights.parametrization,
        "spacing_mm": weights.spacing_mm,
        "hash": _hash(tensors),
    }
    temporary = path.with_name(f".{path.name}.new")
    save_file(tensors, temporary, metadata={"gliocast": json.dumps(described, sort_keys=True)})
    temporary.replace(path)


def load_weights(path: Path) -> Weights:
    """Read weights.

    Raises:
        InputError: there are none, they don't fit this version, or the file isn't as it was written.
    """
    if not path.exists():
        raise _refuse(path, "a file of weights", "none", "train them: gliocast train morph-infer")
    try:
        with safe_open(path, framework="pt") as file:
            described = json.loads((file.metadata() or {})["gliocast"])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # no mapping
        if described["format"] != _FORMAT or described["window"] != WINDOW:
            raise _refuse(path, f"weights of format {_FORMAT}", f"{described['format']}", "train them anew")
        if described["hash"] != _hash(tensors):
            raise _refuse(path, "tensors with the hash that the file states", "others", "get the file again")
        config = NetworkConfig(**described["config"])
        if (
            config.num_outputs != len(scaling_of(described["parametrization"]).names)
            or config.num_moments != NUM_MOMENTS
        ):
            raise _refuse(path, "weights that fit the code", "another number of parameters", "train them anew")
        network = InverseNetwork(config)
        network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except (SafetensorError, OSError, KeyError, TypeError, ValueError, RuntimeError) as error:
        if isinstance(error, InputError):
            raise
        raise _refuse(path, "weights of the morph-infer network", "something else", "get the file again") from error
    return Weights(network.eval(), described["model"], described["parametrization"], float(described["spacing_mm"]))


def _hash(tensors: dict[str, torch.Tensor]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(f"{name} {tuple(tensors[name].shape)} {tensors[name].dtype}".encode())
        digest.update(tensors[name].contiguous().numpy().tobytes())
    return digest.hexdigest()


def _refuse(path: Path, expected: str, got: str, advice: str) -> InputError:
    return InputError(f"weights {path.name}", expected=expected, got=got, advice=advice)
