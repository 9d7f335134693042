"""Which laws of volume growth are fitted to a patient, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from gliocast.core import InputError, VolumeCourse
from gliocast.growth.ode import (
    Exponential,
    FitOptions,
    Gompertz,
    GrowthLaw,
    LawComparison,
    Logistic,
    RadiotherapyCompartments,
    ReducedGompertz,
    fit_laws,
    why_not,
)

#: Names of the laws as options have them.
LAWS = ("exponential", "logistic", "gompertz", "reduced-gompertz", "radiotherapy")


@dataclass(frozen=True)
class VolumeOptions:
    """What a user may choose about laws of volume growth.

    Args:
        laws: names from `LAWS`; empty for all that make sense (that of radiotherapy if its day is given).
        radiotherapy_day: start of radiotherapy on the axis of the table [d]; None if it isn't known.
        hold_out_last: forecast the last visit of each patient from the others.
        max_figures: patients of whom a picture is drawn, from the first.
        seed: of the random generator.
        fit: noise, detection, bootstrap.
    """

    laws: tuple[str, ...] = ()
    radiotherapy_day: float | None = None
    hold_out_last: bool = False
    max_figures: int = 12
    seed: int = 0
    fit: FitOptions = field(default_factory=FitOptions)

    def __post_init__(self) -> None:
        unknown = [name for name in self.laws if name not in LAWS]
        if unknown or len(set(self.laws)) < len(self.laws):
            raise InputError(
                "law",
                expected=f"different ones of {', '.join(LAWS)}",
                got=", ".join(self.laws),
                advice="leave the option out for all of them",
            )
        for subject, value in (("seed", self.seed), ("number of figures", self.max_figures)):
            if value < 0:
                raise InputError(subject, expected="a nonnegative integer", got=f"{value}", advice="use 0")
        make_laws(self)


@dataclass(frozen=True, eq=False)
class CourseFit:
    """Laws fitted to one patient.

    Args:
        course: all visits.
        comparison: of the laws, fitted to all visits but those held out.
        num_held_out: visits at the end that the fit didn't see.
    """

    course: VolumeCourse
    comparison: LawComparison
    num_held_out: int

    @property
    def fitted(self) -> VolumeCourse:
        """The visits that the fit saw."""
        return self.course.without_last() if self.num_held_out else self.course


def make_laws(options: VolumeOptions) -> tuple[GrowthLaw, ...]:
    """The laws that the options ask for."""
    treatment_day = 0.0 if options.radiotherapy_day is None else options.radiotherapy_day
    laws: Mapping[str, GrowthLaw] = {
        "exponential": Exponential(),
        "logistic": Logistic(),
        "gompertz": Gompertz(),
        "reduced-gompertz": ReducedGompertz(),
        "radiotherapy": RadiotherapyCompartments(treatment_day),
    }
    usual = LAWS if options.radiotherapy_day is not None else LAWS[:-1]
    return tuple(laws[name] for name in (options.laws or usual))


def fit_course(course: VolumeCourse, options: VolumeOptions) -> CourseFit:
    """Fit the laws to one patient; the result depends on the patient's number and the seed, not on other patients.

    Raises:
        InputError: the visits support none of the laws.
    """
    seen = _seen(course, options)
    generator = np.random.default_rng([options.seed, course.number])
    comparison = fit_laws(make_laws(options), seen.days, seen.volumes, generator=generator, options=options.fit)
    return CourseFit(course, comparison, int(options.hold_out_last))


def can_be_fitted(course: VolumeCourse, options: VolumeOptions) -> bool:
    """Whether the visits support any of the laws."""
    seen = _seen(course, options)
    return any(why_not(law, seen.days, seen.volumes) is None for law in make_laws(options))


def _seen(course: VolumeCourse, options: VolumeOptions) -> VolumeCourse:
    return course.without_last() if options.hold_out_last else course
