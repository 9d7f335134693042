r"""Courses: one growth in the atlas, looked at several times; many training tumors for one solve. Synthetic.

The law is that of `gliocast.cohort.atlas_tumors`: D_w, rho and T uniform, the seed anywhere in tissue, tumors that no
scan shows discarded. Drawn one by one, that takes some twenty solves for each tumor. With :math:`v = 2 \sqrt{D_w \rho}`
the speed of the front and :math:`s = v T` its travel, the same law reads

.. math:: p(D_w, \rho, s) \propto 1 / v \quad \text{on} \quad T_{min} \le s / v \le T_{max}

so D_w and rho are drawn with weight 1/v, the travel uniformly, one in each of `NUM_MOMENTS` equal parts of its range,
and of these tumors the visible ones are kept. Every one of them has the law; those of a course share all but the age
and the thresholds.

Tumors are solved on the voxels that patients are fitted on: the same parameters on voxels of 2 and of 3 mm grow tumors
whose Dice at density 0.01 is 0.93 on average.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from gliocast.cohort.atlas_tumors import LEARNING_ACCURACY, TumorRanges
from gliocast.cohort.digital import atlas_anatomy
from gliocast.core import Anatomy, ConvergenceError, Density, InputError, OutsideTissueError
from gliocast.data.atlas import load_mni152
from gliocast.growth import Simulator
from gliocast.observation import LabelErrors
from gliocast.observation.rater import draw_within_reach

#: Voxel size of the courses [mm], and how often a growth is looked at [1].
COURSE_SPACING_MM, NUM_MOMENTS = 2, 12

#: Front travel beyond which no tumor within the limits of size has been seen [mm].
_MAX_TRAVEL_MM = 130.0

#: Displacement of drawn outlines, log-uniform [mm], and the length over which it is correlated, uniform [mm].
_ERRORS_MM, _CORRELATIONS_MM = (0.3, 4.0), (4.0, 14.0)

#: Outlines have at least so many voxels [1].
_FEWEST_VOXELS = 30


@dataclass(frozen=True, eq=False)
class CourseTumor:
    """A tumor of a course.

    Args:
        identifiable: sqrt(D_w T) [mm], sqrt(rho T) [1], seed x, y, z [mm, RAS], (5,).
        thresholds: densities of the T1c and the FLAIR outline [1], (2,).
        density: on the grid of `course_anatomy`.
    """

    identifiable: np.ndarray
    thresholds: np.ndarray
    density: Density

    @property
    def outlines(self) -> tuple[np.ndarray, np.ndarray]:
        """Exact outlines of core and whole tumor, bool."""
        core, whole = (self.density.data > level for level in self.thresholds)
        return core, whole

    def drawn(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """The same as raters of all kinds would draw them, who err by tenths of a millimeter or by many; bool.

        Exact outlines where an error would leave nothing of one.
        """
        errors = (_draw_errors(generator), _draw_errors(generator))
        t1c, flair = self.thresholds.tolist()
        core, whole = draw_within_reach(self.density, t1c, flair, errors, generator)
        if min(np.count_nonzero(core), np.count_nonzero(whole)) < _FEWEST_VOXELS:
            return self.outlines
        return core, whole


@lru_cache(maxsize=1)
def course_anatomy() -> Anatomy:
    """The atlas' brain on the voxels of courses."""
    return atlas_anatomy(load_mni152()).coarsen((COURSE_SPACING_MM,) * 3)


def course(number: int, *, seed: int, ranges: TumorRanges | None = None) -> Iterator[CourseTumor]:
    """The visible tumors of one growth, the youngest first; there may be none.

    Args:
        number: of the course; with `seed` all that it depends on.
        seed: of the set.
        ranges: of parameters and sizes.

    Raises:
        InputError: a number or a seed below zero.
    """
    if min(number, seed) < 0:
        raise InputError("course", expected="a number and a seed from 0 on", got=f"{number}, {seed}", advice="count up")
    generator, ranges = np.random.default_rng([seed, number]), ranges or TumorRanges()
    diffusivity, rate = _draw_growth(ranges, generator)
    place = _draw_place(generator)
    travel = (np.arange(NUM_MOMENTS) + generator.uniform(size=NUM_MOMENTS)) * _MAX_TRAVEL_MM / NUM_MOMENTS
    ages = travel / (2 * np.sqrt(diffusivity * rate))
    thresholds = np.array([ranges.draw(generator)[1] for _ in ages])
    possible = (ranges.age_days[0] <= ages) & (ages <= ranges.age_days[1])
    for density, levels in zip(_grow(diffusivity, rate, place, ages[possible]), thresholds[possible], strict=False):
        if density.volume_above(ranges.flair_threshold[1]) > 1000 * ranges.whole_ml[1]:
            return
        if ranges.visible(density, levels):
            assert density.day is not None
            length, growth_number = np.sqrt(diffusivity * density.day), np.sqrt(rate * density.day)
            yield CourseTumor(np.array([length, growth_number, *place]), levels, density)


def _draw_errors(generator: np.random.Generator) -> LabelErrors:
    """How a rater errs."""
    size = float(np.exp(generator.uniform(*np.log(_ERRORS_MM))))
    return LabelErrors(displacement_mm=size, correlation_mm=float(generator.uniform(*_CORRELATIONS_MM)))


def _draw_growth(ranges: TumorRanges, generator: np.random.Generator) -> tuple[float, float]:
    """D_w [mm^2/d] and rho [1/d] with weight 1 / sqrt(D_w rho)."""
    slowest = np.sqrt(ranges.diffusivity[0] * ranges.rate[0])
    while True:
        diffusivity, rate = generator.uniform(*ranges.diffusivity), generator.uniform(*ranges.rate)
        if generator.uniform() < slowest / np.sqrt(diffusivity * rate):
            return diffusivity, rate


def _draw_place(generator: np.random.Generator) -> np.ndarray:
    """World coordinates of a point in tissue [mm]."""
    tissue = _tissue_voxels()
    voxel = tissue[generator.integers(len(tissue))] + generator.uniform(-0.5, 0.5, 3)
    return course_anatomy().grid.world_from_voxel(voxel)


@lru_cache(maxsize=1)
def _tissue_voxels() -> np.ndarray:
    """Voxels that are more tissue than fluid, (num, 3)."""
    anatomy = course_anatomy()
    return np.argwhere((anatomy.white_matter + anatomy.gray_matter > 0.5) & anatomy.brain)


@lru_cache(maxsize=1)
def _simulator() -> Simulator:
    return Simulator(backend="numba-single", accuracy=LEARNING_ACCURACY)


def _grow(diffusivity: float, rate: float, place: np.ndarray, ages: np.ndarray) -> Iterator[Density]:
    """Densities at ascending ages; none where growth can't begin."""
    if not ages.size:
        return
    try:
        for snapshot in _simulator().snapshots((diffusivity, rate, *place), course_anatomy(), days=ages.tolist()):
            yield snapshot.density
    except (OutsideTissueError, ConvergenceError):
        return
