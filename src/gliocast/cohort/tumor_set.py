"""A set of training tumors on disk: numbered shards, each there as a whole or not at all. Synthetic."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from gliocast.cohort.atlas_tumors import LEARNING_ACCURACY, LEARNING_SPACING_MM, AtlasTumor, TumorSource
from gliocast.cohort.shards import damaged, make_shards, require_same_set
from gliocast.core import Box, InputError
from gliocast.data import whole_file

#: Tumors in one shard.
SHARD_SIZE = 32


@dataclass(frozen=True)
class TumorSet:
    """Tumors of a source in a folder; what is there already isn't made again.

    Args:
        folder: where the shards lie.
        source: where tumors come from.
    """

    folder: Path
    source: TumorSource

    def __post_init__(self) -> None:
        require_same_set(self.folder, self._description(), "tumors")

    def make(self, count: int, *, num_workers: int = 1, progress: Callable[[float], None] | None = None) -> None:
        """Simulate the first `count` tumors, in whole shards; stopped at any moment, it goes on where it was.

        Args:
            count: number of tumors.
            num_workers: processes that simulate; the tumors don't depend on it.
            progress: called with the share that is there.
        """
        paths = [self._path(index) for index in range(-(-count // SHARD_SIZE))]
        make = partial(_make_shard, self)
        make_shards(self.folder, self._description(), paths, make, num_workers=num_workers, progress=progress)

    def __len__(self) -> int:
        """Tumors that are there, counted up to the first missing shard."""
        index = 0
        while self._path(index).exists():
            index += 1
        return index * SHARD_SIZE

    def load(self, count: int | None = None) -> Iterator[AtlasTumor]:
        """The first `count` tumors, or all that are there.

        Raises:
            InputError: fewer are there, or a shard can't be read.
        """
        there = len(self)
        if count is not None and count > there:
            raise InputError(
                f"training set {self.folder.name}",
                expected=f"{count} tumors",
                got=f"{there}",
                advice="let it be made first",
            )
        left = there if count is None else count
        for index in range(-(-left // SHARD_SIZE)):
            yield from _read(self._path(index))[: left - index * SHARD_SIZE]

    def _path(self, index: int) -> Path:
        return self.folder / f"tumors-{index:05d}.npz"

    def _description(self) -> dict[str, object]:
        described = {
            **asdict(self.source),
            "spacing_mm": LEARNING_SPACING_MM,
            "accuracy": LEARNING_ACCURACY,
            "shard_size": SHARD_SIZE,
        }
        return dict(json.loads(json.dumps(described)))


def _make_shard(tumors: TumorSet, index: int) -> None:
    first = index * SHARD_SIZE
    _write(tumors._path(index), [tumors.source[number] for number in range(first, first + SHARD_SIZE)])


def _write(path: Path, tumors: Sequence[AtlasTumor]) -> None:
    with whole_file(path) as temporary:
        np.savez_compressed(
            temporary,
            growth=np.array([tumor.growth for tumor in tumors]),
            seed=np.array([tumor.seed for tumor in tumors]),
            thresholds=np.array([tumor.thresholds for tumor in tumors]),
            box=np.array([tumor.box for tumor in tumors], dtype=np.int32),
            root_density=np.concatenate([tumor.root_density.ravel() for tumor in tumors]),
        )


def _read(path: Path) -> list[AtlasTumor]:
    try:
        with np.load(path, allow_pickle=False) as file:
            parts = {name: file[name] for name in ("growth", "seed", "thresholds", "box", "root_density")}
        boxes = [Box(*(tuple(map(int, corner)) for corner in corners)) for corners in parts["box"]]  # type: ignore[arg-type]
        flat = np.split(parts["root_density"], np.cumsum([box.num_voxels for box in boxes])[:-1])
        return [
            AtlasTumor(growth, seed, thresholds, box, part.reshape([b - a for a, b in zip(*box, strict=True)]))
            for growth, seed, thresholds, box, part in zip(
                parts["growth"], parts["seed"], parts["thresholds"], boxes, flat, strict=True
            )
        ]
    except (OSError, ValueError, KeyError, BadZipFile) as error:
        raise damaged(path) from error
