"""``gliocast fit-volumes``: laws of growth fitted to a table of volumes."""

from collections import Counter
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gliocast.cli import options as opt
from gliocast.cli.progress import watching
from gliocast.core import RESEARCH_NOTICE

if TYPE_CHECKING:
    from gliocast.pipeline.course_fit import CourseFit

#: Patients of whom the terminal shows a line [1]; the files have them all.
_MAX_LINES = 20


def fit_volumes(
    table: Annotated[
        Path,
        typer.Argument(metavar="CSV", help="Table with day, volume_mm3 and, for many, patient.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = Path("gliocast-volumes"),
    law: Annotated[
        list[str] | None,
        typer.Option(
            help="Law to fit: exponential, logistic, gompertz, reduced-gompertz or radiotherapy; may be repeated. "
            "All if not given, the last one if the day of radiotherapy is."
        ),
    ] = None,
    radiotherapy_day: Annotated[
        float | None, typer.Option(help="Start of radiotherapy, on the axis of the days [d].", show_default=False)
    ] = None,
    patient: Annotated[
        str | None, typer.Option(help="One patient, as the table names it; all if not given.", show_default=False)
    ] = None,
    hold_out_last: Annotated[
        bool, typer.Option("--hold-out-last", help="Forecast each patient's last visit from those before it.")
    ] = False,
    skip_faulty: Annotated[
        bool, typer.Option("--skip-faulty", help="Leave out patients with faulty rows instead of refusing the table.")
    ] = False,
    max_figures: Annotated[int, typer.Option(help="Pictures are drawn of so many patients.")] = 12,
    day_column: Annotated[str | None, typer.Option(help="Column of the day, if it goes by another name.")] = None,
    volume_column: Annotated[str | None, typer.Option(help="Column of the volume [mm^3], likewise.")] = None,
    patient_column: Annotated[str | None, typer.Option(help="Column of the patient, likewise.")] = None,
    seed: opt.Seed = 0,
    quiet: opt.Quiet = False,
) -> None:
    """Fit laws of growth to a lesion's volumes over time, and forecast it."""
    from gliocast.data import ColumnNames
    from gliocast.pipeline.course_fit import VolumeOptions
    from gliocast.pipeline.fit_volumes import fit_volumes as fit_to_folder
    from gliocast.pipeline.record_volumes import CAUTION

    options = VolumeOptions(
        laws=tuple(law or ()),
        radiotherapy_day=radiotherapy_day,
        hold_out_last=hold_out_last,
        max_figures=max_figures,
        seed=seed,
    )
    with watching(quiet=quiet) as monitor:
        results = fit_to_folder(
            table,
            out,
            options=options,
            columns=ColumnNames(day=day_column, volume=volume_column, patient=patient_column),
            patient=patient,
            skip_faulty=skip_faulty,
            monitor=monitor,
        )
    if not quiet:
        for line in _laws(results[0]) if len(results) == 1 else _patients(results):
            print(line)
        print(CAUTION)
        print(f"pictures and fits.json: {out.resolve()}")
        print(RESEARCH_NOTICE)


def _laws(result: "CourseFit") -> list[str]:
    """One patient: a line for each law."""
    from gliocast.core.grid import MM3_PER_ML

    comparison, last = result.comparison, result.course.days[-1:]
    heading = f"volume on day {last[0]:g} [ml], 5-95 %"
    lines = [f"{'law':<26s} {'BIC':>8s} {'AICc':>8s} {'weight':>7s} {heading:>36s}"]
    for fit, weight in zip(comparison.fits, comparison.weights, strict=True):
        low, high = fit.band(last)[:, 0] / MM3_PER_ML
        score = f"{fit.aicc:8.1f} {weight:7.2f}" if isfinite(fit.aicc) else f"{'-':>8s} {'-':>7s}"
        volume = f"{fit.volume(last)[0] / MM3_PER_ML:.2f} ({low:.2f} to {high:.2f})"
        mark = "  best" if fit is comparison.best else ""
        lines.append(f"{fit.law.name:<26s} {fit.bic:8.1f} {score} {volume:>36s}{mark}")
    lines += [f"{name:<26s} not fitted: {reason}" for name, reason in comparison.refused.items()]
    if result.num_held_out:
        volumes = result.course.volumes / MM3_PER_ML
        lines.append(f"measured {volumes[-1]:.2f} ml, the visit before it {volumes[-2]:.2f} ml")
    return lines


def _patients(results: Sequence["CourseFit"]) -> list[str]:
    """Many patients: a line for each, and how often each law was the best."""
    lines = [f"{'patient':>7s} {'visits':>6s}  {'best law':<26s} {'weight':>6s}"]
    for result in results[:_MAX_LINES]:
        comparison = result.comparison
        share = f"{comparison.weights.max():6.2f}" if comparison.is_compared else "     -"
        name = comparison.best.law.name
        lines.append(f"{result.course.number:7d} {len(result.course):6d}  {name:<26s} {share}")
    if len(results) > _MAX_LINES:
        lines.append(f"... and {len(results) - _MAX_LINES} more")
    counts = Counter(result.comparison.best.law.name for result in results)
    lines.append("best: " + ", ".join(f"{name} {count}" for name, count in counts.most_common()))
    return lines
