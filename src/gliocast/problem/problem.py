"""One patient's inverse problem: growth, observation and prior put together."""

import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from copy import copy
from dataclasses import replace
from itertools import chain
from typing import TypeVar

import numpy as np

from gliocast.core import (
    Anatomy,
    ConvergenceError,
    Density,
    Forward,
    InputError,
    LinearizableObservation,
    ObservationModel,
    OutsideTissueError,
    Parameter,
    Posterior,
    Prior,
    QualityError,
    TemperableObservation,
)
from gliocast.observation.joint import columns_of, merge_parameters
from gliocast.problem.grown import NUM_PREDICTIVE, grow_samples
from gliocast.problem.maps import PredictiveMaps, predictive_maps
from gliocast.problem.stand_in import Anchor, StandIn

#: Densities that are kept in case they are asked for again [1]: those of a linearization over five parameters of growth
#: and of a step, which a search that goes on from where another one ended begins with.
_NUM_RECENT = 16

_Result = TypeVar("_Result")


class Problem:
    """Posterior of growth and observation parameters given one visit; a Target.

    Points hold the forward's parameters first and after them those that the observation adds; one that both depend on,
    like a threshold that growth begins at, stands once. A batch is spread over threads, one
    solve each; the result doesn't depend on how many there are.

    Args:
        forward: grows a tumor on one thread; several threads call it at a time. It is asked for day 1 in its own unit
            of time, which for a SingleScan is the age.
        anatomy: tissue on the inference grid.
        observation: what was seen, on the same grid.
        prior: over all parameters.
        num_threads: how many solves run at a time.
        cheaper: a model with the same parameters that costs far less and grows about the same tumor, if there is one.
    """

    def __init__(
        self,
        forward: Forward,
        anatomy: Anatomy,
        observation: ObservationModel,
        prior: Prior,
        *,
        num_threads: int | None = None,
        cheaper: Forward | None = None,
    ) -> None:
        self.forward, self.anatomy, self.observation, self.prior = forward, anatomy, observation, prior
        self.cheaper = cheaper
        self._num_forward = len(forward.parameters)
        self._seen = columns_of(observation.parameters, merge_parameters(forward.parameters, observation.parameters))
        self._num_threads = num_threads or os.cpu_count() or 1
        self._recent: OrderedDict[bytes, Density | None] = OrderedDict()

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The forward's, then what the observation adds, each with the support that its prior leaves it."""
        return self.prior.parameters

    @property
    def observed(self) -> np.ndarray:
        """What was seen, in the form that `simulate` draws."""
        return self.observation.observed

    @property
    def linearizable(self) -> bool:
        """Whether the observation has features."""
        every = bool(getattr(self.observation, "linearizable", True))  # a joint observation depends on its scans
        return every and isinstance(self.observation, LinearizableObservation)

    @property
    def weighs_by_residuals(self) -> bool:
        """Whether `tempered` changes anything."""
        return isinstance(self.observation, TemperableObservation) and self.observation.weighs_by_residuals

    def observation_values(self, point: np.ndarray) -> np.ndarray:
        """What the observation depends on, of a point (num_parameters,)."""
        return point[self._seen]

    def log_prior(self, points: np.ndarray) -> np.ndarray:
        """Log-prior density on the straightened axes, (num_points, num_parameters) -> (num_points,)."""
        return self.prior.log_density(points)

    def log_likelihood(self, points: np.ndarray) -> np.ndarray:
        """Log-likelihood, (num_points, num_parameters) -> (num_points,); -inf where the seed lies outside tissue."""

        def one(density: Density | None, values: np.ndarray) -> float:
            return -np.inf if density is None else self.observation.log_likelihood(density, values)

        return np.array(self._observe(one, points))

    def features(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Stabilized predictions and standardized residuals, both (num_points, num_features); see LinearizableTarget.

        Rows are nan where the seed lies outside tissue.

        Raises:
            InputError: the observation model has no features.
        """
        observation = self.observation
        if not isinstance(observation, LinearizableObservation):
            raise InputError(
                "observation",
                expected="a model with features",
                got=type(observation).__name__,
                advice="search by CMA-ES, which needs none",
            )

        def one(density: Density | None, values: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
            return None if density is None else observation.features(density, values)

        rows = self._observe(one, points)
        size = max((len(row[0]) for row in rows if row is not None), default=1)
        nothing = (np.full(size, np.nan, dtype=np.float32),) * 2
        phi, z = zip(*(row or nothing for row in rows), strict=True)
        return np.stack(phi), np.stack(z)

    def reading(self, observation: ObservationModel) -> "Problem":
        """The same problem with another likelihood of the same observation."""
        problem = copy(self)
        problem.observation = observation
        return problem

    def standing_in(self, known: Sequence[tuple[np.ndarray, Density]]) -> "Problem":
        """The same problem with the cheaper growth, corrected to have the expensive one's density where it is known.

        Args:
            known: points and their densities; the first is where the correction is exact.

        Raises:
            QualityError: there is no cheaper growth.
            OutsideTissueError: the cheaper one can't begin there.
        """
        if self.cheaper is None:
            raise QualityError("fit", expected="a cheaper growth", got="none", advice="fit the growth itself")
        anchors = [Anchor(point[: self._num_forward], density) for point, density in known]
        forward = StandIn.exact_at(self.cheaper, anchors, self.anatomy)
        return Problem(forward, self.anatomy, self.observation, self.prior, num_threads=self._num_threads)

    def simulate(self, points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Observations drawn at each point, (num_points, ...); a seed outside tissue shows no tumor."""
        return self.draw(points, self.grow(points), generator)

    def draw(
        self, points: np.ndarray, densities: Sequence[Density | None], generator: np.random.Generator
    ) -> np.ndarray:
        """The same of densities that have grown at these points already."""
        nothing = Density(np.zeros(self.anatomy.grid.shape, dtype=np.float32), self.anatomy.grid)
        observations = [
            self.observation.sample(density or nothing, self.observation_values(point), generator)
            for point, density in zip(points, densities, strict=True)
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
        maps = maps or predictive_maps(grow_samples(self, posterior, num_samples=num_samples), anatomy)
        return replace(density, standard_deviation=maps.standard_deviation * (density.data > 0))

    def _grow(self, point: np.ndarray) -> Density | None:
        """Density on the inference grid, None where growth can't begin or can't be resolved."""
        values = np.ascontiguousarray(point[: self._num_forward])
        with suppress(KeyError):
            self._recent.move_to_end(values.tobytes())
            return self._recent[values.tobytes()]
        density = None
        with suppress(OutsideTissueError, ConvergenceError):
            density = self.forward(values, self.anatomy, days=[1.0])[0]
        self._recent[values.tobytes()] = density
        while len(self._recent) > _NUM_RECENT:
            with suppress(KeyError):  # another thread was quicker
                self._recent.popitem(last=False)
        return density

    def _observe(self, function: Callable[[Density | None, np.ndarray], _Result], points: np.ndarray) -> list[_Result]:
        """A function of density and observation parameters at each point; one solve for all that share a density."""
        grown, place = np.unique(points[:, : self._num_forward], axis=0, return_inverse=True)
        members = [np.flatnonzero(place == n) for n in range(len(grown))]

        def together(rows: np.ndarray) -> list[_Result]:
            density = self._grow(points[rows[0]])
            return [function(density, self.observation_values(points[row])) for row in rows]

        results = dict(zip(np.concatenate(members), chain.from_iterable(self._map(together, members)), strict=True))
        return [results[row] for row in range(len(points))]

    def _map(self, function: Callable[[np.ndarray], _Result], arguments: Iterable[np.ndarray]) -> list[_Result]:
        with ThreadPoolExecutor(self._num_threads) as pool:
            return list(pool.map(function, arguments))
