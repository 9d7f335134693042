"""Patients of a cohort side by side: what is known of each, the worst first, and the table as text.

Cells of text that a spreadsheet would take for a formula begin with an apostrophe; tabs and line breaks are gone.
"""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import PurePosixPath

import numpy as np

from gliocast.core import Parameter
from gliocast.data.folders import printable
from gliocast.report.naming import has_typical_range, readable_name
from gliocast.report.verdict import LEVELS, Level, Reason

#: What the table says of a patient who did not run, or whose results can't be read, in the place of a verdict.
FAILED = "no result"

#: What is said of a setting that a patient's results don't tell.
_UNKNOWN = "not told"

#: Significant digits of the table's numbers.
_DIGITS = 10

#: With these a spreadsheet begins a formula.
_FORMULA = ("=", "+", "-", "@")


@dataclass(frozen=True)
class Estimate:
    """What a fit says of one parameter.

    Args:
        parameter: with its unit.
        mode: point of highest posterior density, in the parameter's unit.
        interval: central 95 % credible interval, likewise.
    """

    parameter: Parameter
    mode: float
    interval: tuple[float, float]


@dataclass(frozen=True)
class PatientResult:
    """What a run found of one patient.

    Args:
        name: of the patient's folder.
        page: file name of the report in it.
        level: of the verdict.
        reasons: of the verdict, the worst first.
        dice: simulated against segmented outlines, ``core`` and ``whole``; those that there are.
        hd95_mm: 95th percentile of the distances between the same outlines [mm].
        gtv_ml: gross tumor volume [ml].
        ctv_ml: standard clinical target volume, and so the model's [ml].
        covered_standard: share of the modeled tumor cells in the standard CTV.
        covered_model: share of them in the model's.
        overlap: Dice coefficient of the two CTVs.
        estimates: fitted parameters.
        num_warnings: of input and fit.
        segmentation: "given", by the "network", or "synthetic".
        seconds: wall time of all stages [s].
        version: of gliocast.
        settings: what else two patients must share for their numbers to be compared, in words by name.
    """

    name: str
    page: str
    level: Level
    reasons: tuple[Reason, ...]
    dice: Mapping[str, float]
    hd95_mm: Mapping[str, float]
    gtv_ml: float
    ctv_ml: float
    covered_standard: float
    covered_model: float
    overlap: float
    estimates: tuple[Estimate, ...]
    num_warnings: int
    segmentation: str
    seconds: float
    version: str
    settings: Mapping[str, str]

    @property
    def link(self) -> str:
        """Address of the report from where the table lies, whatever the folder is called."""
        quoted = PurePosixPath("/", self.name, self.page).as_uri()  # a colon, too, which would begin a scheme
        return "./" + quoted.removeprefix("file:///")

    def estimate(self, name: str) -> Estimate | None:
        """Of the parameter of a name; None where it wasn't fitted."""
        return next((found for found in self.estimates if found.parameter.name == name), None)


@dataclass(frozen=True)
class Failure:
    """A patient who did not run, or whose results can't be read.

    Args:
        name: of the patient's folder.
        stage: that it came to; empty where that isn't known.
        reason: in one line.
    """

    name: str
    stage: str
    reason: str

    @property
    def sentence(self) -> str:
        """Stage and reason."""
        return f"{self.stage}: {self.reason}" if self.stage else self.reason


@dataclass(frozen=True)
class Quantity:
    """One number of each patient.

    Args:
        key: name, as a table has it.
        title: name for people.
        unit: "1" where it has none.
        value: of a patient; None where there is none.
    """

    key: str
    title: str
    unit: str
    value: Callable[[PatientResult], float | None]


@dataclass(frozen=True)
class CohortContent:
    """Patients, the worst first: those without a result, then by verdict and by their lower Dice coefficient.

    Args:
        failures: those without a result.
        results: all others.
    """

    failures: tuple[Failure, ...]
    results: tuple[PatientResult, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "failures", tuple(sorted(self.failures, key=lambda failure: failure.name)))
        object.__setattr__(self, "results", tuple(sorted(self.results, key=_badness)))

    def count(self, level: Level) -> int:
        """How many have a verdict."""
        return sum(result.level == level for result in self.results)

    @property
    def tally(self) -> str:
        """How many there are of each kind, in words."""
        total = len(self.failures) + len(self.results)
        verdicts = ", ".join(f"{self.count(level)} {level}" for level in LEVELS)
        return f"{total} patient{'s' * (total != 1)}: {len(self.failures)} without a result, {verdicts}"

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """All that were fitted to anyone, in the order in which they come up."""
        found = {entry.parameter.name: entry.parameter for result in self.results for entry in result.estimates}
        whole = max((result.estimates for result in self.results), key=len, default=())
        first = {entry.parameter.name: entry.parameter for entry in whole}
        return tuple((first | found).values())

    @property
    def comparable_parameters(self) -> tuple[Parameter, ...]:
        """Those that mean the same in all patients: not the seed, which lies in the frame of each scanner."""
        return tuple(parameter for parameter in self.parameters if has_typical_range(parameter))

    def differences(self) -> dict[str, dict[str, int]]:
        """Settings in which patients differ: how many have which, by name; some versions wrote down fewer."""
        found = {}
        for name in (*self.settings, "version"):
            values = ({**result.settings, "version": result.version}.get(name, _UNKNOWN) for result in self.results)
            found[name] = dict(Counter(values))
        return {name: counts for name, counts in found.items() if len(counts) > 1}

    @property
    def settings(self) -> tuple[str, ...]:
        """Names of settings that anyone has, in the order in which they come up."""
        return tuple(dict.fromkeys(name for result in self.results for name in result.settings))


def _badness(result: PatientResult) -> tuple[int, float, str]:
    return LEVELS.index(result.level), min(result.dice.values(), default=0.0), result.name


#: What doesn't depend on the model.
QUANTITIES = (
    Quantity("dice_core", "Dice of the core (T1c)", "1", lambda patient: patient.dice.get("core")),
    Quantity("dice_whole", "Dice of the whole tumor (FLAIR)", "1", lambda patient: patient.dice.get("whole")),
    Quantity("hd95_core", "HD95 of the core (T1c)", "mm", lambda patient: patient.hd95_mm.get("core")),
    Quantity("hd95_whole", "HD95 of the whole tumor (FLAIR)", "mm", lambda patient: patient.hd95_mm.get("whole")),
    Quantity("gtv", "Gross tumor volume", "ml", lambda patient: patient.gtv_ml),
    Quantity("ctv", "Clinical target volume, of either plan", "ml", lambda patient: patient.ctv_ml),
    Quantity("covered_standard", "Cells covered by the standard CTV", "1", lambda patient: patient.covered_standard),
    Quantity("covered_model", "Cells covered by the model's CTV", "1", lambda patient: patient.covered_model),
    Quantity("ctv_dice", "Dice of the two CTVs", "1", lambda patient: patient.overlap),
)


def parameter_quantity(parameter: Parameter) -> Quantity:
    """The mode of a parameter."""

    def mode(patient: PatientResult) -> float | None:
        found = patient.estimate(parameter.name)
        return None if found is None else found.mode

    name = readable_name(parameter)
    return Quantity(parameter.name, name[0].upper() + name[1:], parameter.unit, mode)


def values_of(quantity: Quantity, content: CohortContent) -> np.ndarray:
    """Of the patients that have one, (num_patients,)."""
    found = (quantity.value(result) for result in content.results)
    return np.array([value for value in found if value is not None])


def cohort_table(content: CohortContent) -> str:
    """A row for each patient with tabs in between, units in brackets in the first row.

    Numbers have ten significant digits, so that shares near 1 can be told from it. An empty cell is a number that there
    isn't.
    """
    head = [
        "patient",
        "verdict",
        "first_reason",
        "reasons",
        "report",
        *(f"{entry.key} [{entry.unit}]" for entry in QUANTITIES),
    ]
    for parameter in content.parameters:
        head += [f"{parameter.name}{which} [{parameter.unit}]" for which in ("", "_lower_95", "_upper_95")]
    head += ["warnings", "segmentation", "seconds [s]", "version", *content.settings]
    stream = StringIO()
    writer = csv.writer(stream, delimiter="\t", lineterminator="\n")
    writer.writerow(head)
    for failure in content.failures:
        row = [_text(failure.name), FAILED, _text(failure.sentence), _text(failure.sentence)]
        writer.writerow([*row, *[""] * (len(head) - len(row))])
    for result in content.results:
        reasons = " ".join(reason.text for reason in result.reasons)
        first = result.reasons[0].short if result.reasons else ""
        row = [_text(result.name), result.level, _text(first), _text(reasons), result.link, *_numbers(result, content)]
        row += [f"{result.num_warnings}", result.segmentation, f"{result.seconds:.1f}", _text(result.version)]
        writer.writerow([*row, *(_text(result.settings.get(name, "")) for name in content.settings)])
    return stream.getvalue()


def _numbers(result: PatientResult, content: CohortContent) -> Iterator[str]:
    for quantity in QUANTITIES:
        value = quantity.value(result)
        yield "" if value is None else f"{value:.{_DIGITS}g}"
    for parameter in content.parameters:
        found = result.estimate(parameter.name)
        yield from (
            ("", "", "") if found is None else (f"{value:.{_DIGITS}g}" for value in (found.mode, *found.interval))
        )


def _text(text: str) -> str:
    """Text as a cell may hold it."""
    text = printable(text)
    return f"'{text}" if text.startswith(_FORMULA) else text
