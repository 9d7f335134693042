"""The roles: one small interface for each kind of thing that can be exchanged.

A class plays a role by having its methods; nothing needs to inherit from here.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np

from gliocast.core.anatomy import Anatomy
from gliocast.core.density import Density
from gliocast.core.parameter import Parameter


class GrowthModel(Protocol):
    """One equation of tumor growth: what it depends on, and its dynamics in a medium.

    The solver splits the equation into what happens inside voxels (reaction) and between them (migration); dynamics
    offer both, see `gliocast.growth.splitting.Dynamics`.
    """

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What the equation depends on, in the order of `values`; diffusivity first, proliferation rate second."""
        ...

    @property
    def local(self) -> bool:
        """Whether a solve may be cropped to what cells can reach."""
        ...

    @property
    def stacks(self) -> str:
        """In what the members of a stacked batch of tensors may differ: "anatomies" too, "parameters", or "nothing"."""
        ...

    def tissue(self, anatomy: Anatomy) -> np.ndarray:
        """Voxels where cells can live, bool."""
        ...

    def speeds(self, values: Sequence[Any]) -> tuple[Any, Any]:
        """Fastest reaction [1/d] and fastest diffusivity [mm^2/d], which set the time steps."""
        ...

    def medium(self, anatomy: Anatomy, dtype: type) -> Any:
        """What the equation needs of the tissue; computed once for an anatomy, in float32 or float64."""
        ...

    def bind(self, values: Sequence[Any], medium: Any, sweeps: Any) -> Any:
        """Dynamics: the equation with numbers (or tensors) for its parameters, on the given sweeps."""
        ...


class Forward(Protocol):
    """Growth in one anatomy; the numerical simulator and a neural surrogate stand in for each other."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What a simulation depends on, in the order of `values`."""
        ...

    def __call__(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, *, days: Sequence[float]
    ) -> list[Density]:
        """Density on the anatomy's grid at each of the given days, in ascending order.

        Raises OutsideTissueError where growth can't begin at the given seed.
        """
        ...


class ObservationModel(Protocol):
    """How scans come from a density."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What the likelihood depends on, in the order of `values`."""
        ...

    @property
    def observed(self) -> np.ndarray:
        """What was seen, in the form that `sample` draws."""
        ...

    def log_likelihood(self, density: Density, values: np.ndarray) -> float:
        """Log-likelihood of what was observed, given the density on the observation's grid."""
        ...

    def sample(self, density: Density, values: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """An observation drawn from the model, given the density."""
        ...


@runtime_checkable
class LinearizableObservation(ObservationModel, Protocol):
    """An observation model that also offers the features that `LinearizableTarget` speaks of."""

    def features(self, density: Density, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Stabilized predictions and standardized residuals, both (num_features,), one length for all densities."""
        ...


@runtime_checkable
class TemperableObservation(LinearizableObservation, Protocol):
    """An observation model whose voxels count what the correlation of their residuals leaves them."""

    @property
    def num_features(self) -> int:
        """How many `features` there are."""
        ...

    @property
    def voxel_weights(self) -> Mapping[str, float]:
        """What one voxel counts [1], by scan."""
        ...

    @property
    def weighs_by_residuals(self) -> bool:
        """Whether `tempered` changes anything, or weights were stated."""
        ...

    def sharpened(self, density: Density, values: np.ndarray) -> Self:
        """The same with the errors that make the observation most likely, given the best known density and values."""
        ...

    def counting_once(self) -> Self:
        """The same with every voxel counting once where residuals are to tell what it counts."""
        ...

    def tempered(self, jacobian: np.ndarray, residuals: np.ndarray, covariance: np.ndarray) -> tuple[Self, float]:
        """The same with weights from a linearization, and the effective number of observations that they make.

        Args:
            jacobian: derivatives of `features`' predictions by all parameters, the forward's too,
                (num_parameters, num_features).
            residuals: at the same point, (num_features,).
            covariance: of the posterior in the same coordinates, (num_parameters, num_parameters).
        """
        ...


@runtime_checkable
class DisplaceableObservation(ObservationModel, Protocol):
    """An observation model whose `sample` can err as far as the observation does from a fit."""

    def displaced(self, density: Density, values: np.ndarray) -> Self:
        """The same with errors to draw that are as large as those of the observation, given density and values."""
        ...


class Prior(Protocol):
    """What is known of the parameters before anything is seen; independent from one parameter to the next."""

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What the columns of a batch mean."""
        ...

    def log_density(self, points: np.ndarray) -> np.ndarray:
        """Log-density with respect to the straightened coordinates (see Support), -> (num_points,)."""
        ...

    def sample(self, num_points: int, generator: np.random.Generator) -> np.ndarray:
        """Points in natural units, (num_points, num_parameters)."""
        ...

    def whiten(self, points: np.ndarray) -> np.ndarray:
        """Coordinates in which the prior is the standard normal distribution, both (num_points, num_parameters)."""
        ...

    def color(self, coordinates: np.ndarray) -> np.ndarray:
        """Points in natural units of whitened coordinates; the inverse of `whiten`."""
        ...


class Target(Protocol):
    """All that inference sees: a posterior over points, evaluated a batch at a time.

    How a batch is spread over threads, processes or devices is the target's business and never changes the result.
    """

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What the columns of a batch mean."""
        ...

    @property
    def prior(self) -> Prior:
        """The distribution that `log_prior` is the density of."""
        ...

    @property
    def observed(self) -> np.ndarray:
        """What was seen, in the form that `simulate` draws."""
        ...

    def log_prior(self, points: np.ndarray) -> np.ndarray:
        """Log-prior density with respect to the straightened coordinates (see Support), -> (num_points,)."""
        ...

    def log_likelihood(self, points: np.ndarray) -> np.ndarray:
        """Log-likelihood, (num_points, num_parameters) -> (num_points,); -inf where it can't be evaluated."""
        ...

    def simulate(self, points: np.ndarray, generator: np.random.Generator) -> np.ndarray:
        """Observations drawn at each point, (num_points, num_parameters) -> (num_points, ...)."""
        ...


class LinearizableTarget(Target, Protocol):
    """A target that also says how its observation depends on the parameters, voxel by voxel."""

    def features(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        r"""Stabilized predictions and standardized residuals at each point, both (num_points, num_features).

        With phi the first and z the second, the likelihood's Fisher information is
        sum_n (d phi_n)(d phi_n)^T and its score sum_n z_n d phi_n.
        """
        ...


class Monitor(Protocol):
    """Whoever wants to know how far a long job has come."""

    def begin(self, stage: str) -> None:
        """A named stage begins; the one before it is over."""
        ...

    def advance(self, fraction: float) -> None:
        """The stage that runs has done this fraction of its work, in [0, 1]."""
        ...

    def note(self, message: str) -> None:
        """Something a person should read."""
        ...
