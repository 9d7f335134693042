"""What is done against a tumor, where and when: surgery, radiation, drugs.

Days [d] are those of the simulation's clock, on which growth begins at 0. What the treatments do to cells is computed
in `gliocast.growth.treatment`; the nouns here say what was given.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import ClassVar

import numpy as np

from gliocast.core.errors import InputError
from gliocast.core.grid import Grid
from gliocast.core.parameter import POSITIVE, Parameter
from gliocast.core.schedule import cycle_doses, require_days
from gliocast.core.volume import Volume, require_mask

ALPHA = Parameter(
    name="alpha",
    symbol="alpha",
    unit="1/Gy",
    support=POSITIVE,
    typical=(0.03, 0.14),
    source="order of the fits to glioblastomas, Rockne et al., Phys. Med. Biol. 55 (2010); spans a factor of 2700 in "
    "survival after 60 Gy in 30 fractions, so sweep it",
)
ALPHA_BETA = Parameter(
    name="alpha_beta",
    symbol="alpha/beta",
    unit="Gy",
    support=POSITIVE,
    typical=(5.0, 15.0),
    source="10 Gy by convention for tumors; estimates scatter, van Leeuwen et al., Radiat. Oncol. 13 (2018)",
)
KILL_RATE = Parameter(
    name="kill_rate",
    symbol="kappa",
    unit="1/d",
    support=POSITIVE,
    typical=(0.01, 1.0),
    source="convention: with the half-life of temozolomide one full dose kills 0.1 to 10 % of the cells; not measured, "
    "so sweep it",
)
HALF_LIFE = Parameter(
    name="half_life",
    symbol="t_1/2",
    unit="d",
    support=POSITIVE,
    typical=(0.075, 2.0),
    source="plasma half-lives in prescribing information: temozolomide 1.8 h, metabolites of lomustine 16 h to 2 d",
)

#: No course gives more [Gy]; a map that goes beyond is in centigray or summed over courses.
MAX_DOSE_GY = 200.0

#: Daily doses of temozolomide [mg/m^2] with radiotherapy, in the first cycle after it and in the later ones.
#: Source: Stupp et al., N. Engl. J. Med. 352 (2005), and the prescribing information.
TEMOZOLOMIDE_DAILY, TEMOZOLOMIDE_FIRST_CYCLE, TEMOZOLOMIDE_LATER_CYCLES = 75.0, 150.0, 200.0

#: Half-life of temozolomide in plasma, 1.8 h [d]; source: prescribing information.
TEMOZOLOMIDE_HALF_LIFE = 1.8 / 24


@dataclass(frozen=True, eq=False)
class Resection:
    """Tumor taken out by surgery on one day.

    The density inside the cavity is multiplied by `residual_fraction`. Where that is 0 the cavity fills with fluid: it
    is empty, and closed to cells from then on. Where it is greater the cavity stays tissue as it was, in which
    the cells left in its walls, spread over its voxels, move and divide; a closed cavity would freeze them.

    Args:
        day: when [d].
        cavity: what was taken out, a bool mask with at least one voxel.
        residual_fraction: share of the cavity's cells that stay, in [0, 1).

    Raises:
        InputError: anything else.
    """

    day: float
    cavity: Volume
    residual_fraction: float = 0.0
    kind: ClassVar[str] = "resection"

    def __post_init__(self) -> None:
        (day,) = require_days((self.day,), "day of the resection")
        object.__setattr__(self, "day", day)
        _require_some(self.cavity, "resection cavity")
        if not 0 <= self.residual_fraction < 1:  # also false for nan
            raise InputError(
                "residual_fraction",
                expected="a number in [0, 1)",
                got=f"{self.residual_fraction}",
                advice="use 0 for a cavity without cells",
            )

    @property
    def days(self) -> tuple[float, ...]:
        """The one day [d]."""
        return (self.day,)

    @property
    def grid(self) -> Grid:
        """Where the cavity lies."""
        return self.cavity.grid


@dataclass(frozen=True, eq=False)
class Radiotherapy:
    """A course of radiotherapy in equal fractions.

    Args:
        dose: total physical dose of the course [Gy], not negative, positive somewhere.
        days: of the fractions [d], strictly ascending; see `weekday_fractions`. Two fractions on one day are given as
            two times, hours apart: cells repair between them.
        alpha: linear radiosensitivity [1/Gy], typically 0.03 to 0.14. Without default: sweep it.
        alpha_beta: ratio of linear over quadratic radiosensitivity [Gy].

    Raises:
        InputError: anything else.
    """

    dose: Volume
    days: tuple[float, ...]
    alpha: float
    alpha_beta: float = 10.0
    kind: ClassVar[str] = "radiotherapy"

    def __post_init__(self) -> None:
        object.__setattr__(self, "days", require_days(self.days, "days of the fractions"))
        ALPHA.require(self.alpha)
        ALPHA_BETA.require(self.alpha_beta)
        lowest, highest = float(self.dose.data.min()), float(self.dose.data.max())
        if not (lowest >= 0 and 0 < highest <= MAX_DOSE_GY):  # also false for nan
            raise InputError(
                "dose of the course",
                expected=f"a map from 0 to at most {MAX_DOSE_GY:g} Gy that is positive somewhere",
                got=f"{lowest:g} to {highest:g}",
                advice="pass the physical dose of the whole course in gray",
            )

    @classmethod
    def to_target(
        cls, target: Volume, dose_gy: float, *, days: Sequence[float], alpha: float, alpha_beta: float = 10.0
    ) -> "Radiotherapy":
        """A course that gives `dose_gy` [Gy] to every voxel of a bool mask and nothing elsewhere.

        No machine can: dose falls off over several millimeters. For a real course pass its dose map.
        """
        _require_some(target, "radiotherapy target")
        dose = np.where(target.data, np.float32(dose_gy), np.float32(0))
        return cls(Volume(dose, target.grid), tuple(days), alpha, alpha_beta)

    @property
    def num_fractions(self) -> int:
        """Fractions into which the dose is divided [1]."""
        return len(self.days)

    @property
    def grid(self) -> Grid:
        """Where the dose lies."""
        return self.dose.grid


@dataclass(frozen=True)
class Chemotherapy:
    """A drug given in doses, the same for the whole brain; see `gliocast.growth.treatment` for its equation.

    Args:
        days: of the doses [d], strictly ascending; see `cycle_doses`.
        kill_rate: rate at which cells die at the concentration right after one full dose [1/d].
        half_life: of the concentration [d].
        doses: each as a share of the full dose, positive, as many as `days`; none given stands for full doses.

    Raises:
        InputError: anything else.
    """

    days: tuple[float, ...]
    kill_rate: float
    half_life: float
    doses: tuple[float, ...] = ()
    kind: ClassVar[str] = "chemotherapy"
    #: A drug goes everywhere.
    grid: ClassVar[None] = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "days", require_days(self.days, "days of the doses"))
        object.__setattr__(self, "doses", tuple(float(dose) for dose in self.doses) or (1.0,) * len(self.days))
        KILL_RATE.require(self.kill_rate)
        HALF_LIFE.require(self.half_life)
        if len(self.doses) != len(self.days) or not all(np.isfinite(dose) and dose > 0 for dose in self.doses):
            raise InputError(
                "doses",
                expected=f"{len(self.days)} positive shares of the full dose, one per day",
                got=f"{len(self.doses)} from {min(self.doses):g} to {max(self.doses):g}",
                advice="leave out the days without a dose",
            )


def concomitant_temozolomide(start_day: float, *, kill_rate: float, num_days: int = 42) -> Chemotherapy:
    """Daily temozolomide during radiotherapy, 75 mg/m^2, weekends included; 42 d go with thirty fractions.

    Args:
        start_day: first day of the radiotherapy [d].
        kill_rate: right after a dose of 75 mg/m^2 [1/d].
        num_days: daily doses, at most 49 in practice [1].

    Source: Stupp et al., N. Engl. J. Med. 352 (2005).
    """
    return Chemotherapy(cycle_doses(start_day, days_on=num_days), kill_rate, TEMOZOLOMIDE_HALF_LIFE)


def adjuvant_temozolomide(start_day: float, *, kill_rate: float, num_cycles: int = 6) -> Chemotherapy:
    """Temozolomide after radiotherapy: 5 days of every 28, 150 mg/m^2 in the first cycle and 200 mg/m^2 in later ones.

    That cells die in proportion to the dose is an assumption.

    Args:
        start_day: four weeks after the end of radiotherapy [d].
        kill_rate: right after a dose of 75 mg/m^2 [1/d], as for `concomitant_temozolomide`.
        num_cycles: how many [1].

    Source: Stupp et al., N. Engl. J. Med. 352 (2005).
    """
    days = cycle_doses(start_day, days_on=5, cycle_days=28, num_cycles=num_cycles)
    amounts = [TEMOZOLOMIDE_FIRST_CYCLE] * 5 + [TEMOZOLOMIDE_LATER_CYCLES] * (len(days) - 5)
    doses = tuple(amount / TEMOZOLOMIDE_DAILY for amount in amounts)
    return Chemotherapy(days, kill_rate, TEMOZOLOMIDE_HALF_LIFE, doses)


Treatment = Resection | Radiotherapy | Chemotherapy


@dataclass(frozen=True, eq=False)
class Treatments:
    """Everything done to one patient, in order of the day on which it begins.

    Treatments of one kind may not overlap, and no resection may fall into a course of radiotherapy, its first and last
    day included. A drug may be given at the same time as anything else. All maps lie on one grid.

    Raises:
        InputError: anything else.
    """

    entries: tuple[Treatment, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "entries", tuple(self.entries))
        for earlier, later in pairwise(self.entries):
            if later.days[0] < earlier.days[0]:
                raise InputError(
                    "treatments",
                    expected="an order of time",
                    got=f"{describe_treatment(later)} after {describe_treatment(earlier)}",
                    advice="sort them by their first day",
                )
        for earlier, later in combinations(self.entries, 2):
            _require_apart(earlier, later)
        if self.grid is not None:
            self.require_grid(self.grid)

    def __iter__(self) -> Iterator[Treatment]:
        return iter(self.entries)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def grid(self) -> Grid | None:
        """The one grid of all maps; None where there is no map."""
        return next((entry.grid for entry in self.entries if entry.grid is not None), None)

    def require_grid(self, grid: Grid) -> None:
        """Raise InputError unless every map lies on this grid (the anatomy's); nothing is silently resampled."""
        for entry in self.entries:
            if entry.grid is not None:
                grid.require_same(entry.grid, describe_treatment(entry))


def describe_treatment(treatment: Treatment) -> str:
    """A treatment as messages name it, such as "resection on day 30"."""
    first, last = treatment.days[0], treatment.days[-1]
    return f"{treatment.kind} on day{f' {first:g}' if first == last else f's {first:g} to {last:g}'}"


def _require_apart(earlier: Treatment, later: Treatment) -> None:
    """Raise if two treatments, given in order, overlap although they can't have been given at one time."""
    kinds = {earlier.kind, later.kind}
    exclusive = len(kinds) == 1 or kinds == {Resection.kind, Radiotherapy.kind}
    if exclusive and later.days[0] <= earlier.days[-1]:
        raise InputError(
            describe_treatment(later),
            expected=f"a beginning after the end of the {describe_treatment(earlier)}",
            got=f"day {later.days[0]:g}",
            advice="correct the days, or join what is one treatment",
        )


def _require_some(mask: Volume, subject: str) -> None:
    require_mask(mask.data, mask.grid, subject)
    if not mask.data.any():
        raise InputError(subject, expected="at least one voxel", got="an empty mask", advice="pass the right mask")
