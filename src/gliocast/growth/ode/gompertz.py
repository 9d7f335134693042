r"""Gompertz growth: the growth rate falls as the logarithm of the volume nears that of the carrying capacity.

.. math::
    \dot y = a\,(\log K - y), \qquad y(t) = \log K + (\log V_0 - \log K)\,e^{-a (t - t_0)}, \qquad y = \log V

In y the equation is linear, so that it is solved and differentiated there; in V itself a step of a search or of an
adjoint may cross V = 0, where it isn't defined. Above its carrying capacity a lesion shrinks toward it.

Source: Norton (1988); Benzekry et al. (2014).
"""

from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from gliocast.core import Parameter, Support
from gliocast.growth.ode.law import CARRYING_CAPACITY, INITIAL_VOLUME, columns, into_support

RETARDATION_RATE = Parameter(
    name="retardation_rate",
    symbol="a",
    unit="1/d",
    support=Support(1e-5, 1.0),
    typical=(0.0005, 0.008),
    source="around 0.0019 of breast cancers in women, Norton (1988), a factor of four either way",
)
#: Rates for which a start is solved [1/d]; given the rate, the rest is a linear problem.
_START_RATES = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1)


@dataclass(frozen=True)
class Gompertz:
    """Growth to a carrying capacity, ever slower.

    Args:
        origin: day of the initial volume [d].
    """

    origin: float = 0.0

    @property
    def name(self) -> str:
        """In words."""
        return "Gompertz"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Initial volume [mm^3], retardation rate [1/d] and carrying capacity [mm^3]."""
        return INITIAL_VOLUME, RETARDATION_RATE, CARRYING_CAPACITY

    def from_day(self, day: float) -> Self:
        """The same law with its initial volume on another day [d]."""
        return replace(self, origin=day)

    def log_volume(self, days: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Logarithm of the volume, (num_days,) and (..., 3) -> (..., num_days)."""
        initial, rate, capacity = columns(values)
        return np.log(capacity) + np.log(initial / capacity) * np.exp(-rate * (days - self.origin))

    def log_derivative(self, day: float, log_volumes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """a (log K - y) [1/d]."""
        return values[1] * (np.log(values[2]) - log_volumes)

    def starts(self, days: np.ndarray, log_volumes: np.ndarray) -> np.ndarray:
        """For each of several rates, initial volume and carrying capacity by linear least squares."""
        points = []
        largest = np.log(CARRYING_CAPACITY.support.upper)
        for rate in _START_RATES:
            decay = np.exp(-rate * (days - self.origin))
            (initial, capacity), *_ = np.linalg.lstsq(np.stack([decay, 1 - decay], axis=1), log_volumes)
            points.append((np.exp(min(initial, largest)), rate, np.exp(min(capacity, largest))))
        return into_support(self.parameters, np.array(points))

    def objection(self, days: np.ndarray) -> str | None:
        """None: any days do."""
        return None
