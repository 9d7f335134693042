r"""How long digital patients live: a stated hazard of age, growth, volume, place and care. Synthetic.

A Weibull law with proportional hazards,

.. math:: S(t) = \exp\{-e^{\eta} (t / \tau)^k\}, \qquad \eta = \sum_j \beta_j x_j

whose median is that of glioblastoma under standard care for a patient of whom every covariate is zero. Coefficients are
conventions of the size and sign that cohorts report (age, volume, resection: Lacroix et al., J. Neurosurg. 95, 2001;
speed of growth: Swanson et al., Br. J. Cancer 98, 2008), stated so that a model of survival can be held to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

#: Resection of the whole core, of a part of it, or none; BraTS' GTR, STR and NA.
Extent = Literal["gross-total", "subtotal", "none"]

#: Shape k [1], and median [d] where every covariate is zero.
SHAPE, MEDIAN_DAYS = 1.4, 420.0

#: Coefficients of `covariates` in the logarithm of the hazard [1].
COEFFICIENTS: Mapping[str, float] = {
    "age": 0.35,
    "speed": 0.45,
    "volume": 0.25,
    "depth": 0.40,
    "low_grade": -1.5,
    "gross_total_resection": -0.45,
    "subtotal_resection": -0.15,
}

#: Observation ends between these days after the first scan [d].
_CENSORING_DAYS = (300.0, 1600.0)


@dataclass(frozen=True)
class Outcome:
    """How a digital patient fares.

    Args:
        log_hazard: relative to the patient of whom every covariate is zero, eta [1].
        survival_days: from the first scan to death [d].
        observed_days: to death or the end of observation, whichever comes first [d].
    """

    log_hazard: float
    survival_days: float
    observed_days: float

    @property
    def censored(self) -> bool:
        """Whether the patient lived when observation ended."""
        return self.observed_days < self.survival_days


def covariates(
    *, age_years: float, speed_mm_d: float, whole_ml: float, depth: float, high_grade: bool, extent: Extent
) -> dict[str, float]:
    """What the hazard depends on, by the names of `COEFFICIENTS`.

    Args:
        age_years: of the patient [years].
        speed_mm_d: of the front [mm/d].
        whole_ml: volume of the whole tumor [ml].
        depth: 1 for a tumor in the middle of the brain, 0 at its surface [1].
        high_grade: whether the core takes up contrast agent.
        extent: of the resection.
    """
    return {
        "age": (age_years - 60) / 10,
        "speed": float(np.log(speed_mm_d / 0.1)),
        "volume": float(np.log(whole_ml / 75)),
        "depth": depth,
        "low_grade": float(not high_grade),
        "gross_total_resection": float(extent == "gross-total"),
        "subtotal_resection": float(extent == "subtotal"),
    }


def draw_outcome(values: Mapping[str, float], generator: np.random.Generator) -> Outcome:
    """An outcome under the hazard of some covariates."""
    eta = sum(COEFFICIENTS[name] * value for name, value in values.items())
    scale = MEDIAN_DAYS / np.log(2) ** (1 / SHAPE)
    survival = max(1.0, float(scale * (generator.exponential() / np.exp(eta)) ** (1 / SHAPE)))
    end = float(generator.uniform(*_CENSORING_DAYS))
    return Outcome(float(eta), round(survival, 1), round(min(survival, end), 1))
