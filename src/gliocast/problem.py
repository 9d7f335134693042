r"""One patient's inverse problem: growth, observation and prior put together.

One scan shows a shape and not a clock. Of diffusivity, proliferation rate and age it identifies only

.. math:: \ell = \sqrt{D_w T} \;[\mathrm{mm}], \qquad g = \sqrt{\rho T} \;[1]

so inference runs in these with T = 1, together with the seed and the visibility thresholds.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np
from scipy import ndimage

from gliocast.core import POSITIVE, Anatomy, Density, InputError, LabelMap, Parameter, Posterior
from gliocast.growth import Domain, Simulator
from gliocast.growth.simulate import SEED
from gliocast.inference import IndependentPrior
from gliocast.observation import OutlineLikelihood

_Result = TypeVar("_Result")

DIFFUSION_LENGTH = Parameter(
    name="diffusion_length",
    symbol="sqrt(D_w T)",
    unit="mm",
    support=POSITIVE,
    typical=(2.0, 30.0),
    source="D_w of 0.02 to 1.5 mm^2/d over ages of 200 to 600 d",
)
GROWTH_NUMBER = Parameter(
    name="growth_number",
    symbol="sqrt(rho T)",
    unit="1",
    support=POSITIVE,
    typical=(1.5, 5.0),
    source="rho of 0.002 to 0.2 /d, and enough divisions to become visible",
)

#: Inference looks at the tumor on voxels of about this size [mm].
INFERENCE_SPACING_MM = 2.0

#: Relative L2 error of the solves behind a likelihood [1]; the log-likelihood moves by less than a tenth of a nat.
INFERENCE_ACCURACY = 2e-2

#: Initial spread of the search along each straightened axis [1, mm for the seed].
_SPREAD = {"diffusion_length": 0.4, "growth_number": 0.3, "seed": 4.0, "threshold": 0.4}


class Problem:
    """Posterior of growth number, diffusion length, seed and thresholds given a patient's outlines; a Target.

    A batch of points is spread over threads, one solve each; the result doesn't depend on how many there are.

    Args:
        forward: solves growth on one thread per point.
        anatomy: tissue on the inference grid.
        observation: outlines on the same grid.
        seed_location: prior mean of the seed [mm, RAS], (3,).
        seed_scale: prior standard deviation of each seed coordinate [mm].
        num_threads: how many solves run at a time.
    """

    def __init__(
        self,
        forward: Simulator,
        anatomy: Anatomy,
        observation: OutlineLikelihood,
        *,
        seed_location: np.ndarray,
        seed_scale: float,
        num_threads: int | None = None,
    ) -> None:
        anatomy.grid.require_same(observation.grid, "outlines")
        self.forward = replace(forward, backend="numba-single", accuracy=INFERENCE_ACCURACY)
        self._delivered = replace(forward, backend="numba")
        self.observation = observation
        self._domain = self.forward.prepare(anatomy)
        self._num_threads = num_threads or os.cpu_count() or 1
        prior = IndependentPrior.from_typical(self.parameters)
        prior.location[2:5], prior.scale[2:5] = seed_location, seed_scale
        self.prior = prior

    @classmethod
    def pose(cls, labels: LabelMap, anatomy: Anatomy, *, forward: Simulator | None = None) -> "Problem":
        """The problem of a segmentation in an anatomy of the same grid, coarsened to the inference spacing."""
        labels.grid.require_same(anatomy.grid, "segmentation")
        whole = labels.whole
        if not whole.any():
            raise InputError("segmentation", expected="a tumor", got="only background", advice="segment it first")
        factors = tuple(max(1, round(INFERENCE_SPACING_MM / h)) for h in anatomy.grid.spacing)
        center = anatomy.grid.world_from_voxel(np.argwhere(labels.core if labels.core.any() else whole).mean(axis=0))
        return cls(
            forward or Simulator(),
            anatomy.coarsen(factors),  # type: ignore[arg-type]
            OutlineLikelihood.from_labels(labels, factors),  # type: ignore[arg-type]
            seed_location=center,
            seed_scale=_radius(float(whole.sum()) * anatomy.grid.voxel_volume),
        )

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Diffusion length [mm], growth number [1], seed x, y, z [mm], visibility thresholds [1]."""
        return (DIFFUSION_LENGTH, GROWTH_NUMBER, *SEED, *self.observation.parameters)

    def start(self) -> tuple[np.ndarray, np.ndarray]:
        r"""A first guess from the moments of the segmentation, and how far to search around it.

        The front has traveled r = 2 l g, and between the two thresholds its logit falls by one per l/g, so the radii of
        core and whole tumor give both; the centroid of the core gives the seed.

        Returns:
            Start in natural units and spread in straightened coordinates, both (num_parameters,).
        """
        voxel = self.observation.grid.voxel_volume
        whole_radius = _radius(float(self.observation.whole.sum()) * voxel)
        core_radius = _radius(float(self.observation.core.sum()) * voxel)
        middle = self.prior.location.copy()
        if self.observation.core.any():
            front_width = max(whole_radius - core_radius, 1.0) / float(middle[5] - middle[6])
        else:
            front_width = whole_radius / 6
        limits = np.array([p.typical for p in self.parameters[:2]])
        guess = np.sqrt([whole_radius * front_width / 2, whole_radius / (2 * front_width)])
        middle[:2] = np.log(np.clip(guess, limits[:, 0], limits[:, 1]))
        spread = [_SPREAD["diffusion_length"], _SPREAD["growth_number"], *[_SPREAD["seed"]] * 3]
        spread += [_SPREAD["threshold"]] * len(self.observation.parameters)
        natural = np.array([p.support.bend(x) for p, x in zip(self.parameters, middle, strict=True)])
        return natural, np.array(spread)

    def log_prior(self, points: np.ndarray) -> np.ndarray:
        """Log-prior density on the straightened axes, (num_points, num_parameters) -> (num_points,)."""
        return self.prior.log_density(points)

    def log_likelihood(self, points: np.ndarray) -> np.ndarray:
        """Log-likelihood of the outlines, (num_points, num_parameters) -> (num_points,)."""

        def one(point: np.ndarray) -> float:
            density = self._grow(point, self._domain, self.forward)
            return -np.inf if density is None else self.observation.log_likelihood(density.data, point[5:])

        return np.array(self._map(one, points))

    def simulate(self, points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Outlines drawn at each point, (num_points, 2, x, y, z) bool; a seed outside tissue gives none."""
        densities = self._map(lambda point: self._grow(point, self._domain, self.forward), points)
        empty = np.zeros((2, *self.observation.grid.shape), dtype=bool)
        return np.stack(
            [
                empty if density is None else self.observation.sample(density.data, point[5:], generator)
                for point, density in zip(points, densities, strict=True)
            ]
        )

    def predict(
        self,
        posterior: Posterior,
        anatomy: Anatomy,
        *,
        num_samples: int = 48,
        progress: Callable[[float], None] | None = None,
    ) -> Density:
        """Density of the posterior mode on another grid, usually the scan's own, with its standard deviation.

        The mode is solved anew at the resolution of `anatomy`. The standard deviation varies smoothly; it is taken over
        posterior samples on the inference grid and interpolated linearly.

        Args:
            posterior: what was inferred.
            anatomy: tissue on the grid that the density is wanted on.
            num_samples: posterior samples behind the standard deviation.
            progress: called with the fraction of the work that is done.
        """
        density = self._grow(posterior.mode, anatomy, self._delivered, progress)
        if density is None:
            raise InputError("seed", expected="a point in tissue", got="none", advice="check the tissue maps")
        stride = max(1, len(posterior.samples) // num_samples)
        grown = self._map(
            lambda point: self._grow(point, self._domain, self.forward), posterior.samples[::stride][:num_samples]
        )
        spread = np.std([d.data for d in grown if d is not None], axis=0)
        mobile = self.forward.model.mobility(anatomy) > 0
        deviation = _interpolate(spread, self._domain.anatomy.grid.affine, anatomy) * mobile
        return replace(density, standard_deviation=deviation)

    def _grow(
        self,
        point: np.ndarray,
        anatomy: Anatomy | Domain,
        forward: Simulator,
        progress: Callable[[float], None] | None = None,
    ) -> Density | None:
        """Density at T = 1, None where the seed lies outside tissue."""
        length, number, *seed = (float(x) for x in point[:5])
        try:
            return forward((length**2, number**2, *seed), anatomy, days=[1.0], progress=progress)[0]
        except InputError:
            return None

    def _map(self, function: Callable[[np.ndarray], _Result], points: np.ndarray) -> list[_Result]:
        with ThreadPoolExecutor(self._num_threads) as pool:
            return list(pool.map(function, points))


def _radius(volume: float) -> float:
    """Radius of the ball of a volume, mm from mm^3."""
    return (3 * volume / (4 * np.pi)) ** (1 / 3)


def _interpolate(data: np.ndarray, affine: np.ndarray, onto: Anatomy) -> np.ndarray:
    """Linear interpolation from one grid's affine onto an anatomy's grid; float32."""
    index_map = np.linalg.inv(affine) @ onto.grid.affine
    return ndimage.affine_transform(
        data.astype(np.float32),
        index_map[:3, :3],
        offset=index_map[:3, 3],
        output_shape=onto.grid.shape,
        order=1,
        mode="nearest",
    )
