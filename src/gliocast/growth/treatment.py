r"""What treatments do to cells.

**Surgery** multiplies the density inside the cavity by the residual fraction; see `Resection`.

**Radiotherapy** kills at once: of the cells in a voxel that gets the dose d in one fraction, the share

.. math:: S = \exp(-\alpha\,d\,(1 + d\,/\,(\alpha/\beta)))

survives (linear-quadratic model), and N fractions leave S^N. Dead cells make room at once.

**Chemotherapy** kills at the rate kappa C(t), with a concentration C that each dose w_i raises at once and that decays
with the half-life t_1/2. Doses add, and what survives an interval has a closed form:

.. math::
    C(t) = \sum_{t_i \le t} w_i\,e^{-(t - t_i)/\tau}, \qquad \tau = t_{1/2} / \ln 2

.. math::
    \ln S(a, b) = -\kappa\,\tau \sum_{t_i < b} w_i\,\bigl(e^{-(\max(a, t_i) - t_i)/\tau} - e^{-(b - t_i)/\tau}\bigr)

`linear_quadratic`, `fraction_survival` and `exposure` take numbers, numpy arrays or torch tensors, which keep their
gradients.

Source: linear-quadratic model with proliferation and invasion, Rockne et al., Phys. Med. Biol. 55 (2010). First-order
elimination and kill in proportion to concentration are the simplest pharmacology there is; resistance, repair between
fractions, the cell cycle and the blood-brain barrier are left out.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gliocast.core import Box, Chemotherapy, InputError, Radiotherapy, Resection, Treatments


@dataclass(frozen=True, eq=False)
class Instant:
    """A moment at which the density changes at once.

    Args:
        day: when [d].
        treatment: what it is part of.
        survivors: share of the cells that stays, float32, shape of the window; fractions of one course share one array.
        closed: where no cell can go from then on, bool, shape of the window; None where all stays open.
    """

    day: float
    treatment: Resection | Radiotherapy
    survivors: np.ndarray
    closed: np.ndarray | None = None


def instants(treatments: Treatments, window: Box | None = None) -> tuple[Instant, ...]:
    """Resections and fractions in order of time.

    Args:
        treatments: on the grid of the anatomy (`Treatments.require_grid`).
        window: the part of that grid that a solver looks at; None for all of it.
    """
    found = []
    for treatment in treatments:
        if isinstance(treatment, Resection):
            found.append(_cut(treatment, window))
        elif isinstance(treatment, Radiotherapy):
            survivors = _one_fraction(treatment, window)
            found += [Instant(day, treatment, survivors) for day in treatment.days]
    return tuple(sorted(found, key=lambda instant: instant.day))


def break_days(treatments: Treatments) -> tuple[float, ...]:
    """Days on which a solver must begin a new step [d]: resections, fractions and doses of drugs, each once."""
    return tuple(sorted({day for treatment in treatments for day in treatment.days}))


def log_survival(treatments: Treatments, start: float, stop: float) -> float:
    """Logarithm of the share of cells that drugs leave between two days [d]; 0 without drugs, never positive."""
    _require_interval(start, stop)
    drugs = [treatment for treatment in treatments if isinstance(treatment, Chemotherapy)]
    return -math.fsum(
        drug.kill_rate * float(exposure(drug.days, drug.doses, start, stop, half_life=drug.half_life)) for drug in drugs
    )


def peak_rate(treatments: Treatments, start: float, stop: float) -> float:
    """Greatest rate at which drugs kill from `start` until just before `stop` [1/d].

    Between doses the rate only falls, so it is greatest at the start or right after a dose.
    """
    _require_interval(start, stop)
    drugs = [treatment for treatment in treatments if isinstance(treatment, Chemotherapy)]
    times = {start, *(day for drug in drugs for day in drug.days if start < day < stop)}
    return max(math.fsum(_rate(drug, time) for drug in drugs) for time in times)


def linear_quadratic(dose: Any, *, alpha: Any, alpha_beta: Any) -> Any:
    """Logarithm of the share of cells that survives one fraction, -alpha d (1 + d / (alpha/beta)).

    Args:
        dose: of the fraction, d [Gy]; any shape, numpy or torch, as are the others.
        alpha: linear radiosensitivity [1/Gy].
        alpha_beta: ratio of linear over quadratic radiosensitivity [Gy].
    """
    return -(alpha * dose) * (1 + dose / alpha_beta)


def fraction_survival(dose: Any, *, alpha: Any, alpha_beta: Any) -> Any:
    """Share of cells that survives one fraction; arguments as those of `linear_quadratic`."""
    return _exp(linear_quadratic(dose, alpha=alpha, alpha_beta=alpha_beta))


def exposure(days: Sequence[float], doses: Sequence[float], start: float, stop: float, *, half_life: Any) -> Any:
    """Integral of a drug's concentration over an interval, in days of the concentration right after one full dose [d].

    The logarithm of the share of cells that survives is -kappa times this.

    Args:
        days: of the doses, t_i [d].
        doses: shares of the full dose, w_i [1].
        start: beginning of the interval [d].
        stop: its end [d].
        half_life: of the concentration [d], a number or a tensor.
    """
    decay_time = half_life / math.log(2)
    total = 0 * decay_time
    for day, dose in zip(days, doses, strict=True):
        if day < stop:
            before = max(start, day) - day
            total = total + dose * decay_time * (_exp(-before / decay_time) - _exp((day - stop) / decay_time))
    return total


def _exp(value: Any) -> Any:
    """The exponential that keeps the kind of array; torch is not imported for it."""
    return value.exp() if hasattr(value, "exp") else np.exp(value)


def _rate(drug: Chemotherapy, time: float) -> float:
    """Rate at which a drug kills at a time, a dose of that time included [1/d]."""
    decay_time = drug.half_life / math.log(2)
    given = zip(drug.days, drug.doses, strict=True)
    return drug.kill_rate * sum(dose * math.exp((day - time) / decay_time) for day, dose in given if day <= time)


def _cut(resection: Resection, window: Box | None) -> Instant:
    cavity = _seen(resection.cavity.data, window)
    survivors = np.where(cavity, np.float32(resection.residual_fraction), np.float32(1))
    closed = np.array(cavity, order="C") if resection.residual_fraction == 0 else None
    return Instant(resection.day, resection, np.ascontiguousarray(survivors), closed)


def _one_fraction(course: Radiotherapy, window: Box | None) -> np.ndarray:
    dose = _seen(course.dose.data, window).astype(np.float64) / course.num_fractions
    survival = fraction_survival(dose, alpha=course.alpha, alpha_beta=course.alpha_beta)
    return np.ascontiguousarray(survival, dtype=np.float32)


def _seen(array: np.ndarray, window: Box | None) -> np.ndarray:
    return array if window is None else array[window.slices]


def _require_interval(start: float, stop: float) -> None:
    if not start <= stop:  # also true for nan
        raise InputError(
            "interval", expected="a start before its end", got=f"{start:g} to {stop:g}", advice="swap them"
        )
