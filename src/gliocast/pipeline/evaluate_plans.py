"""Rival target volumes against where tumors came back, over a folder of patients: tables and a picture."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, get_args

from gliocast.anatomy import estimate_anatomy
from gliocast.cohort.crew import each
from gliocast.core import RESEARCH_NOTICE, InputError, Monitor, Plan, Silence, dice
from gliocast.core.errors import GliocastError
from gliocast.core.grid import MM3_PER_ML
from gliocast.data import whole_file, write_json
from gliocast.data.atlas import load_mni152
from gliocast.pipeline.plan_cases import PlanCase, cohort_schema, find_cases, read_case
from gliocast.pipeline.plan_density import DensitySource, density_of
from gliocast.pipeline.reasons import reason_of
from gliocast.planning.barriers import barriers_from_atlas
from gliocast.planning.evaluation import PatientPlans, PlanEvaluation
from gliocast.planning.margins import ESTRO_EANO_MARGIN_MM, require_margin
from gliocast.planning.recurrence import MEASURES, Coverage, recurrence_coverage
from gliocast.planning.rivals import PUBLISHED_MARGIN_VOXELS, Protocol, published_plans, rival_plans

#: Folder of what was found of each patient.
_PATIENTS = "patients"


@dataclass(frozen=True)
class PlanEvaluationOptions:
    """How plans are made and what they are held against.

    Args:
        protocol: "guideline", or "published" for that of PREDICT-GBM; see `gliocast.planning.rivals`.
        margin_mm: of the guideline's plan [mm].
        source: where densities come from.
        planning_visit: visit that is planned on, counted from 0; the first is from before treatment.
        recurrence_visit: visit that shows the recurrence, -1 for the last; None for a recurrence file where there is
            one, and the last visit where not.
        labels: schema of all segmentations; None guesses it of all together.
    """

    protocol: Protocol = "guideline"
    margin_mm: float = ESTRO_EANO_MARGIN_MM
    source: DensitySource = field(default_factory=DensitySource)
    planning_visit: int = 0
    recurrence_visit: int | None = None
    labels: str | None = None

    def __post_init__(self) -> None:
        require_margin(self.margin_mm)
        if self.protocol not in get_args(Protocol):
            raise InputError(
                "protocol", expected=f"one of {', '.join(get_args(Protocol))}", got=self.protocol, advice="pick one"
            )
        if self.protocol == "published" and self.margin_mm != PUBLISHED_MARGIN_VOXELS:
            raise InputError(
                "margin",
                expected=f"{PUBLISHED_MARGIN_VOXELS:g} mm, the published protocol's",
                got=f"{self.margin_mm:g} mm",
                advice="leave --margin out, or take the guideline's protocol",
            )

    @property
    def title(self) -> str:
        """The protocol for the reader."""
        if self.protocol == "published":
            return "published (core + 15 voxels in the brain mask)"
        return f"guideline (GTV + {self.margin_mm:g} mm in brain without ventricles, falx and tentorium)"


def evaluate_plans(
    data: Path,
    out: Path,
    *,
    options: PlanEvaluationOptions | None = None,
    num_workers: int | None = 1,
    monitor: Monitor | None = None,
) -> PlanEvaluation:
    """Plan on one visit of each patient, and measure what the plans cover of a later one's tumor.

    Stopped at any moment, the same command goes on with the densities that were fitted. Who can't be evaluated is
    named with the reason, and counts nowhere else.

    Args:
        data: folder of patients.
        out: folder to write: densities that were fitted, what was found of each patient, patients.csv, summary.json,
            table.md and coverage.png.
        options: how plans are made.
        num_workers: processes; None for one for each core.
        monitor: told of the stages.

    Raises:
        InputError: there are no patients, or none that can be evaluated.
    """
    options, monitor = options or PlanEvaluationOptions(), monitor or Silence()
    monitor.begin("find")
    cases, left_out = find_cases(data, planning_visit=options.planning_visit, recurrence_visit=options.recurrence_visit)
    if cases:
        cases = _with_schema(cases, options.labels, monitor)
    monitor.begin("patients")
    work = partial(_evaluate_one, cases, options, out)
    for done, _ in enumerate(each(work, range(len(cases)), num_workers=num_workers), start=1):
        monitor.advance(done / len(cases))
    rows: dict[str, PatientPlans] = {}
    for case in cases:
        found = json.loads(_row_file(out, case).read_text(encoding="utf-8"))
        if "left_out" in found:
            left_out[case.name] = found["left_out"]
        else:
            rows[case.name] = _row_of(found)
    evaluation = PlanEvaluation(
        rows,
        dict(sorted(left_out.items())),
        options.title,
        options.source.title,
        absent_is_covered=options.protocol == "published",
    )
    for name, reason in evaluation.left_out.items():
        monitor.note(f"left out: {name}: {reason}")
    if not rows:
        raise InputError(
            f"folder {data.name}",
            expected="patients who can be evaluated",
            got="none, for " + next(iter(evaluation.left_out.values())),
            advice="see the reasons above",
        )
    monitor.begin("write")
    _write(out, evaluation, synthetic=any(case.synthetic for case in cases if case.name in rows))
    return evaluation


def _with_schema(cases: Sequence[PlanCase], labels: str | None, monitor: Monitor) -> list[PlanCase]:
    """The cases with their label schema, which is said if it was guessed."""
    if labels is None:
        labels, sentence = cohort_schema(cases)
        monitor.note(f"warning: {sentence}")
    return [replace(case, labels=labels) for case in cases]


def _evaluate_one(cases: Sequence[PlanCase], options: PlanEvaluationOptions, out: Path, number: int) -> None:
    """Evaluate one patient and write what was found, or why nothing was."""
    case = cases[number]
    try:
        content: dict[str, Any] = asdict(_planned(case, options, out))
    except GliocastError as error:
        content = {"left_out": reason_of(error, case.planning, case.recurrence.parent)}
    with whole_file(_row_file(out, case)) as path:
        write_json(path, {"notice": RESEARCH_NOTICE, **content})


def _planned(case: PlanCase, options: PlanEvaluationOptions, out: Path) -> PatientPlans:
    visit, recurrence, notes = read_case(case)
    published = options.protocol == "published"
    # the published protocol knows no tissue: unless a density is to be fitted, none is needed
    needed = options.source.is_fit or not published
    estimate = estimate_anatomy(visit, load_mni152()) if needed else None
    anatomy = None if estimate is None else estimate.anatomy
    density, told = density_of(options.source, case.name, case.planning, visit, anatomy, out)
    if published:
        plan = published_plans(visit.labels, visit.brain, density)
    else:
        assert estimate is not None
        barriers = None
        if estimate.correspondence is not None:
            barriers = barriers_from_atlas(load_mni152(), estimate.correspondence, visit.grid)
        plan = rival_plans(visit.labels, estimate.anatomy, density, margin_mm=options.margin_mm, barriers=barriers)
    return PatientPlans(
        gtv_ml=plan.volume("gtv") / MM3_PER_ML,
        plan_ml=plan.volume("guideline") / MM3_PER_ML,
        overlap=_overlaps(plan),
        coverage=recurrence_coverage(recurrence, plan),
        notes=(*notes, *told),
    )


def _overlaps(plan: Plan) -> dict[str, float]:
    return {name: dice(mask, plan["guideline"]) for name, mask in plan.volumes.items() if name != "gtv"}


def _row_file(out: Path, case: PlanCase) -> Path:
    return out / _PATIENTS / f"{case.name}.json"


def _row_of(content: Mapping[str, Any]) -> PatientPlans:
    coverage = {measure: Coverage(**part) for measure, part in content["coverage"].items()}
    numbers = {name: content[name] for name in ("gtv_ml", "plan_ml", "overlap")}
    return PatientPlans(**numbers, coverage=coverage, notes=tuple(content["notes"]))


def _write(out: Path, evaluation: PlanEvaluation, *, synthetic: bool) -> None:
    """Tables and the picture."""
    from gliocast.report.plan_evaluation import save_coverage_plot

    num = len(evaluation.patients)
    head = f"{num}{' SYNTHETIC' if synthetic else ''} patient{'s' * (num != 1)}"
    text = (
        f"{head}, {len(evaluation.left_out)} left out. Plans: {evaluation.protocol}. Density: {evaluation.density}.\n"
        f"Means with 95 % bootstrap intervals over patients. {RESEARCH_NOTICE}\n\n{evaluation.table()}\n"
    )
    content = {"notice": RESEARCH_NOTICE, "synthetic": synthetic, **evaluation.summary()}
    writers: dict[str, Callable[[Path], None]] = {
        "patients.csv": partial(_write_csv, evaluation=evaluation),
        "summary.json": partial(write_json, content=content),
        "table.md": partial(_write_text, text=text),
        "coverage.png": partial(save_coverage_plot, evaluation=evaluation, title=head),
    }
    for name, write in writers.items():
        with whole_file(out / name) as path:
            write(path)


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _write_csv(path: Path, evaluation: PlanEvaluation) -> None:
    plans = evaluation.plans
    header = ["patient", "left out", "gtv_ml", "plan_ml", *(f"dice {plan} guideline" for plan in plans)]
    header += [f"recurrence_ml {measure}" for measure in MEASURES]
    header += [f"covered {plan} {measure}" for plan in plans for measure in MEASURES]
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*header, "notes"])
        for name, row in evaluation.patients.items():
            values: list[float | None] = [row.gtv_ml, row.plan_ml, *(row.overlap[plan] for plan in plans)]
            values += [row.coverage[measure].recurrence_ml for measure in MEASURES]
            values += [row.coverage[measure].covered[plan] for plan in plans for measure in MEASURES]
            cells = ["" if value is None else f"{value:.6g}" for value in values]
            writer.writerow([name, "", *cells, "; ".join(row.notes)])
        for name, reason in evaluation.left_out.items():
            writer.writerow([name, reason, *[""] * (len(header) - 2), ""])
