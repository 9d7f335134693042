r"""Logistic growth: cells divide until there is no room.

.. math::
    \dot V = r_l V\,(1 - V / K), \qquad
    \log V(t) = \log K - \log\bigl(1 + (K / V_0 - 1)\,e^{-r_l (t - t_0)}\bigr)

Above its carrying capacity a lesion shrinks toward it. Source: Verhulst; for tumors Benzekry et al. (2014).
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from gliocast.core import Parameter, Support
from gliocast.growth.ode.law import CARRYING_CAPACITY, INITIAL_VOLUME, MAX_RATE, columns, into_support, line

LOGISTIC_RATE = Parameter(
    name="logistic_rate",
    symbol="r_l",
    unit="1/d",
    support=Support(1e-5, MAX_RATE),
    typical=(0.002, 0.05),
    source="as the net growth rate far below the carrying capacity, Stensjøen et al. (2015)",
)
#: Rates from which a search starts [1/d], over the typical range and beyond.
_START_RATES = (0.003, 0.02, 0.1)
#: Carrying capacities from which it starts, as factors of the largest volume for growth and the last one for decline
#: [1].
_START_FACTORS = (1.05, 4.0, 100.0)


@dataclass(frozen=True)
class Logistic:
    """Growth to a carrying capacity, symmetric about its half.

    Args:
        origin: day of the initial volume [d].
    """

    origin: float = 0.0

    @property
    def name(self) -> str:
        """In words."""
        return "logistic"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Initial volume [mm^3], rate [1/d] and carrying capacity [mm^3]."""
        return INITIAL_VOLUME, LOGISTIC_RATE, CARRYING_CAPACITY

    def from_day(self, day: float) -> Self:
        """The same law with its initial volume on another day [d]."""
        return replace(self, origin=day)

    def log_volume(self, days: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Logarithm of the volume, (num_days,) and (..., 3) -> (..., num_days).

        With g = r (t - t_0) it is log K - log(1 - e^-g + (K / V_0) e^-g) forward and, divided by e^-g, the same
        backward, so that nothing overflows. A curve that comes down to K was infinite at a finite time; before it, it
        stays so.
        """
        initial, rate, capacity = columns(values)
        grown = rate * (days - self.origin)
        ratio = np.log(capacity / initial)
        ahead, behind = np.maximum(grown, 0), np.minimum(grown, 0)
        with np.errstate(divide="ignore"):
            forward = -np.logaddexp(ratio - ahead, np.log(-np.expm1(-ahead)))
            backward = behind - ratio - np.log(np.maximum(1 + np.exp(-ratio) * np.expm1(behind), 0))
        return np.log(capacity) + np.where(grown >= 0, forward, backward)

    def log_derivative(self, day: float, log_volumes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """r (1 - V / K) [1/d]."""
        return values[1] * -np.expm1(log_volumes - np.log(values[2]))

    def starts(self, days: np.ndarray, log_volumes: np.ndarray) -> np.ndarray:
        """Rates times carrying capacities, around the end of the curve."""
        level, slope = line(days, log_volumes)
        level += slope * (self.origin - days[0])
        end = log_volumes.max() if slope > 0 else log_volumes[-1]
        points = [
            (np.exp(level), rate, np.exp(end) * (factor if slope > 0 else 1 / factor))
            for rate in _START_RATES
            for factor in _START_FACTORS
        ]
        return into_support(self.parameters, np.array(points))

    def objection(self, days: np.ndarray) -> str | None:
        """None: any days do."""
        return None
