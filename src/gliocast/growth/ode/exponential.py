r"""Exponential growth: every cell divides, or dies, at the same rate.

.. math::
    \dot V = r V, \qquad \log V(t) = \log V_0 + r\,(t - t_0)

The rate may be negative: a lesion that shrinks under treatment.
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from gliocast.core import Parameter, Support
from gliocast.growth.ode.law import INITIAL_VOLUME, MAX_RATE, columns, into_support, line

NET_GROWTH_RATE = Parameter(
    name="net_growth_rate",
    symbol="r",
    unit="1/d",
    support=Support(-MAX_RATE, MAX_RATE),
    typical=(0.002, 0.05),
    source="around the median of 0.014 of untreated glioblastomas, Stensjøen et al. (2015); negative under treatment",
)


@dataclass(frozen=True)
class Exponential:
    """Growth without limit.

    Args:
        origin: day of the initial volume [d].
    """

    origin: float = 0.0

    @property
    def name(self) -> str:
        """In words."""
        return "exponential"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Initial volume [mm^3] and net growth rate [1/d]."""
        return INITIAL_VOLUME, NET_GROWTH_RATE

    def from_day(self, day: float) -> Self:
        """The same law with its initial volume on another day [d]."""
        return replace(self, origin=day)

    def log_volume(self, days: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Logarithm of the volume, (num_days,) and (..., 2) -> (..., num_days)."""
        initial, rate = columns(values)
        return np.log(initial) + rate * (days - self.origin)

    def log_derivative(self, day: float, log_volumes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The constant r [1/d]."""
        return np.full_like(log_volumes, values[1])

    def starts(self, days: np.ndarray, log_volumes: np.ndarray) -> np.ndarray:
        """The regression line, which is the answer."""
        level, slope = line(days, log_volumes)
        level += slope * (self.origin - days[0])
        return into_support(self.parameters, np.array([[np.exp(level), slope]]))

    def objection(self, days: np.ndarray) -> str | None:
        """None: any days do."""
        return None
