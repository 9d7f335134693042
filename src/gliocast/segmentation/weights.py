"""Weights of the segmentation network in a file, and those that come with this package."""

from dataclasses import asdict, dataclass, field
from importlib.resources import files
from pathlib import Path

from gliocast.core import InputError
from gliocast.segmentation.specks import Specks
from gliocast.segmentation.unet import UNet, UNetConfig
from gliocast.train import read_weights, write_weights

#: Change when weights of before can't be used any more.
_FORMAT = "gliocast segmentation 1"


@dataclass(frozen=True, eq=False)
class SegmentationWeights:
    """A trained network and what it is for.

    Args:
        network: with its weights.
        edge: of the windows that it was taught with [voxels].
        specks: what of its answers is better left out.
    """

    network: UNet
    edge: int
    specks: Specks = field(default_factory=Specks)


def shipped_segmentation() -> Path:
    """The file of the weights that come with this package; its card lies beside it."""
    return Path(str(files("gliocast"))) / "weights" / "segmentation.safetensors"


def save_segmentation(path: Path, weights: SegmentationWeights) -> None:
    """Write weights in half precision; the file carries the hash of its tensors."""
    described = {"format": _FORMAT, "config": asdict(weights.network.config), "edge": weights.edge}
    described["specks"] = asdict(weights.specks)
    write_weights(path, weights.network.state_dict(), described)


def load_segmentation(path: Path | None = None) -> SegmentationWeights:
    """Read weights, by default those that are shipped.

    Raises:
        InputError: there are none, they don't fit this version, or the file isn't as it was written.
    """
    path = path or shipped_segmentation()
    described, tensors = read_weights(
        path, _FORMAT, kind="the segmentation network", command="gliocast train segmentation"
    )
    try:
        config = dict(described["config"])
        network = UNet(UNetConfig(**{**config, "channels": tuple(config["channels"])}))
        network.load_state_dict(tensors)
        edge, specks = int(described["edge"]), Specks(**described.get("specks", {}))
        if edge < 1 or edge % network.config.multiple:
            raise ValueError(edge)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"weights {path.name}",
            expected="weights of the segmentation network",
            got="something else",
            advice="get the file again",
        ) from error
    return SegmentationWeights(network.eval(), edge, specks)
