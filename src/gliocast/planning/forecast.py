"""What comes after the scan: the density on days ahead, untreated and under treatment, with what no scan tells swept.

One scan shows the diffusion length L = sqrt(D_w T) and the growth number n = sqrt(rho T) and no clock: the age T is
what the speed of the front v = 2 sqrt(D_w rho), taken from elsewhere, makes of them,

    T = 2 L n / v,    D_w = v L / (2 n),    rho = v n / (2 L).

Growth goes on from the density of the scan, so a forecast keeps its shape whatever v is, and errs in time alone. How
many cells a course leaves depends on the radiosensitivity alpha most of all, over orders of magnitude: every scenario
with radiation is told for several, never for one.

Source: Rockne et al., Phys. Med. Biol. 55 (2010); days and doses of Stupp et al., N. Engl. J. Med. 352 (2005), and Roa
et al., J. Clin. Oncol. 22 (2004).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gliocast.core import (
    Anatomy,
    Density,
    InputError,
    Radiotherapy,
    Resection,
    Treatments,
    Volume,
    adjuvant_temozolomide,
    concomitant_temozolomide,
    weekday_fractions,
)
from gliocast.core.grid import MM3_PER_ML
from gliocast.core.treatment import ALPHA, KILL_RATE
from gliocast.growth import DensityMap, FisherKolmogorov, Simulator

#: Speed of the front that is assumed where none is given [mm/d]; untreated glioblastomas advance 0.02 to 0.5.
TYPICAL_SPEED, TYPICAL_SPEEDS = 0.1, (0.02, 0.5)
#: No front of a glioma is faster than this [mm/d]; anything larger is a slip of units.
FASTEST_SPEED = 2.0

#: Sensitivities that are looked at unless others are named: ends of the typical range and their geometric mean, alpha
#: [1/Gy] and rate of kill of temozolomide after a daily dose [1/d].
ALPHAS, KILL_RATES = (
    (low, round(float(np.sqrt(low * high)), 3), high) for low, high in (ALPHA.typical, KILL_RATE.typical)
)

#: Days after the scan: surgery, the first fraction without and with surgery before it [d].
_SURGERY_DAY, _FIRST_FRACTION, _AFTER_SURGERY = 7.0, 14.0, 35.0

#: A drug's day begins a little after that of the fraction, and its cycles some days after the last [d].
_AFTER_FRACTION, _PAUSE = 0.1, 28.0

#: Days between points of a curve, beside those that are asked for [d]; relative L2 error of time stepping [1].
_LOOK_EVERY, _ACCURACY = 3.5, 1e-2


def require_speed(speed: float) -> None:
    """Raise InputError unless 0 < speed <= 2 mm/d, as a front may have."""
    if not 0 < speed <= FASTEST_SPEED:  # also true for nan
        slow, fast = TYPICAL_SPEEDS
        raise InputError(
            "speed",
            expected=f"that of a front, above 0 and up to {FASTEST_SPEED:g} mm/d ({slow:g} to {fast:g} is typical)",
            got=f"{speed:g}",
            advice=f"leave it out for {TYPICAL_SPEED:g}, or take it from two scans",
        )


@dataclass(frozen=True)
class Clock:
    """Rates per day of a tumor whose shape is known.

    Args:
        diffusivity: D_w [mm^2/d].
        rate: rho [1/d].
        age_days: T at the scan [d].
    """

    diffusivity: float
    rate: float
    age_days: float

    @classmethod
    def of_speed(cls, speed: float, *, diffusion_length: float, growth_number: float) -> "Clock":
        """From the speed of the front [mm/d], sqrt(D_w T) [mm] and sqrt(rho T) [1].

        Raises:
            InputError: one of them isn't positive, or no front is that fast.
        """
        require_speed(speed)
        if not (diffusion_length > 0 and growth_number > 0):
            raise InputError(
                "clock",
                expected="a positive diffusion length [mm] and growth number",
                got=f"{diffusion_length:g} mm and {growth_number:g}",
                advice="take them from a fit",
            )
        ratio = diffusion_length / growth_number
        return cls(speed * ratio / 2, speed / (2 * ratio), 2 * diffusion_length * growth_number / speed)


@dataclass(frozen=True)
class Course:
    """A prescription: dose [Gy] in fractions [1], one on each weekday."""

    dose_gy: float
    num_fractions: int

    @property
    def name(self) -> str:
        """As people say it, such as "60 Gy in 30"."""
        return f"{self.dose_gy:g} Gy in {self.num_fractions}"


#: Standard course, and the short one of elderly or frail patients.
COURSES = (Course(60.0, 30), Course(40.0, 15))


@dataclass(frozen=True, eq=False)
class Scenario:
    """Something that may be done.

    Args:
        name: what, in words.
        treatments: on days after the scan [d].
        sensitivity: what was assumed of cells, by symbol, such as {"alpha": 0.06}; empty where nothing is killed.
    """

    name: str
    treatments: Treatments
    sensitivity: Mapping[str, float]

    @property
    def given(self) -> dict[str, tuple[float, ...]]:
        """Days on which something is done [d], by the kind of treatment, such as "radiotherapy"."""
        days: dict[str, tuple[float, ...]] = {}
        for treatment in self.treatments:
            days[treatment.kind] = tuple(sorted({*days.get(treatment.kind, ()), *treatment.days}))
        return days


@dataclass(frozen=True, eq=False)
class Forecast:
    """One scenario's future in numbers.

    Args:
        name: of the scenario.
        sensitivity: what it assumes of cells, by symbol.
        given: days on which something is done [d], by the kind of treatment.
        days: after the scan, ascending [d].
        burden_ml: integral of the density on each of them [ml].
        visible_ml: volume above the density that FLAIR shows on each of them [ml].
    """

    name: str
    sensitivity: Mapping[str, float]
    given: Mapping[str, tuple[float, ...]]
    days: np.ndarray
    burden_ml: np.ndarray
    visible_ml: np.ndarray


def scenarios(
    gtv: np.ndarray, dose: np.ndarray, anatomy: Anatomy, *, alphas: Sequence[float], kill_rates: Sequence[float]
) -> Iterator[Scenario]:
    """No treatment, resection, both courses, a drug, and all of standard care; each sensitivity one by one.

    Args:
        gtv: gross tumor volume, which surgery takes out, bool, shape of the anatomy's grid.
        dose: of radiation relative to its prescription [1], shape of the grid: `target_dose` of a target and 1 Gy.
        anatomy: tissue.
        alphas: linear radiosensitivities [1/Gy].
        kill_rates: of temozolomide after a daily dose [1/d].

    Raises:
        InputError: there is no sensitivity, no gross tumor, or no dose.
    """
    for name, values, parameter in (("alpha", alphas, ALPHA), ("kill rate", kill_rates, KILL_RATE)):
        if not values:
            raise InputError(name, expected="a number or more", got="none", advice="use the typical range")
        for value in values:
            parameter.require(value)
    grid = anatomy.grid
    surgery = Resection(_SURGERY_DAY, Volume(gtv & anatomy.brain, grid))
    yield Scenario("no treatment", Treatments(), {})
    yield Scenario("resection", Treatments((surgery,)), {})
    for course in COURSES:
        given_dose = Volume(np.float32(course.dose_gy) * dose, grid)
        for alpha in alphas:
            days = weekday_fractions(_FIRST_FRACTION, course.num_fractions)
            yield Scenario(course.name, Treatments((Radiotherapy(given_dose, days, alpha),)), {"alpha": alpha})
    for rate in kill_rates:
        drug = adjuvant_temozolomide(_FIRST_FRACTION, kill_rate=rate)
        yield Scenario("temozolomide", Treatments((drug,)), {"kappa": rate})
    standard = COURSES[0]
    standard_dose = Volume(np.float32(standard.dose_gy) * dose, grid)
    days = weekday_fractions(_AFTER_SURGERY, standard.num_fractions)
    middle = sorted(kill_rates)[len(kill_rates) // 2]
    for alpha in alphas:
        given = (
            surgery,
            Radiotherapy(standard_dose, days, alpha),
            concomitant_temozolomide(days[0] + _AFTER_FRACTION, kill_rate=middle),
            adjuvant_temozolomide(days[-1] + _PAUSE, kill_rate=middle),
        )
        yield Scenario("surgery, 60 Gy, temozolomide", Treatments(given), {"alpha": alpha, "kappa": middle})


def foresee(
    density: Density,
    anatomy: Anatomy,
    clock: Clock,
    scenario: Scenario,
    *,
    days: Sequence[float],
    visible: float,
    diffusivity_ratio: float = 10.0,
) -> tuple[Forecast, Density]:
    """Grow on from the scan under a scenario, on one thread; the forecast, and the density on the last day.

    Args:
        density: at the scan, on the anatomy's grid.
        anatomy: tissue.
        clock: rates per day.
        scenario: what is done.
        days: when to look, positive and ascending [d].
        visible: density from which on FLAIR shows tumor [1].
        diffusivity_ratio: white over gray matter [1].

    Raises:
        InputError: days out of order, no density, grids that differ.
        ConvergenceError: so many time steps that a unit must be wrong.
    """
    simulator = Simulator(
        FisherKolmogorov(diffusivity_ratio),
        start=DensityMap(density),
        treatments=scenario.treatments if len(scenario.treatments) else None,
        accuracy=_ACCURACY,
        backend="numba-single",
    )
    looks = sorted({*days, *np.arange(_LOOK_EVERY, days[-1], _LOOK_EVERY).tolist()})
    burden, visible_ml = [density.burden()], [density.volume_above(visible)]
    last = density
    for snapshot in simulator.snapshots((clock.diffusivity, clock.rate), anatomy, days=looks):
        last = snapshot.density
        burden.append(last.burden())
        visible_ml.append(last.volume_above(visible))
    forecast = Forecast(
        scenario.name,
        scenario.sensitivity,
        scenario.given,
        np.array([0.0, *looks]),
        np.array(burden) / MM3_PER_ML,
        np.array(visible_ml) / MM3_PER_ML,
    )
    return forecast, last
