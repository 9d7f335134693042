"""What a report shows, as a file: `report.npz`, from which the page is made again without the scans.

The content is a tree of dataclasses, mappings, tuples, numbers and arrays. The tree is written as JSON text, the arrays
beside it. An array that lies among the same results as an image is read from there; of other volumes only the box that
isn't zero is kept, and whole numbers of a scan as such. Only classes that are named here are built on reading, so that
no code of the file is run. Paths are left out: they may name the patient.
"""

import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from gliocast.core import (
    Anatomy,
    Density,
    Grid,
    InputError,
    LabelMap,
    LabelSchema,
    Parameter,
    Plan,
    Posterior,
    Scan,
    Support,
    Visit,
    Volume,
    bounding_box,
)
from gliocast.data import Results, read_any_volume
from gliocast.inference import IndependentPrior, UniformPrior
from gliocast.observation import Misfit
from gliocast.planning import BurdenSpread, CoverageBand, CoverageCurve, PlanComparison, Spread
from gliocast.planning.forecast import Clock, Course, Forecast
from gliocast.planning.isoeffect import IsoEffect
from gliocast.planning.outlook import Outlook
from gliocast.problem import PredictiveCheck, PredictiveMaps, PredictiveStatistic
from gliocast.report.content import ReportContent

#: Name of the file, and how it is arranged.
SAVED, LAYOUT = "report.npz", 3

#: Arrangements that are read: 2 knew no outlook, which is absent then.
_READABLE = (2, LAYOUT)

_CLASSES: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        Anatomy,
        BurdenSpread,
        Clock,
        CoverageBand,
        CoverageCurve,
        Course,
        Density,
        Forecast,
        Grid,
        IndependentPrior,
        IsoEffect,
        LabelMap,
        LabelSchema,
        Misfit,
        Outlook,
        Parameter,
        Plan,
        PlanComparison,
        Posterior,
        PredictiveCheck,
        PredictiveMaps,
        PredictiveStatistic,
        ReportContent,
        Scan,
        Spread,
        Support,
        UniformPrior,
        Visit,
        Volume,
    )
}


def save_content(path: Path, content: ReportContent, *, images: Mapping[str, np.ndarray]) -> None:
    """Write what a report shows.

    Args:
        path: of the file.
        content: of the report.
        images: arrays of it that lie among the same results as NIfTI images, by plain file name.
    """
    writer = _Writer({id(data): name for name, data in images.items()})
    tree = writer.encode(content)
    text = json.dumps({"layout": LAYOUT, "content": tree})
    arrays = {f"array_{n}": data for n, data in enumerate(writer.arrays)}
    np.savez_compressed(path, tree=np.frombuffer(text.encode(), dtype=np.uint8), **arrays)  # type: ignore[arg-type]


def load_content(results: Results | Path) -> ReportContent:
    """What the report of a folder shows.

    Args:
        results: that `gliocast run` or `gliocast demo` wrote, or their plain folder.

    Raises:
        InputError: a file is missing, damaged, or of another version.
    """
    if isinstance(results, Path):
        results = Results(results)
    path = results.path(SAVED)
    if not path.is_file():
        raise _unfit(f"no {SAVED}" if results.folder.is_dir() else "no folder of that name")
    try:
        with np.load(path, allow_pickle=False) as file:
            record = json.loads(bytes(file["tree"]))
            if record["layout"] not in _READABLE:
                raise _unfit(f"{SAVED} of another version")
            content = _Reader(results, dict(file)).decode(record["content"])
    except (
        OSError,
        KeyError,
        ValueError,
        TypeError,
        IndexError,
        AttributeError,
        EOFError,
        BadZipFile,
        zlib.error,
    ) as error:
        raise _unfit(f"a damaged {SAVED} ({type(error).__name__})") from error
    if not isinstance(content, ReportContent):
        raise _unfit(f"a {SAVED} without a report")
    return content


class _Writer:
    """Turns what a report shows into what JSON can hold; arrays go onto a list."""

    def __init__(self, images: Mapping[int, str]) -> None:
        self._images = images
        self.arrays: list[np.ndarray] = []

    def encode(self, value: Any) -> Any:
        """A tree of lists, mappings with one key, and what JSON knows."""
        if isinstance(value, np.generic):
            value = value.item()
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, Path):
            return None
        if isinstance(value, np.ndarray):
            return self._array(value)
        if isinstance(value, Mapping):
            return {"map": [[self.encode(key), self.encode(entry)] for key, entry in value.items()]}
        if isinstance(value, tuple | list):
            return [self.encode(entry) for entry in value]
        if is_dataclass(value) and type(value).__name__ in _CLASSES:
            parts = {field.name: self.encode(getattr(value, field.name)) for field in fields(value)}
            return {"class": type(value).__name__, "fields": parts}
        raise TypeError(f"a report shows no {type(value).__name__}")

    def _array(self, data: np.ndarray) -> dict[str, Any]:
        about: dict[str, Any] = {"dtype": data.dtype.str, "shape": list(data.shape)}
        if id(data) in self._images:
            return about | {"image": self._images[id(data)], "digest": _digest(data)}
        if data.ndim == 3 and data.any():
            box = bounding_box(data != 0)
            data, about["lower"] = data[box.slices], list(box.lower)
        whole = np.rint(data).astype(np.int16) if data.dtype.kind == "f" and _fits(data) else data
        self.arrays.append(whole if np.array_equal(whole, data) else data)
        return about | {"array": len(self.arrays) - 1}


def _digest(data: np.ndarray) -> str:
    """Of values as images hold them."""
    return hashlib.sha256(np.ascontiguousarray(data, dtype=np.float32).tobytes()).hexdigest()


def _fits(data: np.ndarray) -> bool:
    """Whether rounded values fit into 16 bits."""
    return bool(np.isfinite(data).all() and np.abs(data).max(initial=0) < np.iinfo(np.int16).max)


class _Reader:
    """Builds again what `_Writer` took apart."""

    def __init__(self, results: Results, arrays: Mapping[str, np.ndarray]) -> None:
        self._results, self._arrays = results, arrays

    def decode(self, value: Any) -> Any:
        """What a part of the tree stands for."""
        if isinstance(value, list):
            return tuple(self.decode(entry) for entry in value)
        if not isinstance(value, dict):
            return value
        if "map" in value:
            return {self.decode(key): self.decode(entry) for key, entry in value["map"]}
        if "class" in value:
            kind = _CLASSES[value["class"]]
            return kind(**{name: self.decode(entry) for name, entry in value["fields"].items()})
        return self._array(value)

    def _array(self, about: Mapping[str, Any]) -> np.ndarray:
        dtype, shape = np.dtype(about["dtype"]), tuple(about["shape"])
        if "image" in about:
            name = Path(about["image"]).name  # never another folder's
            data = read_any_volume(self._results.path(name), name.removesuffix(".nii.gz")).data
            if data.shape != shape:
                raise _unfit(f"{name} on another grid than the report's")
            if _digest(data) != about["digest"]:
                raise _unfit(f"another {name} than the report's")
            return data.astype(dtype)
        data = self._arrays[f"array_{about['array']}"].astype(dtype)
        if "lower" not in about:
            return data.reshape(shape)
        whole = np.zeros(shape, dtype=dtype)
        whole[tuple(slice(a, a + n) for a, n in zip(about["lower"], data.shape, strict=True))] = data
        return whole


def _unfit(got: str) -> InputError:
    return InputError(
        "results",
        expected="a folder that `gliocast run` or `gliocast demo` of this version wrote, with all of its files",
        got=got,
        advice="run it again",
    )
