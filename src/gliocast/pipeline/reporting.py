"""Findings to a report: what it shows, the page, its figures, and what the page is made of for another time."""

from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gliocast.cohort import DigitalPatient
from gliocast.core import RESEARCH_NOTICE, Visit
from gliocast.data import Results, find_results, whole_folder, write_json
from gliocast.data.results import FIGURES, PAGE, VERDICT
from gliocast.pipeline.personalize import Findings, thresholds
from gliocast.planning import (
    BurdenSpread,
    CoverageBand,
    CoverageCurve,
    burden_spread,
    compare_plans,
    coverage_band,
    coverage_curve,
)
from gliocast.planning.forecast import ALPHAS
from gliocast.planning.isoeffect import IsoEffect, compare_targets
from gliocast.planning.outlook import Outlook
from gliocast.segmentation.metrics import hd95

if TYPE_CHECKING:  # matplotlib takes a second to import; only a report needs it
    from gliocast.report import ReportContent

#: Scans that the page draws.
_DRAWN = ("t1c", "flair")


def report_content(
    findings: Findings,
    record: Mapping[str, Any],
    *,
    digital: DigitalPatient | None,
    agreement: Mapping[str, float] | None,
) -> "ReportContent":
    """What the report of a patient shows.

    Args:
        findings: of the patient.
        record: where they come from.
        digital: with the truth, in a demonstration.
        agreement: how near the estimate came to it.
    """
    from gliocast.report import ReportContent

    visit, misfit = findings.visit, findings.misfit
    core, whole = thresholds(findings.posterior)
    curve = coverage_curve(findings.density, visit.labels, findings.anatomy.anatomy, barriers=findings.barriers)
    return ReportContent(
        visit=replace(visit, scans={name: visit[name] for name in _DRAWN}),
        anatomy=findings.anatomy.anatomy,
        density=findings.density,
        maps=findings.maps,
        check=findings.check,
        replicated=findings.check.shares_on(visit.grid),
        posterior=findings.posterior,
        prior=findings.prior,
        method=findings.fit.method.title,
        thresholds=_known(t1c=core, flair=whole),
        outline_dice=_known(core=misfit.core_dice, whole=misfit.whole_dice),
        outline_hd95=_hd95(visit, findings.density.data, core=core, whole=whole),
        plan=findings.plan,
        comparison=compare_plans(findings.plan, findings.density, visit.labels),
        curve=curve,
        barriers=findings.planned.barriers,
        effects=_effects(findings),
        outlook=None if findings.outlook is None else _shown(findings.outlook),
        band=_band(findings, curve),
        spread=_spread(findings),
        warnings=findings.warnings,
        provenance=dict(record),
        misfit=misfit,
        unexplained=misfit.sentences(),
        truth=digital.truth.identifiable() if digital else None,
        true_density=digital.density if digital else None,
        truth_agreement=agreement,
        synthetic=digital is not None,
    )


def write_report(results: Results, content: "ReportContent", *, images: Mapping[str, np.ndarray] | None = None) -> None:
    """Write page, figures and verdict, and what they are made of.

    Args:
        results: whose folder exists.
        content: of the report.
        images: arrays of it that lie among the results as NIfTI images, by plain file name; None where all of this was
            saved before.
    """
    from gliocast.report import SAVED, make_report, save_content

    report = make_report(content)
    results.path(PAGE).write_text(report.page, encoding="utf-8", newline="")
    (results.folder / FIGURES).mkdir(exist_ok=True)
    for name, png in report.figures.items():
        results.path(f"{FIGURES}/{name}.png").write_bytes(png)
    write_json(results.path(VERDICT), verdict_record(content))
    if images is not None:
        save_content(results.path(SAVED), content, images=images)


def verdict_record(content: "ReportContent") -> dict[str, Any]:
    """What the report says of the results, for who reads many of them."""
    from gliocast.report.verdict import judge

    verdict = judge(content)
    return {
        "notice": RESEARCH_NOTICE,
        "level": verdict.level,
        "reasons": [asdict(reason) for reason in verdict.reasons],
        "outline_hd95_mm": dict(content.outline_hd95),
        "synthetic": content.synthetic,
    }


def remake_report(results: Path) -> Path:
    """Make page and figures again from what a run left in its folder; the scans aren't needed.

    Args:
        results: folder that `gliocast run` or `gliocast demo` wrote, or of a subject in a BIDS dataset.

    Returns:
        The page.

    Raises:
        InputError: something of it is missing or damaged.
    """
    from gliocast.report import load_content

    found = find_results(results)
    content = load_content(found)
    with whole_folder(found.folder) as folder:
        write_report(replace(found, folder=folder), content)
    return found.path(PAGE)


def _known(**values: float | None) -> dict[str, float]:
    """Only what there is: a tumor without core has no T1c outline."""
    return {name: value for name, value in values.items() if value is not None}


def _hd95(visit: Visit, density: np.ndarray, **levels: float | None) -> dict[str, float]:
    """HD95 of simulated against segmented outlines that aren't empty [mm], by name."""
    found = {}
    for name, level in levels.items():
        if level is not None:
            simulated, segmented = density > level, getattr(visit.labels, name)
            if simulated.any() and segmented.any():
                found[name] = hd95(simulated, segmented, spacing=visit.grid.spacing)
    return found


def _effects(findings: Findings) -> tuple[IsoEffect, ...]:
    """What courses leave by target, over the typical range of alpha."""
    plan = findings.plan
    return compare_targets(findings.density, plan["ctv_standard"], plan["ctv_model"], alphas=ALPHAS)


def _shown(outlook: Outlook) -> Outlook:
    """The same with densities of the three digits that a map shows, which take a third of the space."""
    densities = {
        name: replace(density, data=density.data.astype(np.float16).astype(np.float32))
        for name, density in outlook.densities.items()
    }
    return replace(outlook, densities=densities)


def _band(findings: Findings, curve: CoverageCurve) -> CoverageBand | None:
    """How far the posterior spreads the coverage, where its samples were kept."""
    if findings.grown is None:
        return None
    return coverage_band(
        curve,
        findings.grown.densities,
        density=findings.density,
        labels=findings.visit.labels,
        anatomy=findings.anatomy.anatomy,
        barriers=findings.barriers,
    )


def _spread(findings: Findings) -> BurdenSpread | None:
    """How far the posterior spreads the burden in and beyond outlines and targets, where its samples were kept."""
    if findings.grown is None:
        return None
    anatomy = findings.anatomy.anatomy
    return burden_spread(findings.grown.densities, findings.plan, findings.visit.labels, anatomy)
