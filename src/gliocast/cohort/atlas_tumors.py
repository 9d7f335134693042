"""Tumors grown in the atlas with random parameters: what a network learns the inverse problem from. Synthetic.

Ranges and rejection follow Learn-Morph-Infer (Ezhov, dissertation, Chapter 7, "Data and implementation details"):
D_w, rho and T are uniform over their ranges, the seed lies anywhere in tissue, and tumors that no scan shows are
discarded. A tumor depends on the seed of the set and its own number alone, so a set is the same however many processes
made it.

Departures. The seed is uniform over the tissue of the atlas instead of a box inside its frame. Limits of size are
stated in milliliters. Candidates that can't come near those limits are discarded by the travel 2 sqrt(D_w rho) T of
their front before anything is solved, and for expensive models by the Fisher-Kolmogorov tumor of the same parameters.
"""

from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from gliocast.cohort.digital import atlas_anatomy
from gliocast.core import Anatomy, Box, ConvergenceError, Density, Forward, InputError, OutsideTissueError
from gliocast.core.box import bounding_box
from gliocast.core.grid import MM3_PER_ML
from gliocast.data.atlas import load_mni152
from gliocast.growth import FisherKolmogorov, Held, MassEffect, Simulator, SingleScan

#: Voxel size of the learning grid [mm]: 64 voxels of it span the brain.
LEARNING_SPACING_MM = 3

#: Relative L2 error of time stepping of the training solves [1].
LEARNING_ACCURACY = 2e-2

#: Pressure of the tumors that the mass-effect network learns from [kPa]; 2 mm of displacement around 17 mm of radius.
LEARNING_PRESSURE_KPA = 10.0

#: Density that still belongs to a stored tumor [1]; the store keeps the square root in bytes, fine near zero.
_FAINTEST = 1e-3

#: Front travel beyond which no tumor within the limits of size has been seen [mm].
_MAX_TRAVEL_MM = 130.0

#: Share by which the volume of the Fisher-Kolmogorov tumor may miss the limits and the real one still be tried [1].
_SLACK = 1.1

MODELS = ("fisher-kolmogorov", "mass-effect")


@dataclass(frozen=True)
class TumorRanges:
    """Where the parameters of training tumors come from; uniform.

    Args:
        diffusivity: D_w [mm^2/d].
        rate: rho [1/d].
        age_days: T [d].
        t1c_threshold: density at which T1c shows the core [1].
        flair_threshold: density at which FLAIR shows the whole tumor [1].
        whole_ml: smallest and largest volume of the whole tumor [ml].
        core_ml: the same for the core.
    """

    diffusivity: tuple[float, float] = (0.02, 1.5)
    rate: tuple[float, float] = (0.002, 0.2)
    age_days: tuple[float, float] = (50.0, 1500.0)
    t1c_threshold: tuple[float, float] = (0.5, 0.85)
    flair_threshold: tuple[float, float] = (0.05, 0.5)
    whole_ml: tuple[float, float] = (5.0, 250.0)
    core_ml: tuple[float, float] = (0.5, 200.0)

    def __post_init__(self) -> None:
        for name, (low, high) in vars(self).items():
            if not 0 < low < high:
                raise InputError(
                    f"range of {name}", expected="0 < low < high", got=f"{low:g} to {high:g}", advice="use the default"
                )

    def draw(self, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """D_w, rho, T, (3,), and the thresholds of T1c and FLAIR, (2,), the first above the second."""
        growth = np.array([generator.uniform(*ends) for ends in (self.diffusivity, self.rate, self.age_days)])
        return growth, np.array([generator.uniform(*self.t1c_threshold), generator.uniform(*self.flair_threshold)])

    def visible(self, density: Density, thresholds: np.ndarray, slack: float = 1.0) -> bool:
        """Whether both outlines have a volume within the limits, widened by a factor."""
        for threshold, (low, high) in zip(thresholds, (self.core_ml, self.whole_ml), strict=True):
            if not low / slack <= density.volume_above(threshold) / MM3_PER_ML <= high * slack:
                return False
        return True


@dataclass(frozen=True, eq=False)
class AtlasTumor:
    """A tumor of the training set.

    Args:
        growth: D_w [mm^2/d], rho [1/d], T [d], (3,).
        seed: where growth began, world coordinates [mm, RAS], (3,).
        thresholds: densities of the T1c and the FLAIR outline that it was accepted with [1], (2,).
        box: where the density lies on the learning grid.
        root_density: square root of the density, 255 for one, uint8, shape of the box.
    """

    growth: np.ndarray
    seed: np.ndarray
    thresholds: np.ndarray
    box: Box
    root_density: np.ndarray

    @property
    def identifiable(self) -> np.ndarray:
        """sqrt(D_w T) [mm], sqrt(rho T) [1], seed x, y, z [mm], (5,)."""
        diffusivity, rate, age = self.growth
        return np.array([np.sqrt(diffusivity * age), np.sqrt(rate * age), *self.seed])

    @property
    def density(self) -> np.ndarray:
        """Density inside the box as far as it was stored [1], float32."""
        return (self.root_density.astype(np.float32) / 255) ** 2


@lru_cache(maxsize=1)
def learning_anatomy() -> Anatomy:
    """The atlas' brain on the learning grid."""
    factor = LEARNING_SPACING_MM
    return atlas_anatomy(load_mni152()).coarsen((factor, factor, factor))


def learning_forward(model: str) -> Forward:
    """Growth that the network of a model inverts: (sqrt(D_w T), sqrt(rho T), seed) -> density on day 1 of age one."""
    if model not in MODELS:
        raise InputError("model", expected=f"one of {', '.join(MODELS)}", got=model, advice="pick one")
    solver = Simulator(FisherKolmogorov(), backend="numba-single", accuracy=LEARNING_ACCURACY)
    if model == "fisher-kolmogorov":
        return SingleScan(solver)
    return Held(SingleScan(replace(solver, model=MassEffect())), {"tumor_pressure": LEARNING_PRESSURE_KPA})


@dataclass(frozen=True, eq=False)
class TumorSource:
    """Draws training tumors by number.

    Args:
        model: growth equation, one of `MODELS`.
        seed: of the whole set.
        ranges: of parameters and sizes.
    """

    model: str = "fisher-kolmogorov"
    seed: int = 0
    ranges: TumorRanges = field(default_factory=TumorRanges)

    def __post_init__(self) -> None:
        learning_forward(self.model)
        if self.seed < 0:
            raise InputError("seed", expected="a nonnegative integer", got=f"{self.seed}", advice="use 0")

    def __getitem__(self, number: int) -> AtlasTumor:
        """Tumor of a number; candidates are drawn until one is accepted."""
        generator = np.random.default_rng([self.seed, number])
        anatomy, forward = learning_anatomy(), learning_forward(self.model)
        preview = learning_forward("fisher-kolmogorov") if self.model != "fisher-kolmogorov" else None
        tissue = _tissue_voxels()
        while True:
            growth, thresholds = self.ranges.draw(generator)
            diffusivity, rate, age = growth
            voxel = tissue[generator.integers(len(tissue))] + generator.uniform(-0.5, 0.5, 3)
            seed = anatomy.grid.world_from_voxel(voxel)
            values = np.array([np.sqrt(diffusivity * age), np.sqrt(rate * age), *seed])
            if 2 * values[0] * values[1] > _MAX_TRAVEL_MM:
                continue
            if preview is not None:
                likely = _grown(preview, values, anatomy)
                if likely is None or not self.ranges.visible(likely, thresholds, _SLACK):
                    continue
            density = _grown(forward, values, anatomy)
            if density is not None and self.ranges.visible(density, thresholds):
                return _stored(growth, seed, thresholds, density)


@lru_cache(maxsize=1)
def _tissue_voxels() -> np.ndarray:
    """Voxels that are more tissue than fluid, (num, 3)."""
    anatomy = learning_anatomy()
    return np.argwhere((anatomy.white_matter + anatomy.gray_matter > 0.5) & anatomy.brain)


def _grown(forward: Forward, values: np.ndarray, anatomy: Anatomy) -> Density | None:
    try:
        return forward(values, anatomy, days=[1.0])[0]
    except (OutsideTissueError, ConvergenceError, InputError):
        return None  # begins outside of tissue, or squeezes cells beyond what linear elasticity describes


def _stored(growth: np.ndarray, seed: np.ndarray, thresholds: np.ndarray, density: Density) -> AtlasTumor:
    box = bounding_box(density.data > _FAINTEST)
    root = np.round(255 * np.sqrt(np.clip(density.data[box.slices], 0, 1))).astype(np.uint8)
    return AtlasTumor(growth, np.asarray(seed), thresholds, box, root)
