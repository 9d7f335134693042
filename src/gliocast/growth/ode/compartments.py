r"""Radiotherapy in two compartments: cells that survive it and grow on, cells that it has doomed and that vanish late.

Until the day of treatment :math:`t_{RT}` all cells grow at :math:`\lambda`. Then a fraction :math:`S` survives and the
rest moves to the dying compartment; with :math:`\tau = t - t_{RT}`

.. math::
    \dot V_l = \lambda V_l, \qquad \dot V_d = -\lambda_d \tanh\bigl(s\,(\tau - \delta)\bigr)\,V_d,

in closed form

.. math::
    V_l = S\,V_{RT}\,e^{\lambda\tau}, \qquad
    V_d = (1 - S)\,V_{RT} \exp\Bigl(-\frac{\lambda_d}{s}\bigl[\ln\cosh s(\tau - \delta) - \ln\cosh s\delta\bigr]\Bigr).

Before the delay :math:`\delta` the hyperbolic tangent is negative, and the dying compartment swells: a
pseudoprogression. The volume is :math:`V_l + V_d`; :math:`V_0` is its value on the day of origin, whichever side of
the treatment that is.

Source: "Mechanistic learning with guided diffusion models", arXiv 2509.09610 (there for areas), whose bounds we take.
We depart in how it is fitted: on log-volumes, with plain residuals (a published code hands squared ones to a solver
that squares them), and in the bootstrap, whose noise isn't cut off at 1.
"""

from dataclasses import dataclass, replace
from itertools import product
from typing import Self

import numpy as np

from gliocast.core import InputError, Parameter, Support
from gliocast.growth.ode.law import INITIAL_VOLUME, columns, into_support

_SOURCE = "bounds of arXiv 2509.09610; the typical range is ours, from days to months"

SURVIVOR_GROWTH_RATE = Parameter(
    name="survivor_growth_rate",
    symbol="lambda",
    unit="1/d",
    support=Support(1e-3, 2.0),
    typical=(0.002, 0.05),
    source=_SOURCE,
)
DYING_RATE = Parameter(
    name="dying_rate",
    symbol="lambda_d",
    unit="1/d",
    support=Support(1e-3, 100.0),
    typical=(0.005, 0.5),
    source=_SOURCE,
)
DYING_DELAY = Parameter(
    name="dying_delay",
    symbol="delta",
    unit="d",
    support=Support(1e-3, 300.0),
    typical=(1.0, 100.0),
    source=_SOURCE,
)
DYING_STEEPNESS = Parameter(
    name="dying_steepness",
    symbol="s",
    unit="1/d",
    support=Support(1e-3, 600.0),
    typical=(0.01, 1.0),
    source=_SOURCE,
)
SURVIVING_FRACTION = Parameter(
    name="surviving_fraction",
    symbol="S",
    unit="1",
    support=Support(1e-3, 0.2),
    typical=(0.01, 0.2),
    source=_SOURCE,
)
#: Where searches start: the sum of squares has many valleys, in which the dying compartment takes different turns of
#: the data for its own. Rates [1/d], delays [d], steepness [1/d], fractions [1].
_START_GRID = ((0.003, 0.03), (0.01, 0.1), (2.0, 40.0), (0.02, 1.0), (0.02, 0.15))


@dataclass(frozen=True)
class RadiotherapyCompartments:
    """Growth, interrupted by radiotherapy.

    Args:
        treatment_day: day on which radiotherapy starts, t_RT [d].
        origin: day of the initial volume [d].
    """

    treatment_day: float = 0.0
    origin: float = 0.0

    def __post_init__(self) -> None:
        if not np.isfinite(self.treatment_day):
            raise InputError(
                "radiotherapy day",
                expected="a number of days",
                got=f"{self.treatment_day}",
                advice="give it on the same axis as the visits; 0 by default",
            )

    @property
    def name(self) -> str:
        """In words."""
        return "radiotherapy compartments"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Initial volume [mm^3], lambda, lambda_d [1/d], delta [d], s [1/d] and S [1]."""
        return INITIAL_VOLUME, SURVIVOR_GROWTH_RATE, DYING_RATE, DYING_DELAY, DYING_STEEPNESS, SURVIVING_FRACTION

    def from_day(self, day: float) -> Self:
        """The same law with its initial volume on another day [d]."""
        return replace(self, origin=day)

    def log_volume(self, days: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Logarithm of the whole volume, (num_days,) and (..., 6) -> (..., num_days)."""
        start = self._log_relative(np.array([self.origin]), values)
        return np.log(columns(values)[0]) + self._log_relative(days, values) - start

    def log_compartments(self, days: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Logarithms of the living and the dying volume, (num_days,) and (..., 6) -> (2, ..., num_days).

        Before treatment nothing is dying: -inf.
        """
        treated = np.log(columns(values)[0]) - self._log_relative(np.array([self.origin]), values)
        return np.stack([treated + part for part in self._log_parts(days, values)])

    def log_derivative(self, day: float, log_volumes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Lambda of the living, and -lambda_d tanh(s (tau - delta)) of the dying from the day of treatment [1/d]."""
        _, growth, dying, delay, steepness, _ = values
        since = day - self.treatment_day
        shrinkage = -dying * np.tanh(steepness * (since - delay)) if since >= 0 else 0.0
        return np.array([growth, shrinkage])

    def starts(self, days: np.ndarray, log_volumes: np.ndarray) -> np.ndarray:
        """A coarse grid, from the first volume."""
        points = [(np.exp(log_volumes[0]), *point) for point in product(*_START_GRID)]
        return into_support(self.parameters, np.array(points))

    def objection(self, days: np.ndarray) -> str | None:
        """Without visits after treatment nothing tells what it did."""
        if np.sum(days > self.treatment_day) < 2:
            return f"it needs two visits after the day of treatment, {self.treatment_day:g}"
        return None

    def _log_relative(self, days: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Logarithm of the volume over that on the day of treatment."""
        return np.logaddexp(*self._log_parts(days, values))

    def _log_parts(self, days: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Logarithms of living and dying volume over the whole on the day of treatment, (..., num_days) each."""
        _, growth, dying, delay, steepness, surviving = columns(values)
        since = np.asarray(days, dtype=float) - self.treatment_day
        treated = since >= 0
        living = np.where(treated, np.log(surviving), 0.0) + growth * since
        turn = _log_cosh(steepness * (np.maximum(since, 0) - delay)) - _log_cosh(steepness * delay)
        doomed = np.where(treated, np.log1p(-surviving) - dying / steepness * turn, -np.inf)
        return living, doomed


def _log_cosh(x: np.ndarray) -> np.ndarray:
    """log cosh x without overflow."""
    size = np.abs(x)
    return size + np.log1p(np.exp(-2 * size)) - np.log(2)
