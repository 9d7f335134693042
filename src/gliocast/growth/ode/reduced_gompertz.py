r"""Reduced Gompertz growth: one rate per lesion, the rest shared by a population.

Vaghi et al. write Gompertz growth with the proliferation rate :math:`\alpha` at the volume of one cell :math:`V_c`,

.. math::
    \dot V = \bigl(\alpha - \beta\,\log(V / V_c)\bigr)\,V,

and find both rates on one line over a population, :math:`\alpha = k\beta + c`, with c small. With y = log V this is

.. math::
    \dot y = k\beta + c - \beta\,(y - \log V_c), \qquad
    y(t) = y_0 e^{-\beta\tau} + \Bigl(\log V_c + k + \frac{c}{\beta}\Bigr)\bigl(1 - e^{-\beta\tau}\bigr),

with :math:`\tau = t - t_0`: Gompertz growth with retardation rate :math:`a = \beta` and :math:`\log K = \log V_c + k +
c / \beta`. For c = 0 the carrying capacity is the same for everyone, :math:`K = V_c e^k`, and only :math:`V_0` and
:math:`\beta` remain of a lesion. k has no unit, c and the rates are per day, volumes are in mm^3.

Source: Vaghi et al., PLoS Comput. Biol. 16 (2020), where c is dropped. We keep it as a field. Their k was found in
mice; for a person without a cohort we take that of Norton's limit of 3.1e12 cells (1988). `GompertzRelation.of`
estimates both from Gompertz fits of a cohort, `GompertzRelation.through_origin` k alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy.stats import theilslopes

from gliocast.core import InputError, Parameter
from gliocast.growth.ode.gompertz import RETARDATION_RATE
from gliocast.growth.ode.law import INITIAL_VOLUME, columns, into_support, line

#: Volume of one cell, V_c [mm^3]: 1e9 cells per ml, Vaghi et al. (2020).
CELL_VOLUME_MM3 = 1e-6
#: Where Gompertz growth of breast cancers in women ends [cells], Norton (1988).
LARGEST_TUMOR_CELLS = 3.1e12
#: Gompertz fits from which a line can be drawn [1].
_MIN_COHORT = 3


@dataclass(frozen=True)
class GompertzRelation:
    """How the two rates of Gompertz growth go together in a population,  alpha = k beta + c.

    Args:
        slope: k [1].
        intercept: c [1/d].
    """

    slope: float = float(np.log(LARGEST_TUMOR_CELLS))
    intercept: float = 0.0

    def __post_init__(self) -> None:
        if not (np.isfinite(self.slope) and np.isfinite(self.intercept)):
            raise InputError(
                "Gompertz relation",
                expected="finite slope and intercept",
                got=f"{self.slope} and {self.intercept}",
                advice="leave them out for those of the literature",
            )

    def log_capacity(self, rate: float | np.ndarray) -> np.ndarray:
        """Logarithm of the carrying capacity [log mm^3] that belongs to a retardation rate beta [1/d]."""
        return np.log(CELL_VOLUME_MM3) + self.slope + self.intercept / np.asarray(rate)

    @classmethod
    def of(cls, values: Sequence[Sequence[float]] | np.ndarray) -> Self:
        """Line through the rates of a cohort, by Theil and Sen: the median of the slopes between any two lesions.

        We depart from the source's least squares: where rates span orders of magnitude, the few fastest lesions would
        fix the line, and an intercept that is small for them is far too large for the slow ones. That alpha and beta
        correlate says little by itself, as alpha contains beta. Leave out fits on a bound: their carrying capacity is
        arbitrary.

        Args:
            values: parameters of `Gompertz`, (num_lesions, 3): initial volume, retardation rate, carrying capacity.

        Raises:
            InputError: fewer than three lesions, or all of the same rate.
        """
        alpha, beta = _rates(values)
        if np.ptp(beta) == 0:
            raise InputError(
                "Gompertz relation",
                expected="lesions with different rates",
                got=f"{len(beta)} of rate {beta[0]:g} / d",
                advice="fit more lesions, or use GompertzRelation.through_origin",
            )
        line_of_medians = theilslopes(alpha, beta, method="joint")
        return cls(float(line_of_medians.slope), float(line_of_medians.intercept))

    @classmethod
    def through_origin(cls, values: Sequence[Sequence[float]] | np.ndarray) -> Self:
        """The relation without intercept, alpha = k beta, by the median of alpha / beta; one carrying capacity for all.

        Arguments and errors as of `of`.
        """
        alpha, beta = _rates(values)
        return cls(float(np.median(alpha / beta)))


@dataclass(frozen=True)
class ReducedGompertz:
    """Gompertz growth whose carrying capacity a population has fixed.

    Args:
        relation: of the population.
        origin: day of the initial volume [d].
    """

    relation: GompertzRelation = GompertzRelation()
    origin: float = 0.0

    @property
    def name(self) -> str:
        """In words."""
        return "reduced Gompertz"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Initial volume [mm^3] and retardation rate [1/d]."""
        return INITIAL_VOLUME, RETARDATION_RATE

    def from_day(self, day: float) -> Self:
        """The same law with its initial volume on another day [d]."""
        return replace(self, origin=day)

    def log_volume(self, days: np.ndarray, values: np.ndarray) -> np.ndarray:
        """Logarithm of the volume, (num_days,) and (..., 2) -> (..., num_days)."""
        initial, rate = columns(values)
        capacity = self.relation.log_capacity(rate)
        return capacity + (np.log(initial) - capacity) * np.exp(-rate * (days - self.origin))

    def log_derivative(self, day: float, log_volumes: np.ndarray, values: np.ndarray) -> np.ndarray:
        """alpha - beta log(V / V_c) with alpha = k beta + c [1/d]."""
        alpha = self.relation.slope * values[1] + self.relation.intercept
        return alpha - values[1] * (log_volumes - np.log(CELL_VOLUME_MM3))

    def starts(self, days: np.ndarray, log_volumes: np.ndarray) -> np.ndarray:
        """The regression line, whose slope is the growth rate in the middle of the curve."""
        level, slope = line(days, log_volumes)
        level += slope * (self.origin - days[0])
        distance = np.log(CELL_VOLUME_MM3) + self.relation.slope - log_volumes.mean()
        rate = (slope - self.relation.intercept) / distance if distance != 0 else 0.0
        points = np.exp(level), np.clip(rate, 3 * RETARDATION_RATE.support.lower, None)
        return into_support(self.parameters, np.array([points]))

    def objection(self, days: np.ndarray) -> str | None:
        """None: any days do."""
        return None


def _rates(values: Sequence[Sequence[float]] | np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Alpha and beta [1/d] of Gompertz fits (num_lesions, 3)."""
    fits = np.asarray(values, dtype=float).reshape(-1, 3)
    if len(fits) < _MIN_COHORT:
        raise InputError(
            "Gompertz relation",
            expected=f"Gompertz fits of at least {_MIN_COHORT} lesions",
            got=f"{len(fits)}",
            advice="fit more lesions",
        )
    return fits[:, 1] * (np.log(fits[:, 2]) - np.log(CELL_VOLUME_MM3)), fits[:, 1]
