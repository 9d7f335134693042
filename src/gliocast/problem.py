"""One patient's inverse problem: growth, observation and prior put together."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from scipy import ndimage

from gliocast.core import (
    Anatomy,
    ConvergenceError,
    Density,
    Forward,
    InputError,
    LabelMap,
    ObservationModel,
    OutsideTissueError,
    Parameter,
    Posterior,
    QualityError,
)
from gliocast.growth import Simulator, SingleScan
from gliocast.inference import IndependentPrior
from gliocast.observation import OutlineLikelihood

#: Inference looks at the tumor on voxels of about this size [mm].
INFERENCE_SPACING_MM = 2.0

#: Relative L2 error of the solves behind a likelihood [1]; the log-likelihood moves by less than a tenth of a nat.
INFERENCE_ACCURACY = 2e-2

#: Initial spread of a search along the straightened axes of length, number and thresholds [1], and of the seed [mm].
_SPREAD = {"diffusion_length": 0.4, "growth_number": 0.3, "t1c_threshold": 0.4, "flair_threshold": 0.4}
_SEED_SPREAD_MM = 4.0

_Result = TypeVar("_Result")


@dataclass(frozen=True, eq=False)
class Guess:
    """Where a search begins.

    Args:
        point: natural units, (num_parameters,).
        spread: standard deviations on the straightened axes, (num_parameters,).
    """

    point: np.ndarray
    spread: np.ndarray


class Problem:
    """Posterior of growth and observation parameters given one visit; a Target.

    Points hold the forward's parameters first and the observation's after them. A batch is spread over threads, one
    solve each; the result doesn't depend on how many there are.

    Args:
        forward: grows a tumor on one thread; several threads call it at a time. It is asked for day 1 in its own unit
            of time, which for a SingleScan is the age.
        anatomy: tissue on the inference grid.
        observation: what was seen, on the same grid.
        prior: over all parameters.
        num_threads: how many solves run at a time.
    """

    def __init__(
        self,
        forward: Forward,
        anatomy: Anatomy,
        observation: ObservationModel,
        prior: IndependentPrior,
        *,
        num_threads: int | None = None,
    ) -> None:
        self.forward, self.anatomy, self.observation, self.prior = forward, anatomy, observation, prior
        self._num_forward = len(forward.parameters)
        self._num_threads = num_threads or os.cpu_count() or 1

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The forward's, then the observation's."""
        return (*self.forward.parameters, *self.observation.parameters)

    def log_prior(self, points: np.ndarray) -> np.ndarray:
        """Log-prior density on the straightened axes, (num_points, num_parameters) -> (num_points,)."""
        return self.prior.log_density(points)

    def log_likelihood(self, points: np.ndarray) -> np.ndarray:
        """Log-likelihood, (num_points, num_parameters) -> (num_points,); -inf where the seed lies outside tissue."""

        def one(point: np.ndarray) -> float:
            density = self._grow(point)
            if density is None:
                return -np.inf
            return self.observation.log_likelihood(density, point[self._num_forward :])

        return np.array(self._map(one, points))

    def simulate(self, points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Observations drawn at each point, (num_points, ...); a seed outside tissue shows no tumor."""
        nothing = Density(np.zeros(self.anatomy.grid.shape, dtype=np.float32), self.anatomy.grid)
        observations = [
            self.observation.sample(density or nothing, point[self._num_forward :], generator)
            for point, density in zip(points, self._map(self._grow, points), strict=True)
        ]
        return np.stack(observations)

    def predict(
        self, posterior: Posterior, anatomy: Anatomy, *, forward: Forward | None = None, num_samples: int = 48
    ) -> Density:
        """Density at the posterior mode on another grid, usually the scan's own, with its standard deviation.

        The mode is solved anew at the resolution of `anatomy`. The standard deviation varies smoothly; it is taken over
        posterior samples on the inference grid and interpolated linearly.

        Args:
            posterior: what was inferred.
            anatomy: tissue on the grid that the density is wanted on.
            forward: solves the mode; by default the one that was used for inference.
            num_samples: posterior samples behind the standard deviation.
        """
        mode = posterior.mode[: self._num_forward]
        try:
            (density,) = (forward or self.forward)(mode, anatomy, days=[1.0])
        except OutsideTissueError as error:
            raise QualityError(
                "density",
                expected="a fitted seed in tissue at the scan's resolution",
                got=error.got,
                advice="check the tissue maps around the tumor",
            ) from error
        quantiles = (np.arange(num_samples) + 0.5) / num_samples
        drawn = posterior.samples[
            np.searchsorted(np.cumsum(posterior.weights), quantiles).clip(max=len(posterior.samples) - 1)
        ]
        grown = [sample.data for sample in self._map(self._grow, drawn) if sample is not None]
        if len(grown) < num_samples / 2:
            raise QualityError(
                "density",
                expected="posterior samples that can grow",
                got=f"{num_samples - len(grown)} of {num_samples} that can't",
                advice="check the tissue maps around the tumor",
            )
        spread = np.std(grown, axis=0)
        deviation = _interpolate(spread, self.anatomy.grid.affine, anatomy) * (density.data > 0)
        return replace(density, standard_deviation=deviation)

    def _grow(self, point: np.ndarray) -> Density | None:
        """Density on the inference grid, None where growth can't begin or can't be resolved."""
        try:
            return self.forward(point[: self._num_forward], self.anatomy, days=[1.0])[0]
        except (OutsideTissueError, ConvergenceError):
            return None

    def _map(self, function: Callable[[np.ndarray], _Result], points: np.ndarray) -> list[_Result]:
        with ThreadPoolExecutor(self._num_threads) as pool:
            return list(pool.map(function, points))


def outline_problem(labels: LabelMap, anatomy: Anatomy, *, simulator: Simulator | None = None) -> tuple[Problem, Guess]:
    """The problem of a segmentation in an anatomy of the same grid, and where to begin.

    Both are coarsened to the inference spacing; the seed's prior is centered on the core and as wide as the tumor.
    """
    labels.grid.require_same(anatomy.grid, "segmentation")
    if not labels.whole.any():
        raise InputError("segmentation", expected="a tumor", got="only background", advice="segment it first")
    x, y, z = (max(1, round(INFERENCE_SPACING_MM / spacing)) for spacing in anatomy.grid.spacing)
    observation = OutlineLikelihood.from_labels(labels, (x, y, z))
    solver = replace(simulator or Simulator(), backend="numba-single", accuracy=INFERENCE_ACCURACY, progress=None)
    forward = SingleScan(solver)
    parameters = (*forward.parameters, *observation.parameters)
    voxels = np.argwhere(labels.core if labels.core.any() else labels.whole)
    # the centroid of a bent or bilateral tumor may lie in fluid; the tumor's voxel next to it doesn't
    nearest = voxels[np.argmin(np.sum((voxels - voxels.mean(axis=0)) ** 2, axis=1))]
    center = anatomy.grid.world_from_voxel(nearest)
    width = _radius(float(labels.whole.sum()) * anatomy.grid.voxel_volume)
    seed = {f"seed_{axis}": (float(position), width) for axis, position in zip("xyz", center, strict=True)}
    prior = IndependentPrior.from_typical(parameters, known=seed)
    problem = Problem(forward, anatomy.coarsen((x, y, z)), observation, prior)
    return problem, _guess_from_moments(labels, prior)


def _guess_from_moments(labels: LabelMap, prior: IndependentPrior) -> Guess:
    """A first guess from the radii of core and whole tumor.

    The front has traveled R = 2 l g, and between the two thresholds its logit falls by one per l/g; so the radii give
    length l and number g, within their typical ranges. Seed and thresholds begin in the middle of their priors.
    """
    names = [parameter.name for parameter in prior.parameters]
    middle = dict(zip(names, prior.location, strict=True))
    whole, core = (_radius(float(part.sum()) * labels.grid.voxel_volume) for part in (labels.whole, labels.core))
    if "t1c_threshold" in middle:
        front_width = max(whole - core, 1.0) / (middle["t1c_threshold"] - middle["flair_threshold"])
    else:
        front_width = whole / 6
    typical = {parameter.name: parameter.typical for parameter in prior.parameters}
    middle["diffusion_length"] = np.log(np.clip(np.sqrt(whole * front_width / 2), *typical["diffusion_length"]))
    middle["growth_number"] = np.log(np.clip(np.sqrt(whole / (2 * front_width)), *typical["growth_number"]))
    point = [float(parameter.support.bend(middle[parameter.name])) for parameter in prior.parameters]
    return Guess(np.array(point), np.array([_SPREAD.get(name, _SEED_SPREAD_MM) for name in names]))


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
