"""What a digital patient's tumor is made with, drawn from published ranges. Synthetic."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import ndimage

from gliocast.core import Anatomy, InputError, OutsideTissueError

Growth = Literal["fisher-kolmogorov", "mass-effect"]
EQUATIONS: tuple[Growth, ...] = get_args(Growth)

#: Seeds lie at least this deep in voxels that are more tissue than fluid [mm].
_DEPTH_MM = 6.0

#: They lie in voxels with at least so much tissue, and white matter [1], above this share of such voxels [1]:
#: cerebellum and brain stem lie below.
_TISSUE_SHARE, _WHITE_SHARE, _BELOW = 0.7, 0.3, 0.25

#: Foci are at least so far from each other, and at most so far from the first [mm].
_APART_MM, _FARTHEST_MM = 18.0, 45.0

#: Places tried for further foci [1].
_MAX_TRIES = 1000


@dataclass(frozen=True)
class LifeLaw:
    """Where the numbers of a life come from.

    D_w and rho are drawn log-uniformly over the ranges of the proliferation-invasion literature (Harpold, Alvord &
    Swanson, J. Neuropathol. Exp. Neurol. 66, 2007; Swanson et al., Cell Prolif. 33, 2000), as long as the front is one
    that scans show: its width sqrt(D_w / rho) and its speed 2 sqrt(D_w rho) within theirs. Volumes, ages, shares of
    foci and of low grade are conventions.

    Args:
        diffusivity: D_w [mm^2/d].
        rate: rho [1/d].
        width_mm: of the front [mm].
        speed_mm_d: of the front [mm/d].
        t1c_threshold: density at which T1c shows the core [1].
        flair_threshold: density at which FLAIR shows the whole tumor [1].
        whole_ml: median of the whole tumor's volume [ml], and standard deviation of its logarithm [1].
        whole_limits_ml: its least and largest value [ml].
        pressure_kpa: of tumors with mass effect [kPa].
        foci: probability of one, two and three [1].
        low_grade: share of tumors that take up no contrast agent [1].
        age_years: mean and standard deviation of the patient's age [years].
        age_limits_years: its least and largest value [years].
    """

    diffusivity: tuple[float, float] = (0.02, 1.5)
    rate: tuple[float, float] = (0.002, 0.2)
    width_mm: tuple[float, float] = (0.8, 5.0)
    speed_mm_d: tuple[float, float] = (0.02, 0.5)
    t1c_threshold: tuple[float, float] = (0.5, 0.85)
    flair_threshold: tuple[float, float] = (0.05, 0.4)
    whole_ml: tuple[float, float] = (75.0, 0.6)
    whole_limits_ml: tuple[float, float] = (12.0, 200.0)
    pressure_kpa: tuple[float, float] = (4.0, 16.0)
    foci: tuple[float, float, float] = (0.82, 0.13, 0.05)
    low_grade: float = 0.15
    age_years: tuple[float, float] = (60.0, 12.0)
    age_limits_years: tuple[float, float] = (20.0, 88.0)


@dataclass(frozen=True)
class Life:
    """What a digital patient is made with.

    Args:
        age_years: of the patient at the first scan [years].
        high_grade: whether the core takes up contrast agent.
        growth: equation.
        diffusivity: D_w [mm^2/d].
        rate: rho [1/d].
        pressure_kpa: gamma [kPa]; 0 without mass effect.
        seeds: where foci began, world coordinates [mm, RAS].
        t1c_threshold: density at which T1c shows the core [1].
        flair_threshold: density at which FLAIR shows the whole tumor [1].
        whole_ml: volume above the latter at the first scan [ml].
    """

    age_years: float
    high_grade: bool
    growth: Growth
    diffusivity: float
    rate: float
    pressure_kpa: float
    seeds: tuple[tuple[float, float, float], ...]
    t1c_threshold: float
    flair_threshold: float
    whole_ml: float

    @property
    def speed(self) -> float:
        """Of the front, 2 sqrt(D_w rho) [mm/d]."""
        return 2 * float(np.sqrt(self.diffusivity * self.rate))

    @property
    def width(self) -> float:
        """Of the front, sqrt(D_w / rho) [mm]."""
        return float(np.sqrt(self.diffusivity / self.rate))


def draw_life(anatomy: Anatomy, generator: np.random.Generator, *, growth: Growth, law: LifeLaw | None = None) -> Life:
    """A life in a brain.

    Args:
        anatomy: the brain.
        generator: source of randomness.
        growth: equation.
        law: where the numbers come from.

    Raises:
        OutsideTissueError: there is no place for a tumor.
    """
    if growth not in EQUATIONS:
        raise InputError("growth", expected=f"one of {', '.join(EQUATIONS)}", got=growth, advice="pick one")
    law = law or LifeLaw()
    diffusivity, rate = _draw_front(law, generator)
    number = int(generator.choice(3, p=law.foci)) + 1
    return Life(
        age_years=round(float(np.clip(generator.normal(*law.age_years), *law.age_limits_years)), 1),
        high_grade=bool(generator.uniform() >= law.low_grade),
        growth=growth,
        diffusivity=diffusivity,
        rate=rate,
        pressure_kpa=float(generator.uniform(*law.pressure_kpa)) if growth == "mass-effect" else 0.0,
        seeds=_draw_seeds(anatomy, number, generator),
        t1c_threshold=float(generator.uniform(*law.t1c_threshold)),
        flair_threshold=float(generator.uniform(*law.flair_threshold)),
        whole_ml=float(np.clip(law.whole_ml[0] * np.exp(law.whole_ml[1] * generator.normal()), *law.whole_limits_ml)),
    )


def _draw_front(law: LifeLaw, generator: np.random.Generator) -> tuple[float, float]:
    """D_w [mm^2/d] and rho [1/d]."""
    while True:
        diffusivity, rate = (np.exp(generator.uniform(*np.log(ends))) for ends in (law.diffusivity, law.rate))
        width, speed = np.sqrt(diffusivity / rate), 2 * np.sqrt(diffusivity * rate)
        if law.width_mm[0] <= width <= law.width_mm[1] and law.speed_mm_d[0] <= speed <= law.speed_mm_d[1]:
            return float(diffusivity), float(rate)


def _draw_seeds(
    anatomy: Anatomy, number: int, generator: np.random.Generator
) -> tuple[tuple[float, float, float], ...]:
    """The first one anywhere deep in tissue of the hemispheres, the others some centimeters from it."""
    tissue = (anatomy.white_matter + anatomy.gray_matter > _TISSUE_SHARE) & (anatomy.white_matter > _WHITE_SHARE)
    places = anatomy.grid.world_from_voxel(np.argwhere(tissue & _deep(anatomy)))
    lowest = np.quantile(places[:, 2], _BELOW) if len(places) else 0.0
    places = places[places[:, 2] > lowest]
    if not len(places):
        raise OutsideTissueError("seed", expected="white matter", got="none", advice="check the tissue maps")
    seeds = [places[generator.integers(len(places))]]
    for _ in range(_MAX_TRIES):
        if len(seeds) == number:
            break
        other = places[generator.integers(len(places))]
        distances = [np.linalg.norm(other - seed) for seed in seeds]
        if min(distances) >= _APART_MM and distances[0] <= _FARTHEST_MM:
            seeds.append(other)
    return tuple((float(x), float(y), float(z)) for x, y, z in np.round(seeds, 2))


def _deep(anatomy: Anatomy) -> np.ndarray:
    """Voxels deep inside the brain, bool."""
    steps = round(_DEPTH_MM / min(anatomy.grid.spacing))
    return ndimage.binary_erosion(anatomy.brain, iterations=steps)
