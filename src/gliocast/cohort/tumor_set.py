"""A set of training tumors on disk: numbered shards, each there as a whole or not at all. Synthetic."""

import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from gliocast.cohort.atlas_tumors import LEARNING_ACCURACY, LEARNING_SPACING_MM, AtlasTumor, TumorSource
from gliocast.core import Box, InputError
from gliocast.data import whole_file

#: Tumors in one shard.
SHARD_SIZE = 32

_DESCRIPTION = "set.json"


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
        path = self.folder / _DESCRIPTION
        if not path.exists():
            return
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            found = "something else"
        if found != self._description():
            raise InputError(
                f"training set {self.folder.name}",
                expected="tumors of the same model, seed and ranges",
                got="others",
                advice="pick another folder, or remove this one",
            )

    def make(self, count: int, *, num_workers: int = 1, progress: Callable[[float], None] | None = None) -> None:
        """Simulate the first `count` tumors, in whole shards; stopped at any moment, it goes on where it was.

        Args:
            count: number of tumors.
            num_workers: processes that simulate; the tumors don't depend on it.
            progress: called with the share that is there.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        with whole_file(self.folder / _DESCRIPTION) as path:
            path.write_text(json.dumps(self._description(), indent=2) + "\n", encoding="utf-8")
        total = -(-count // SHARD_SIZE)
        absent = [index for index in range(total) if not self._path(index).exists()]
        if num_workers == 1:
            for done, index in enumerate(absent):
                _make_shard(self, index)
                _tell(progress, total - len(absent) + done + 1, total)
            return
        with ProcessPoolExecutor(num_workers, mp_context=get_context("spawn")) as pool:
            jobs = [pool.submit(_make_shard, self, index) for index in absent]
            for done, job in enumerate(as_completed(jobs)):
                job.result()
                _tell(progress, total - len(absent) + done + 1, total)

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


def _tell(progress: Callable[[float], None] | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done / total)


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
        raise InputError(
            f"training set, shard {path.name}",
            expected="a shard as it was written",
            got="a damaged file",
            advice="remove it; it will be made again",
        ) from error
