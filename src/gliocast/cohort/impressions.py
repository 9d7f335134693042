"""What references say of the tumors of many courses, on disk: what a network learns to read. Synthetic."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from gliocast.cohort.atlas_tumors import LEARNING_ACCURACY, TumorRanges, learning_forward
from gliocast.cohort.courses import COURSE_SPACING_MM, NUM_MOMENTS, course, course_anatomy
from gliocast.cohort.shards import damaged, make_shards, require_same_set
from gliocast.core import InputError, OutsideTissueError
from gliocast.data import whole_file
from gliocast.inference.morph_infer.references import NUM_SCALARS, NUM_VECTORS, REFERENCE_WIDTHS_MM, References

#: Courses in one shard.
SHARD_SIZE = 16


@dataclass(frozen=True, eq=False)
class Lessons:
    """Impressions of tumors, and the truth behind them.

    Args:
        courses: number of each tumor's course, (num,).
        scalars: (num, NUM_SCALARS).
        vectors: (num, NUM_VECTORS, 3).
        centers: middles of the cores, world coordinates [mm, RAS], (num, 3).
        radii: of the whole tumors [mm], (num,).
        identifiable: sqrt(D_w T) [mm], sqrt(rho T) [1], seed [mm], (num, 5).
        thresholds: of T1c and FLAIR [1], (num, 2).
    """

    courses: np.ndarray
    scalars: np.ndarray
    vectors: np.ndarray
    centers: np.ndarray
    radii: np.ndarray
    identifiable: np.ndarray
    thresholds: np.ndarray

    def where(self, chosen: np.ndarray) -> "Lessons":
        """Those of a mask or of indices."""
        return Lessons(**{name: part[chosen] for name, part in vars(self).items()})


@dataclass(frozen=True)
class ImpressionSet:
    """Impressions of the first courses of a seed, in a folder; what is there already isn't made again.

    Args:
        folder: where the shards lie.
        seed: of the courses.
        ranges: of parameters and sizes.
    """

    folder: Path
    seed: int
    ranges: TumorRanges = field(default_factory=TumorRanges)

    def __post_init__(self) -> None:
        require_same_set(self.folder, self._description(), "impressions")

    def make(self, count: int, *, num_workers: int = 1, progress: Callable[[float], None] | None = None) -> None:
        """Simulate the first `count` courses, in whole shards, and look at their tumors; see `make_shards`."""
        paths = [self._path(index) for index in range(-(-count // SHARD_SIZE))]
        make_shards(
            self.folder, self._description(), paths, self._make_shard, num_workers=num_workers, progress=progress
        )

    def load(self, count: int, *, partly: bool = False) -> Lessons:
        """The tumors of the first `count` courses.

        Args:
            count: number of courses.
            partly: whether those that are there will do.

        Raises:
            InputError: some are absent, or a shard can't be read.
        """
        shards = [
            self._read(index)
            for index in range(-(-count // SHARD_SIZE))
            if not partly or index == 0 or self._path(index).exists()
        ]
        joined = Lessons(*(np.concatenate(parts) for parts in zip(*(vars(s).values() for s in shards), strict=True)))
        return joined.where(joined.courses < count)

    def _make_shard(self, index: int) -> None:
        rows = []
        for number in range(index * SHARD_SIZE, (index + 1) * SHARD_SIZE):
            for tumor in course(number, seed=self.seed, ranges=self.ranges):
                try:
                    seen = _references().look(*tumor.outlines)
                except OutsideTissueError:
                    continue
                rows.append(
                    (number, seen.scalars, seen.vectors, seen.center, seen.radius, tumor.identifiable, tumor.thresholds)
                )
        shapes = ((), (NUM_SCALARS,), (NUM_VECTORS, 3), (3,), (), (5,), (2,))
        columns = zip(*rows, strict=True) if rows else [()] * len(shapes)
        lessons = Lessons(*(np.array(part).reshape(-1, *shape) for part, shape in zip(columns, shapes, strict=True)))
        with whole_file(self._path(index)) as temporary:
            np.savez_compressed(temporary, **vars(lessons))

    def _read(self, index: int) -> Lessons:
        path = self._path(index)
        if not path.exists():
            raise InputError(
                f"training set {self.folder.name}", expected=path.name, got="none", advice="let it be made first"
            )
        try:
            with np.load(path, allow_pickle=False) as file:
                return Lessons(**{name: file[name] for name in Lessons.__dataclass_fields__})
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise damaged(path) from error

    def _path(self, index: int) -> Path:
        return self.folder / f"impressions-{index:05d}.npz"

    def _description(self) -> dict[str, object]:
        return {
            "seed": self.seed,
            "ranges": asdict(self.ranges),
            "spacing_mm": COURSE_SPACING_MM,
            "moments": NUM_MOMENTS,
            "accuracy": LEARNING_ACCURACY,
            "reference_widths_mm": REFERENCE_WIDTHS_MM,
        }


@lru_cache(maxsize=1)
def _references() -> References:
    return References(learning_forward("fisher-kolmogorov"), course_anatomy())
