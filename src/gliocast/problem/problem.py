"""One patient's inverse problem: growth, observation and prior put together."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TypeVar

import numpy as np

from gliocast.core import (
    Anatomy,
    ConvergenceError,
    Density,
    Forward,
    ObservationModel,
    OutsideTissueError,
    Parameter,
    Posterior,
    Prior,
    QualityError,
)
from gliocast.problem.maps import NUM_PREDICTIVE, PredictiveMaps, predictive_maps

_Result = TypeVar("_Result")


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
        prior: Prior,
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

    @property
    def observed(self) -> np.ndarray:
        """What was seen, in the form that `simulate` draws."""
        return self.observation.observed

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
            for point, density in zip(points, self.grow(points), strict=True)
        ]
        return np.stack(observations)

    def grow(self, points: np.ndarray) -> list[Density | None]:
        """Densities on the inference grid, one for each point, None where the seed lies outside tissue."""
        return self._map(self._grow, points)

    def predict(
        self,
        posterior: Posterior,
        anatomy: Anatomy,
        *,
        forward: Forward | None = None,
        maps: PredictiveMaps | None = None,
        num_samples: int = NUM_PREDICTIVE,
    ) -> Density:
        """Density at the posterior mode on another grid, usually the scan's own, with its standard deviation.

        The mode is solved anew at the resolution of `anatomy`. The standard deviation varies smoothly; it is taken over
        posterior samples on the inference grid and interpolated linearly.

        Args:
            posterior: what was inferred.
            anatomy: tissue on the grid that the density is wanted on.
            forward: solves the mode; by default the one that was used for inference.
            maps: of the posterior on that grid, where they are known already; else they are computed.
            num_samples: posterior samples behind the standard deviation otherwise.
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
        maps = maps or predictive_maps(self, posterior, anatomy, num_samples=num_samples)
        return replace(density, standard_deviation=maps.standard_deviation * (density.data > 0))

    def _grow(self, point: np.ndarray) -> Density | None:
        """Density on the inference grid, None where growth can't begin or can't be resolved."""
        try:
            return self.forward(point[: self._num_forward], self.anatomy, days=[1.0])[0]
        except (OutsideTissueError, ConvergenceError):
            return None

    def _map(self, function: Callable[[np.ndarray], _Result], points: np.ndarray) -> list[_Result]:
        with ThreadPoolExecutor(self._num_threads) as pool:
            return list(pool.map(function, points))
