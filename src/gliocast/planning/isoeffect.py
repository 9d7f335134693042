"""What plans leave of a tumor: expected cells after a course, and plans made equal in integral dose or in effect.

Of the density u a course of N fractions leaves, in the linear-quadratic model, the integral of u S(d(x))^N, with d(x)
the dose of one fraction. Two targets differ in where they put dose and in how much of it there is. So they are compared
twice: at equal integral dose (gray times liters, over the whole grid), and by the dose that one of them needs to
leave as many cells as the other.

Source: Rockne et al., Phys. Med. Biol. 55 (2010), for the model; Fowler, Br. J. Radiol. 62 (1989), for iso-effect.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from gliocast.core import Density, InputError
from gliocast.core.grid import MM3_PER_ML
from gliocast.core.treatment import ALPHA, ALPHA_BETA, MAX_DOSE_GY
from gliocast.core.volume import require_shape
from gliocast.growth.dose import target_dose
from gliocast.growth.treatment import linear_quadratic
from gliocast.planning.forecast import COURSES, Course


@dataclass(frozen=True)
class IsoEffect:
    """Two dose distributions at one radiosensitivity.

    Args:
        course: prescription of the reference.
        alpha: linear radiosensitivity [1/Gy].
        reference_ml: what the reference leaves of the tumor [ml at carrying capacity].
        equal_integral_ml: what the other leaves where its dose is scaled to the reference's integral dose [ml].
        equal_integral_gy: prescription of the other that has that integral dose [Gy].
        isoeffective_gy: prescription of the other that leaves as much as the reference [Gy]; nan where none below
            200 Gy does.
    """

    course: Course
    alpha: float
    reference_ml: float
    equal_integral_ml: float
    equal_integral_gy: float
    isoeffective_gy: float


def cells_left(
    density: Density, dose: np.ndarray, *, num_fractions: int, alpha: float, alpha_beta: float = 10.0
) -> float:
    """What a course leaves of a tumor, right after it and with no growth in between [mm^3 at carrying capacity].

    Args:
        density: expected tumor cells.
        dose: of the whole course [Gy], shape of the density's grid.
        num_fractions: equal ones [1].
        alpha: linear radiosensitivity [1/Gy].
        alpha_beta: ratio of linear over quadratic radiosensitivity [Gy].

    Raises:
        InputError: a shape doesn't fit, a number is out of range.
    """
    require_shape(dose, density.grid, "dose")
    ALPHA.require(alpha)
    ALPHA_BETA.require(alpha_beta)
    if num_fractions < 1 or not (np.isfinite(dose).all() and dose.min() >= 0):
        raise InputError(
            "dose", expected="gray, not negative, in one fraction or more", got="others", advice="check the map"
        )
    there = density.data > 0
    each = dose[there].astype(np.float64) / num_fractions
    logarithm = num_fractions * linear_quadratic(each, alpha=alpha, alpha_beta=alpha_beta)
    return float(np.sum(density.data[there] * np.exp(logarithm))) * density.grid.voxel_volume


def compare_targets(
    density: Density, reference: np.ndarray, other: np.ndarray, *, alphas: Sequence[float]
) -> tuple[IsoEffect, ...]:
    """Two targets under both standard courses, for each radiosensitivity.

    Args:
        density: expected tumor cells.
        reference: target, bool, shape of the density's grid.
        other: the target that is compared with it.
        alphas: linear radiosensitivities [1/Gy].

    Raises:
        InputError: as `compare_doses`, or a target is empty.
    """
    first, second = (target_dose(target, density.grid, 1.0) for target in (reference, other))
    return tuple(
        effect for course in COURSES for effect in compare_doses(density, first, second, course, alphas=alphas)
    )


def compare_doses(
    density: Density, reference: np.ndarray, other: np.ndarray, course: Course, *, alphas: Sequence[float]
) -> tuple[IsoEffect, ...]:
    """The other dose distribution against the reference, for each radiosensitivity.

    Args:
        density: expected tumor cells.
        reference: dose relative to the prescription [1], shape of the grid: `target_dose` of a target and 1 Gy.
        other: the same of the other target.
        course: prescription of the reference, whose number of fractions both have.
        alphas: linear radiosensitivities [1/Gy].

    Raises:
        InputError: as `cells_left`, or a distribution is zero everywhere.
    """
    if not (reference.any() and other.any()):
        raise InputError("dose", expected="two that aren't zero", got="none", advice="pass targets with voxels")
    equal = course.dose_gy * float(reference.sum(dtype=np.float64) / other.sum(dtype=np.float64))
    rows = []
    for alpha in alphas:

        def left(gray: float, shape: np.ndarray, alpha: float = alpha) -> float:
            return cells_left(density, gray * shape, num_fractions=course.num_fractions, alpha=alpha)

        goal = left(course.dose_gy, reference)

        def excess(gray: float, goal: float = goal) -> float:
            return float(np.log(left(gray, other) / goal))

        reached = left(MAX_DOSE_GY, other) <= goal
        iso = float(brentq(excess, 0.0, MAX_DOSE_GY, xtol=1e-3)) if reached else float("nan")
        rows.append(IsoEffect(course, alpha, goal / MM3_PER_ML, left(equal, other) / MM3_PER_ML, equal, iso))
    return tuple(rows)
