"""The numbers of the report as text: key figures, tables, provenance."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gliocast.core import MODALITIES, Plan
from gliocast.core.grid import MM3_PER_ML
from gliocast.planning import BurdenSpread, Spread, TargetShape, target_shape
from gliocast.planning.isoeffect import IsoEffect
from gliocast.report.content import ReportContent
from gliocast.report.naming import has_typical_range, pretty, readable_name, readable_unit, symbol_pieces
from gliocast.report.posterior import ratios_to_prior

SHOWN_HASH_DIGITS = 12
FAINTEST_ISODENSITY = 0.01
#: Below this share of the GTV in the model's target, the page says so.
COMPLETE_SHARE = 0.9995
#: What could name a patient: absolute paths, and names of image and data files.
_PATH = re.compile(r"(?<![\w.)\]<])(?:[A-Za-z]:)?[\\/](?!\s)[^\s'\",;:)]+")
_NAME = re.compile(r"[^\s'\"(]+\.(?:nii(?:\.gz)?|dcm|npz|json|gz)\b", re.IGNORECASE)


@dataclass(frozen=True)
class KeyFigure:
    """A number that the reader should see first."""

    value: str
    label: str


@dataclass(frozen=True)
class ParameterRow:
    """One parameter as text; `symbol` in pieces, each with whether it is an index."""

    name: str
    symbol: list[tuple[str, bool]]
    unit: str
    mode: str
    deviation: str
    interval: str
    typical: str
    ratio: str | None
    truth: str | None
    inside: bool | None


def scrub(text: str) -> str:
    """The text without paths and file names, which often hold a patient's name."""
    return _NAME.sub("[file]", scrub_paths(text))


def scrub_paths(text: str) -> str:
    """The text without absolute paths."""
    return _PATH.sub("[file]", text)


def number(value: float, digits: int = 3) -> str:
    """A number to some significant digits, without exponent, and with a true minus sign."""
    if not np.isfinite(value):
        return "–"
    decimals = max(0, digits - 1 - int(np.floor(np.log10(abs(value))))) if value else 0
    return _minus(f"{value:.{min(decimals, 6)}f}")


def percent(share: float) -> str:
    """A share as percent, with as many decimals as it takes that 0.9996 isn't shown as 100 nor 0.0004 as 0."""
    rest, decimals = 100 * min(share, 1 - share), 1
    while 0 < rest < 0.5 * 10**-decimals and decimals < 4:
        decimals += 1
    return f"{100 * share:.{decimals}f} %"


def key_figures(content: ReportContent) -> list[KeyFigure]:
    """What the reader should see first."""
    plans, labels = content.comparison, content.visit.labels
    voxel_ml = labels.grid.voxel_ml
    whole, core = (float(np.count_nonzero(mask)) * voxel_ml for mask in (labels.whole, labels.core))
    infiltrated = content.density.volume_above(FAINTEST_ISODENSITY) / MM3_PER_ML
    dice = " / ".join(f"{content.outline_dice[part]:.2f}" for part in ("core", "whole") if part in content.outline_dice)
    beyond = None if content.spread is None else content.spread.beyond
    return [
        KeyFigure(f"{number(whole)} ml", f"visible tumor, of which core {number(core)} ml"),
        KeyFigure(f"{number(infiltrated)} ml", f"modeled density above {FAINTEST_ISODENSITY:g}"),
        KeyFigure(
            percent(beyond_share(content)),
            f"of the modeled tumor burden lies beyond the visible outline{_interval(beyond)}",
        ),
        KeyFigure(
            f"{number(plans.standard_ml)} ml", f"each CTV (GTV + {content.plan.margin_mm:g} mm, and the model's)"
        ),
        KeyFigure(f"{plans.overlap:.2f}", "overlap of the two CTVs (Dice)"),
        KeyFigure(dice or "–", "fit: simulated against segmented outline (Dice, core / whole tumor)"),
    ]


def _interval(spread: Spread | None) -> str:
    """How far the posterior spreads a share; nothing where that isn't known."""
    return "" if spread is None else f" ({percent(spread.lower)} to {percent(spread.upper)} over the posterior)"


def beyond_share(content: ReportContent) -> float:
    """Share of the modeled burden beyond the visible outline."""
    return content.comparison.burden_beyond_ml / content.comparison.burden_ml


def summary(content: ReportContent) -> str:
    """The finding in two sentences."""
    plans, spread = content.comparison, content.spread
    beyond, standard, model = (None,) * 3 if spread is None else (spread.beyond, spread.standard, spread.model)
    return (
        f"Of the tumor that the model holds most probable, {percent(beyond_share(content))} lies beyond what the scans "
        f"show{_interval(beyond)}. With {number(plans.standard_ml)} ml treated, the standard target (GTV + "
        f"{content.plan.margin_mm:g} mm) covers {percent(plans.covered_by_standard)} of it{_interval(standard)}, and "
        f"the densest tissue of the same volume {percent(plans.covered_by_model)}{_interval(model)}."
    )


def cautions(content: ReportContent) -> list[str]:
    """The warnings of the stages, and those that the numbers of the report give rise to."""
    found = [pretty(scrub(text)) for text in content.warnings]
    plans = content.comparison
    said = any("gross tumor volume, which no target may omit" in text for text in content.warnings)  # by the plan
    if plans.gtv_in_model < COMPLETE_SHARE and not said:
        left_out = (1 - plans.gtv_in_model) * plans.gtv_ml
        found.append(
            f"The model's CTV leaves out {percent(1 - plans.gtv_in_model)} of the visible gross tumor volume "
            f"({number(left_out)} ml): the model doesn't explain that part of the tumor, and no target may omit it."
        )
    return found


def effect_table(content: ReportContent) -> list[tuple[str, ...]]:
    """Rows of course, alpha, cells left by the standard target and by the model's [ml], and isoeffective dose [Gy]."""
    return [
        (
            effect.course.name,
            f"{effect.alpha:g}",
            number(effect.reference_ml),
            number(effect.equal_integral_ml),
            isoeffective_text(effect),
        )
        for effect in content.effects
    ]


def isoeffective_text(effect: IsoEffect) -> str:
    """The isoeffective dose [Gy]."""
    return number(effect.isoeffective_gy) if np.isfinite(effect.isoeffective_gy) else "above 200"


def plan_table(content: ReportContent) -> list[tuple[str, str, str]]:
    """Rows of (what, standard CTV, model CTV)."""
    plans = content.comparison
    standard, model = (target_shape(content.plan[f"ctv_{name}"], content.plan.grid) for name in ("standard", "model"))

    def beyond(covered_ml: float) -> str:
        share = covered_ml / plans.burden_beyond_ml if plans.burden_beyond_ml else float("nan")
        return f"{number(covered_ml)} ml ({percent(share)})" if np.isfinite(share) else "–"

    return [
        ("Volume", f"{number(plans.standard_ml, 4)} ml", f"{number(plans.model_ml, 4)} ml"),
        *_ptv_rows(content.plan),
        (f"Gross tumor volume inside, of {number(plans.gtv_ml)} ml", percent(1.0), percent(plans.gtv_in_model)),
        ("Modeled tumor burden covered", percent(plans.covered_by_standard), percent(plans.covered_by_model)),
        *_spread_rows(content.spread),
        ("… left out", percent(1 - plans.covered_by_standard), percent(1 - plans.covered_by_model)),
        (
            f"Burden beyond the visible outline covered, of {number(plans.burden_beyond_ml)} ml",
            beyond(plans.beyond_standard_ml),
            beyond(plans.beyond_model_ml),
        ),
        ("Parts that don't touch", _parts(standard), _parts(model)),
        ("Surface, times that of a ball", f"{standard.roughness:.2f}", f"{model.roughness:.2f}"),
    ]


def _ptv_rows(plan: Plan) -> list[tuple[str, str, str]]:
    if "ptv_standard" not in plan.volumes:
        return []
    standard, model = (f"{number(plan.volume(f'ptv_{name}') / MM3_PER_ML, 4)} ml" for name in ("standard", "model"))
    return [("Volume of the PTV", standard, model)]


def _spread_rows(spread: BurdenSpread | None) -> list[tuple[str, str, str]]:
    if spread is None:
        return []
    standard, model = (
        f"{percent(part.mean)} ({percent(part.lower)} to {percent(part.upper)})"
        for part in (spread.standard, spread.model)
    )
    return [("… over the posterior: mean (5 to 95 %)", standard, model)]


def _parts(shape: TargetShape) -> str:
    count = shape.num_components
    return f"{count}" if count == 1 else f"{count}, the largest {percent(shape.largest_share)}"


def outline_table(content: ReportContent) -> list[tuple[str, str, str]]:
    """Rows of (outline, Dice, HD95), of those that are known."""
    rows = []
    for part, name in (("core", "Tumor core (T1c)"), ("whole", "Whole tumor (FLAIR)")):
        if part in content.outline_dice:
            distance = content.outline_hd95.get(part)
            shown = "–" if distance is None else f"{number(distance)} mm"
            rows.append((name, f"{content.outline_dice[part]:.3f}", shown))
    return rows


def parameter_table(content: ReportContent) -> list[ParameterRow]:
    """One row for each parameter, rounded to two digits of its standard deviation."""
    posterior, truth = content.posterior, content.truth or {}
    rows = []
    columns = zip(
        posterior.parameters, posterior.mode, posterior.standard_deviation, posterior.interval(0.95), strict=True
    )
    for (parameter, mode, deviation, (lower, upper)), ratio in zip(columns, ratios_to_prior(content), strict=True):
        decimals = min(6, max(0, 1 - int(np.floor(np.log10(deviation))))) if deviation > 0 else 3
        value = truth.get(parameter.name)
        typical = f"{parameter.typical[0]:g} to {parameter.typical[1]:g}" if has_typical_range(parameter) else "–"
        rows.append(
            ParameterRow(
                name=readable_name(parameter),
                symbol=symbol_pieces(parameter),
                unit=readable_unit(parameter),
                mode=_minus(f"{mode:.{decimals}f}"),
                deviation=f"{deviation:.{decimals}f}",
                interval=_minus(f"{lower:.{decimals}f} to {upper:.{decimals}f}"),
                typical=_minus(typical),
                ratio=None if ratio is None else f"{100 * ratio:.0f} %",
                truth=None if value is None else _minus(f"{value:.{decimals}f}"),
                inside=None if value is None else bool(lower <= value <= upper),
            )
        )
    return rows


def provenance_tables(content: ReportContent) -> list[tuple[str, list[tuple[str, str]]]]:
    """Titled lists of (what, value): versions and seed, shortened hashes of the inputs, wall times."""
    record = content.provenance
    command = [("", str(record["command"]))] if record.get("command") else []
    versions = [(str(name), str(version)) for name, version in items(record.get("versions"))]
    if "seed" in record:
        versions.append(("random seed", str(record["seed"])))
    hashes = [
        (_input_name(str(name), k), str(digest)[:SHOWN_HASH_DIGITS])
        for k, (name, digest) in enumerate(items(record.get("inputs")), start=1)
    ]
    seconds = [(str(stage), float(value)) for stage, value in items(record.get("seconds"))]
    times = [(stage, f"{value:.1f} s") for stage, value in seconds]
    if times:
        times.append(("total", f"{sum(value for _, value in seconds):.1f} s"))
    tables = [("Command", command), ("Versions and seed", versions), ("Inputs (hash)", hashes), ("Wall time", times)]
    return [(title, [(scrub(name), scrub(value)) for name, value in rows]) for title, rows in tables if rows]


def items(mapping: Any) -> Iterable[tuple[Any, Any]]:
    """Pairs of a mapping, none where there is none."""
    return mapping.items() if mapping else ()


def _input_name(name: str, k: int) -> str:
    """Modalities keep their name; anything else could be a file's or a patient's."""
    return name if name.lower() in (*MODALITIES, "seg", "labels", "segmentation") else f"input {k}"


def _minus(text: str) -> str:
    return re.sub(r"(?<![\w])-(?=\d)", "−", text)
