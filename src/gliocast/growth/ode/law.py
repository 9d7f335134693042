"""What a law of volume growth is, and the parameters that several laws share.

A law says how the volume of one lesion changes, without space. It is solved in closed form in y = log V: readings err
by a factor, volumes span orders of magnitude, and no step of a search can make a logarithm's volume negative.
"""

from typing import Protocol, Self

import numpy as np

from gliocast.core import Parameter, Support

#: Volumes that a fit can reach [mm^3]: from a hundredth of a voxel to a hundred liters. They only keep a search finite.
_VOLUMES = Support(1e-2, 1e8)
#: exp() of more than this overflows.
_MAX_EXPONENT = 700.0
#: Greatest growth rate of any law [1/d]: doubling in eight hours.
MAX_RATE = 2.0

INITIAL_VOLUME = Parameter(
    name="initial_volume",
    symbol="V_0",
    unit="mm^3",
    support=_VOLUMES,
    typical=(1e3, 1e5),
    source="1 to 100 ml, glioblastomas at diagnosis, Stensjøen et al. (2015)",
)
CARRYING_CAPACITY = Parameter(
    name="carrying_capacity",
    symbol="K",
    unit="mm^3",
    support=_VOLUMES,
    typical=(1e5, 3.1e6),
    source="from a lethal volume in the brain to 3.1e12 cells of 1e-6 mm^3, Norton (1988)",
)


class GrowthLaw(Protocol):
    """A law of volume growth in closed form.

    One lesion may be made of several compartments; the volume is their sum. `origin` is the day whose volume is the
    first parameter, V_0: days count from anywhere (the start of treatment, say), and may be negative.
    """

    @property
    def name(self) -> str:
        """In words, as a figure's legend has it."""
        ...

    @property
    def origin(self) -> float:
        """Day of the initial volume [d]."""
        ...

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """What the law depends on, the initial volume first; supports are the bounds of a fit."""
        ...

    def from_day(self, day: float) -> Self:
        """The same law with its initial volume on another day [d]."""
        ...

    def log_volume(self, days: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Logarithm of the volume [log mm^3]: days (num_days,), values (..., num_parameters) -> (..., num_days)."""
        ...

    def log_derivative(self, day: float, log_volumes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Right-hand side, d log V / dt [1/d] of each compartment: (num_compartments,) -> (num_compartments,)."""
        ...

    def starts(self, days: np.ndarray, log_volumes: np.ndarray) -> np.ndarray:
        """Guesses from the data, (num_days,) and (num_days,) -> (num_starts, num_parameters), inside the supports.

        Several, where the sum of squares may have several minima.
        """
        ...

    def objection(self, days: np.ndarray) -> str | None:
        """Why visits on these days can't fix the law's parameters, however many they are; None if they can."""
        ...


def volume(law: GrowthLaw, days: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Volume [mm^3]: days (num_days,), values (..., num_parameters) -> (..., num_days)."""
    return np.exp(np.minimum(law.log_volume(np.asarray(days, dtype=float), np.asarray(values)), _MAX_EXPONENT))


def columns(values: np.ndarray) -> np.ndarray:
    """Values (..., num_parameters) as (num_parameters, ..., 1): each parameter broadcasts against days."""
    return np.moveaxis(np.asarray(values, dtype=float), -1, 0)[..., None]


def into_support(parameters: tuple[Parameter, ...], points: np.ndarray) -> np.ndarray:
    """Points (..., num_parameters), each parameter moved into its support where it lies outside."""
    lower = np.array([parameter.support.lower for parameter in parameters])
    upper = np.array([parameter.support.upper for parameter in parameters])
    return np.clip(points, lower, upper)


def line(days: np.ndarray, log_volumes: np.ndarray) -> tuple[float, float]:
    """Least-squares line through log-volumes: value on the first day [log mm^3] and slope [1/d]."""
    since = days - days[0]
    spread = np.sum((since - since.mean()) ** 2)
    slope = float(np.sum((since - since.mean()) * log_volumes) / spread) if spread > 0 else 0.0
    return float(log_volumes.mean() - slope * since.mean()), slope
