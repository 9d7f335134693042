"""What references say of the tumors of many courses, on disk: what networks learn to read. Synthetic.

A set holds first looks, or closer ones, which go out from the answers of networks to the looks before.
"""

import hashlib
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
from gliocast.inference.morph_infer import Impression, Outlines, ReferenceReader, References, load_reading, outlines_of
from gliocast.inference.morph_infer.impression import NUM_ANSWERS, decode, encode
from gliocast.inference.morph_infer.references import REFERENCE_RATIOS, REFERENCE_WIDTHS_MM, impression_size

#: Courses in one shard.
SHARD_SIZE = 16

#: Share of the tumors whose outlines are drawn by a rater who errs; the others' are exact [1].
DRAWN_SHARE = 0.5


@dataclass(frozen=True, eq=False)
class Lessons:
    """Impressions of tumors, and the answers that would be right.

    Args:
        courses: number of each tumor's course, (num,).
        scalars: of the impressions, (num, num_scalars).
        vectors: (num, num_vectors, 3).
        answers: see `gliocast.inference.morph_infer.impression.encode`, (num, 7).
    """

    courses: np.ndarray
    scalars: np.ndarray
    vectors: np.ndarray
    answers: np.ndarray

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
        before: weights of the networks whose answer the look goes out from, a file; None for first looks.
    """

    folder: Path
    seed: int
    ranges: TumorRanges = field(default_factory=TumorRanges)
    before: Path | None = None

    def __post_init__(self) -> None:
        require_same_set(self.folder, self._description(), "impressions")

    def make(self, count: int, *, num_workers: int = 1, progress: Callable[[float], None] | None = None) -> None:
        """Simulate the first `count` courses, in whole shards, and look at their tumors; see `make_shards`."""
        paths = [self._path(index) for index in range(-(-count // SHARD_SIZE))]
        make_shards(
            self.folder, self._description(), paths, self._make_shard, num_workers=num_workers, progress=progress
        )

    def load(self, count: int) -> Lessons:
        """The tumors of the first `count` courses.

        Raises:
            InputError: some are absent, or a shard can't be read.
        """
        shards = [self._read(index) for index in range(-(-count // SHARD_SIZE))]
        joined = Lessons(*(np.concatenate(parts) for parts in zip(*(vars(s).values() for s in shards), strict=True)))
        return joined.where(joined.courses < count)

    def _make_shard(self, index: int) -> None:
        rows = []
        for number in range(index * SHARD_SIZE, (index + 1) * SHARD_SIZE):
            for place, tumor in enumerate(course(number, seed=self.seed, ranges=self.ranges)):
                generator = np.random.default_rng([self.seed, number, place])
                outlines = tumor.drawn(generator) if generator.uniform() < DRAWN_SHARE else tumor.outlines
                try:
                    seen = self._look(outlines_of(*outlines, course_anatomy()))
                except OutsideTissueError:
                    continue
                truth = np.concatenate([tumor.identifiable, tumor.thresholds])
                rows.append((number, seen.scalars, seen.vectors, encode(seen, truth)))
        num_scalars, num_vectors = impression_size(closer=self.before is not None)
        shapes = ((), (num_scalars,), (num_vectors, 3), (NUM_ANSWERS,))
        columns = zip(*rows, strict=True) if rows else [()] * len(shapes)
        lessons = Lessons(*(np.array(part).reshape(-1, *shape) for part, shape in zip(columns, shapes, strict=True)))
        with whole_file(self._path(index)) as temporary:
            np.savez_compressed(temporary, **vars(lessons))

    def _look(self, outlines: Outlines) -> Impression:
        if self.before is None:
            return _references().look(outlines)
        mean, _, impression = _reader(self.before).read(_references(), outlines)
        return _references().look(outlines, decode(mean, impression))

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
            "drawn": DRAWN_SHARE,
            "references": {"widths_mm": REFERENCE_WIDTHS_MM, "ratios": REFERENCE_RATIOS},
            "before": None if self.before is None else hashlib.sha256(self.before.read_bytes()).hexdigest(),
        }


@lru_cache(maxsize=1)
def _references() -> References:
    return References(learning_forward("fisher-kolmogorov"), course_anatomy())


@lru_cache(maxsize=1)
def _reader(weights: Path) -> ReferenceReader:
    return ReferenceReader(load_reading(weights))
