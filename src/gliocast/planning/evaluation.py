"""Recurrence coverage of rival plans over many patients: means, pairs, and how sure they are."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

import numpy as np

from gliocast.planning.paired import MIN_PATIENTS, PairedComparison, PairedStatistics, compare_paired
from gliocast.planning.recurrence import MEASURES, Coverage
from gliocast.segmentation.metrics import bootstrap_interval

#: Draws from the same seed whatever is evaluated.
_SEED = 0

#: The plan that the others are there for.
MODEL = "model"

#: Measures of the printed comparison: inside of the GTV plans hardly differ.
_PAIRED_MEASURES = ("any", "any outside GTV", "enhancing", "enhancing outside GTV")

#: What stands in tables for a number that there isn't.
_NONE = "–"

#: Digits of numbers in summaries [1].
_DIGITS = 5


@dataclass(frozen=True)
class PatientPlans:
    """What was planned for one patient, and what it would have covered.

    Args:
        gtv_ml: gross tumor volume [ml].
        plan_ml: volume of every plan [ml].
        overlap: Dice of each plan with the guideline's, by plan [1].
        coverage: by measure (`gliocast.planning.recurrence.MEASURES`).
        notes: what a reader should know of this patient, a sentence each.
    """

    gtv_ml: float
    plan_ml: float
    overlap: Mapping[str, float]
    coverage: Mapping[str, Coverage]
    notes: tuple[str, ...] = ()

    @property
    def plans(self) -> tuple[str, ...]:
        """Names of the plans."""
        return tuple(self.overlap)


@dataclass(frozen=True, eq=False)
class PlanEvaluation:
    """Rival plans against recurrences.

    Args:
        patients: by name; all have the same plans.
        left_out: of patients who could not be evaluated, the reason by name.
        protocol: how plans were made, for the reader.
        density: where densities came from, for the reader.
        absent_is_covered: whether the protocol takes a recurrence that is absent for covered; means under this
            convention are then given beside those without such patients.
    """

    patients: Mapping[str, PatientPlans]
    left_out: Mapping[str, str]
    protocol: str
    density: str
    absent_is_covered: bool = False

    @property
    def plans(self) -> tuple[str, ...]:
        """Names of the plans, the guideline's first and the model's last."""
        return next(iter(self.patients.values())).plans if self.patients else ()

    def values(self, plan: str, measure: str) -> np.ndarray:
        """Covered share of each patient [1], nan where there is no such recurrence, (num_patients,)."""
        shares = [row.coverage[measure].covered[plan] for row in self.patients.values()]
        return np.array([np.nan if share is None else share for share in shares])

    def has(self, measure: str) -> np.ndarray:
        """Whether each patient has such a recurrence, bool, (num_patients,)."""
        return np.array([bool(row.coverage[measure].recurrence_ml) for row in self.patients.values()], dtype=bool)

    def compare(self, first: str, second: str, measure: str) -> PairedComparison:
        """One plan minus another over the patients who have such a recurrence."""
        if (first, second, measure) not in self._compared:  # exact tests with ties take half a second
            one, other = (self.values(plan, measure)[self.has(measure)] for plan in (first, second))
            found = compare_paired(one, other, generator=np.random.default_rng(_SEED))
            self._compared[first, second, measure] = found
        return self._compared[first, second, measure]

    @cached_property
    def _compared(self) -> dict[tuple[str, str, str], PairedComparison]:
        return {}

    def mean(self, plan: str, measure: str) -> tuple[float, tuple[float, float] | None] | None:
        """Mean covered share over the patients who have such a recurrence and its 95 % bootstrap interval [1].

        None without patients; no interval of fewer than `MIN_PATIENTS`.
        """
        shares = self.values(plan, measure)[self.has(measure)]
        if not len(shares):
            return None
        mean = float(shares.mean())
        if len(shares) < MIN_PATIENTS:
            return mean, None
        return mean, bootstrap_interval(shares, generator=np.random.default_rng(_SEED))

    def mean_if_absent_is_covered(self, plan: str, measure: str) -> float | None:
        """Mean over all patients, those without such a recurrence counted as wholly covered [1]."""
        told = np.array([row.coverage[measure].recurrence_ml is not None for row in self.patients.values()], dtype=bool)
        shares = np.nan_to_num(self.values(plan, measure), nan=1.0)[told]
        return float(shares.mean()) if len(shares) else None

    def summary(self) -> dict[str, Any]:
        """All that `table` says and the remaining pairs, for JSON."""
        return {
            "patients": len(self.patients),
            "left_out": dict(self.left_out),
            "protocol": self.protocol,
            "density": self.density,
            "measures": {measure: self._measure(measure) for measure in MEASURES},
        }

    def _measure(self, measure: str) -> dict[str, Any]:
        rows = [row.coverage[measure].recurrence_ml for row in self.patients.values()]
        coverage: dict[str, Any] = {}
        for plan in self.plans:
            found = self.mean(plan, measure)
            coverage[plan] = None
            if found is not None:
                mean, interval = found
                coverage[plan] = {"mean": _round(mean), "interval": None if interval is None else _rounded(interval)}
            if coverage[plan] is not None and self.absent_is_covered:
                coverage[plan]["mean_if_absent_is_covered"] = _round(self.mean_if_absent_is_covered(plan, measure))
        return {
            "with_recurrence": int(np.count_nonzero(self.has(measure))),
            "without_recurrence": sum(volume == 0 for volume in rows),
            "not_told_apart": sum(volume is None for volume in rows),
            "coverage": coverage,
            "pairs": [
                {"first": first, "second": second, **_plain(self.compare(first, second, measure))}
                for second, first in combinations(self.plans, 2)
            ],
        }

    def table(self) -> str:
        """Coverage of each plan, and the model against each of its rivals, in Markdown."""
        return "\n\n".join(part for part in (self._coverage_table(), self._paired_table()) if part)

    def _coverage_table(self) -> str:
        lines = ["| covered recurrence, % | " + " | ".join(MEASURES) + " |", "|---" * (len(MEASURES) + 1) + "|"]
        for plan in self.plans:
            lines.append(f"| {plan} | " + " | ".join(_percent(self.mean(plan, measure)) for measure in MEASURES) + " |")
        if self.absent_is_covered:
            for plan in self.plans:
                shares = [self.mean_if_absent_is_covered(plan, measure) for measure in MEASURES]
                cells = [_NONE if share is None else f"{100 * share:.1f}" for share in shares]
                lines.append(f"| {plan}, absent recurrence taken for covered | " + " | ".join(cells) + " |")
        counts = [f"{np.count_nonzero(self.has(measure))} of {len(self.patients)}" for measure in MEASURES]
        lines.append("| patients with it | " + " | ".join(counts) + " |")
        return "\n".join(lines)

    def _paired_table(self) -> str:
        rivals = [plan for plan in self.plans if plan != MODEL]
        if len(rivals) == len(self.plans):
            return ""
        lines = [
            "| model minus | recurrence | all: difference, points | wins/ties/losses | p | both 100 % / both 0 % "
            "| without these: difference | wins/ties/losses | p |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for rival in rivals:
            for measure in _PAIRED_MEASURES:
                found = self.compare(MODEL, rival, measure)
                saturated = f"{found.num_full} / {found.num_none}"
                cells = [*_cells(found.everyone), saturated, *_cells(found.unsaturated)]
                lines.append(f"| {rival} | {measure} | " + " | ".join(cells) + " |")
        return "\n".join(lines)


def _percent(found: tuple[float, tuple[float, float] | None] | None) -> str:
    if found is None:
        return _NONE
    mean, interval = found
    if interval is None:
        return f"{100 * mean:.1f} ({_NONE})"
    low, high = interval
    return f"{100 * mean:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def _cells(found: PairedStatistics) -> list[str]:
    """Difference with interval, wins/ties/losses and p."""
    if found.mean_difference is None:
        return [_NONE, "0/0/0", _NONE]
    interval = _NONE
    if found.interval is not None:
        low, high = found.interval
        interval = f"{100 * low:+.1f} to {100 * high:+.1f}"
    difference = f"{100 * found.mean_difference:+.1f} ({interval})"
    p_value = _NONE if found.p_value is None else f"{found.p_value:.2g}"
    return [difference, f"{found.wins}/{found.ties}/{found.losses}", p_value]


def _plain(found: PairedComparison) -> dict[str, Any]:
    """For JSON, with the share of ties."""
    content = asdict(found)
    for name in ("everyone", "unsaturated"):
        part = content[name]
        part["share_of_ties"] = _round(part["ties"] / part["num_patients"]) if part["num_patients"] else None
        part["mean_difference"] = _round(part["mean_difference"])
        part["interval"] = None if part["interval"] is None else _rounded(part["interval"])
    return content


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, _DIGITS)


def _rounded(interval: tuple[float, float]) -> list[float]:
    return [round(end, _DIGITS) for end in interval]
