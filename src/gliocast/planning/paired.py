"""Two plans over many patients, paired: mean difference, bootstrap interval, Wilcoxon's signed-rank test, wins.

Half of patients may tie, since a recurrence that lies well inside of (or well outside of) every plan is covered the
same by all. So statistics come twice: of all patients, and without the saturated ones, where both plans cover
everything or both nothing. Ties are told as they are, by number.

Wilcoxon's test is two-sided, and ties keep their ranks ("pratt" in scipy), so that many ties can't make a difference
look surer than it is. It has no value where no patient differs. With n patients it can't go below 2^(1 - n). Of fewer
than three patients neither test nor interval says anything, and there is none.

Sources: Wilcoxon, Biometrics Bulletin 1 (1945); Pratt, J. Am. Stat. Assoc. 54 (1959).
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from gliocast.core import InputError
from gliocast.segmentation.metrics import bootstrap_interval

#: What becomes of zero differences, as scipy calls it.
ZERO_METHOD = "pratt"

#: Patients below whom nothing is said of how sure a mean is.
MIN_PATIENTS = 3


@dataclass(frozen=True)
class PairedStatistics:
    """First minus second plan.

    Args:
        num_patients: that are compared.
        wins: patients of whom the first plan covers more.
        ties: of whom both cover the same.
        losses: of whom the second covers more.
        mean_difference: of the covered shares [1]; None without patients.
        interval: 95 % bootstrap interval of the mean over patients [1]; None of fewer than `MIN_PATIENTS`.
        p_value: of Wilcoxon's signed-rank test [1]; None of as few, and where no patient differs.
    """

    num_patients: int
    wins: int
    ties: int
    losses: int
    mean_difference: float | None
    interval: tuple[float, float] | None
    p_value: float | None


@dataclass(frozen=True)
class PairedComparison:
    """Two plans, patient by patient.

    Args:
        everyone: all patients with a recurrence.
        unsaturated: the same without those whom both plans cover wholly, or not at all.
        num_full: patients of whom both plans cover everything.
        num_none: patients of whom both plans cover nothing.
    """

    everyone: PairedStatistics
    unsaturated: PairedStatistics
    num_full: int
    num_none: int


def compare_paired(first: np.ndarray, second: np.ndarray, *, generator: np.random.Generator) -> PairedComparison:
    """Compare the shares that two plans cover.

    Args:
        first: of each patient, in [0, 1], (num_patients,); patients without a recurrence are not among them.
        second: of the same patients.
        generator: draws patients anew for the intervals.

    Raises:
        InputError: shares that don't pair, or aren't shares.
    """
    first, second = (np.asarray(values, dtype=np.float64) for values in (first, second))
    if first.ndim != 1 or first.shape != second.shape or not _are_shares(first) or not _are_shares(second):
        raise InputError(
            "paired comparison",
            expected="a share in [0, 1] of each plan for each patient",
            got=f"{first.tolist()} and {second.tolist()}",
            advice="leave out patients without a recurrence",
        )
    full, none = (first == 1) & (second == 1), (first == 0) & (second == 0)
    difference = first - second
    seed = int(generator.integers(np.iinfo(np.int64).max))  # one for both: the same patients have the same interval
    return PairedComparison(
        _statistics(difference, np.random.default_rng(seed)),
        _statistics(difference[~full & ~none], np.random.default_rng(seed)),
        int(np.count_nonzero(full)),
        int(np.count_nonzero(none)),
    )


def _are_shares(values: np.ndarray) -> bool:
    return bool(((values >= 0) & (values <= 1)).all())  # no NaN either


def _statistics(difference: np.ndarray, generator: np.random.Generator) -> PairedStatistics:
    some, enough = len(difference) > 0, len(difference) >= MIN_PATIENTS
    tested = enough and difference.any()
    return PairedStatistics(
        num_patients=len(difference),
        wins=int(np.count_nonzero(difference > 0)),
        ties=int(np.count_nonzero(difference == 0)),
        losses=int(np.count_nonzero(difference < 0)),
        mean_difference=float(difference.mean()) if some else None,
        interval=bootstrap_interval(difference, generator=generator) if enough else None,
        p_value=float(stats.wilcoxon(difference, zero_method=ZERO_METHOD).pvalue) if tested else None,
    )
