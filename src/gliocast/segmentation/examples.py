"""Patients on disk as training wants them: cropped to the brain, scaled, in half precision, one file each."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from gliocast.core import InputError, Visit, bounding_box
from gliocast.data import whole_file
from gliocast.segmentation.classes import classes_of
from gliocast.segmentation.seen import in_frame

#: Change when files of before can't be used any more.
_FORMAT = "gliocast segmentation example 2"


@dataclass(frozen=True, eq=False)
class Example:
    """A patient's visit in the frame of the network, cropped to the brain.

    Args:
        scans: t1, t1c, t2, flair, scaled, zero outside of the brain, (4, x, y, z), float16.
        classes: with healthy brain, see `CLASSES`, (x, y, z), uint8.
        lower: index of the first voxel in the whole frame.
        shape: of the whole frame.
    """

    scans: Tensor
    classes: Tensor
    lower: tuple[int, int, int]
    shape: tuple[int, int, int]

    @classmethod
    def of(cls, visit: Visit) -> "Example":
        """The example of a segmented visit."""
        scans, brain, frame = in_frame(visit.study)
        classes = torch.from_numpy(classes_of(visit.labels, visit.brain))
        turned = frame.enter(classes[None].float(), "nearest")[0].to(torch.uint8) * brain
        box = bounding_box(brain.numpy())
        return cls(scans[(slice(None), *box.slices)].half(), turned[box.slices].contiguous(), box.lower, frame.shape)

    @property
    def middle(self) -> np.ndarray:
        """Middle of the whole frame, in voxels of this crop, (3,)."""
        return (np.array(self.shape) - 1) / 2 - np.array(self.lower)

    def place(self, edge: int, generator: np.random.Generator) -> np.ndarray:
        """Middle of a window that lies anywhere over the brain, (3,)."""
        room = np.array(self.classes.shape) - edge
        lower = [generator.integers(min(0, n), max(0, n) + 1) for n in room]
        return np.array(lower) + (edge - 1) / 2


@dataclass(frozen=True, eq=False)
class ExampleFolder:
    """Examples in a folder, by the names of the patients' folders."""

    folder: Path

    def has(self, name: str, source: str = "") -> bool:
        """Whether a patient's is there, made of the source that is asked for."""
        try:
            with safe_open(self._path(name), framework="pt") as file:
                described = json.loads((file.metadata() or {})["gliocast"])
        except (OSError, SafetensorError, KeyError, ValueError):
            return False
        return bool(described.get("format") == _FORMAT and described.get("source") == source)

    def write(self, name: str, example: Example, source: str = "") -> None:
        """Write one, as a whole or not at all; the source says what it was made of."""
        described = {
            "format": _FORMAT,
            "source": source,
            "lower": list(example.lower),
            "shape": list(example.shape),
        }
        with whole_file(self._path(name)) as temporary:
            tensors = {"scans": example.scans.contiguous(), "classes": example.classes.contiguous()}
            save_file(tensors, temporary, metadata={"gliocast": json.dumps(described)})

    def read(self, name: str) -> Example:
        """Read one.

        Raises:
            InputError: there is none, or it can't be read.
        """
        path = self._path(name)
        try:
            with safe_open(path, framework="pt") as file:
                described = json.loads((file.metadata() or {})["gliocast"])
                if described["format"] != _FORMAT:
                    raise ValueError(described["format"])
                lower, shape = (tuple(int(n) for n in described[key]) for key in ("lower", "shape"))
                return Example(file.get_tensor("scans"), file.get_tensor("classes"), lower, shape)  # type: ignore[arg-type]
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            raise InputError(
                f"example {path.name}",
                expected="one that was written here",
                got="none that can be read",
                advice="remove it; it will be made again",
            ) from error

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"
