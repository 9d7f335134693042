"""Weights of the networks in files, and what they are for."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path

from gliocast.inference.morph_infer.network import InverseNetwork, NetworkConfig
from gliocast.inference.morph_infer.reading import ReadingConfig, ReadingNetwork
from gliocast.inference.morph_infer.references import REFERENCE_RATIOS, REFERENCE_WIDTHS_MM
from gliocast.inference.morph_infer.scaling import scaling_of
from gliocast.inference.morph_infer.window import NUM_MOMENTS, WINDOW
from gliocast.train import not_weights, read_weights, refuse_weights, write_weights

#: Change when weights of before can't be used any more.
_FORMAT, _READING_FORMAT = "gliocast morph-infer 1", "gliocast morph-infer-references 2"

#: What the networks are to a user.
_KIND = "the morph-infer network"

#: What references are, as a file states it.
_REFERENCES = {"widths_mm": list(REFERENCE_WIDTHS_MM), "ratios": list(REFERENCE_RATIOS)}


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


def shipped_reading() -> Path:
    """The file of the weights that come with this package for the networks that read references."""
    return Path(str(files("gliocast"))) / "weights" / "morph-infer-references.safetensors"


def save_weights(path: Path, weights: Weights) -> None:
    """Write weights in half precision; the file carries the hash of its tensors."""
    described = {
        "format": _FORMAT,
        "window": WINDOW,
        "config": asdict(weights.network.config),
        "model": weights.model,
        "parametrization": weights.parametrization,
        "spacing_mm": weights.spacing_mm,
    }
    write_weights(path, weights.network.state_dict(), described)


def load_weights(path: Path) -> Weights:
    """Read weights of the network that looks at outlines.

    Raises:
        InputError: there are none, they don't fit this version, or the file isn't as it was written.
    """
    described, tensors = read_weights(path, _FORMAT, kind=_KIND, command="gliocast train morph-infer")
    try:
        config = NetworkConfig(**described["config"])
        known = (config.num_outputs, config.num_moments, described["window"])
        if known != (len(scaling_of(described["parametrization"]).names), NUM_MOMENTS, WINDOW):
            raise refuse_weights(path, "weights that fit the code", "another number of parameters", "train them anew")
        network = InverseNetwork(config)
        network.load_state_dict(tensors)
        return Weights(network.eval(), described["model"], described["parametrization"], float(described["spacing_mm"]))
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise not_weights(path, _KIND) from error


def save_reading(path: Path, networks: Sequence[ReadingNetwork]) -> None:
    """Write weights of the networks that read references, one for each look, in half precision."""
    tensors = {
        f"{look}.{name}": tensor
        for look, network in enumerate(networks)
        for name, tensor in network.state_dict().items()
    }
    described = {
        "format": _READING_FORMAT,
        "configs": [asdict(network.config) for network in networks],
        "references": _REFERENCES,
    }
    write_weights(path, tensors, described)


def load_reading(path: Path) -> tuple[ReadingNetwork, ...]:
    """Read weights of the networks that read references, one for each look.

    Raises:
        InputError: there are none, they don't fit this version, or the file isn't as it was written.
    """
    described, tensors = read_weights(path, _READING_FORMAT, kind=_KIND, command="gliocast train references")
    try:
        if described["references"] != _REFERENCES:
            raise refuse_weights(
                path, f"references {_REFERENCES}", "others", "train them anew: gliocast train references"
            )
        networks = tuple(ReadingNetwork(ReadingConfig(**config)) for config in described["configs"])
        for look, network in enumerate(networks):
            own = {name: tensors[f"{look}.{name}"] for name in network.state_dict()}
            network.load_state_dict(own)
            network.eval()
        if not networks or [network.config.closer for network in networks] != [
            look > 0 for look in range(len(networks))
        ]:
            raise refuse_weights(path, "a first look, and closer ones after it", "others", "get the file again")
        return networks
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise not_weights(path, _KIND) from error
