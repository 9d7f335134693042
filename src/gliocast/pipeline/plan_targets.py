"""Which target volumes are wanted, and all of them together with what is to be said of them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from gliocast.core import RESEARCH_NOTICE, Anatomy, Density, InputError, LabelMap, Monitor, Plan
from gliocast.core.grid import MM3_PER_ML
from gliocast.data import Results, file_hash
from gliocast.pipeline.plan_origin import Origin
from gliocast.planning import (
    ESTRO_EANO,
    Barriers,
    Guideline,
    PlanComparison,
    SampledDensity,
    TargetShape,
    caution,
    coarse_grid_warning,
    coverage_target,
    cut_off_warning,
    expand,
    find_guideline,
    fixed_volume_target,
    gross_tumor_volume,
    guideline_targets,
    isodensity_target,
    isovolumetric_ctv,
    narrow_margin_warning,
    planning_target_volume,
    sample_coverage,
    smoothed_target,
    stray_cells_warning,
    target_shape,
    treatable_region,
    uncertain_coverage_warning,
)
from gliocast.planning.margins import require_ventricle_reach
from gliocast.planning.targets import require_share, require_smoothing

#: The model's targets by name, and what the value of each is; the first takes none.
MODEL_TARGETS: Mapping[str, str | None] = {
    "iso-volume": None,
    "isodensity": "a density in (0, 1)",
    "fixed-volume": "a volume in ml",
    "coverage": "a share of the tumor cells in (0, 1)",
}


#: Posterior probability that a coverage target covers its share unless one says otherwise.
CERTAINTY = 0.95


@dataclass(frozen=True)
class TargetChoices:
    """What a user may choose of a plan.

    Args:
        guideline: name of a guideline.
        margin_mm: GTV to CTV of all its phases [mm]; None for its own.
        ptv_margin_mm: CTV to PTV [mm]; None for its own.
        model: name of the model's target.
        value: the density, volume [ml] or share that it takes; None for iso-volume.
        probability: with coverage alone, that the share is covered; None for `CERTAINTY`.
        smoothing_mm: of the model's target [mm]; None for none.
        ventricle_mm: how far the guideline's margins reach into ventricles [mm].
    """

    guideline: str = ESTRO_EANO.name
    margin_mm: float | None = None
    ptv_margin_mm: float | None = None
    model: str = "iso-volume"
    value: float | None = None
    probability: float | None = None
    smoothing_mm: float | None = None
    ventricle_mm: float = 0.0

    def __post_init__(self) -> None:
        assert self.prescribed.phases  # its margins are checked there
        if self.model not in MODEL_TARGETS:
            raise InputError("model", expected=f"one of {', '.join(MODEL_TARGETS)}", got=self.model, advice="pick one")
        wanted = MODEL_TARGETS[self.model]
        if (wanted is None) != (self.value is None):
            raise InputError(
                "value",
                expected=f"{wanted or 'none'} with --model {self.model}",
                got="none" if self.value is None else f"{self.value:g}",
                advice="give one" if wanted else "leave it out",
            )
        if self.model != "coverage" and self.probability is not None:
            raise InputError(
                "probability",
                expected=f"none with --model {self.model}",
                got=f"{self.probability:g}",
                advice="leave it out, or plan with --model coverage",
            )
        self._require_value()
        if self.smoothing_mm is not None:
            require_smoothing(self.smoothing_mm)
        require_ventricle_reach(self.ventricle_mm)

    def _require_value(self) -> None:
        """Raise InputError for a value that makes no target of its kind, whatever the patient."""
        if self.value is None:
            return
        if self.model == "coverage":
            require_share("share to cover", self.value)
            require_share("probability to cover it", self.certainty)
        elif self.model == "isodensity":
            require_share("isodensity level", self.value)
        elif not 0 < self.value < float("inf"):  # also true for nan
            raise InputError(
                "target volume", expected="a volume in ml", got=f"{self.value:g}", advice="give one above zero"
            )

    @property
    def certainty(self) -> float:
        """With coverage, the posterior probability that the share is covered."""
        return CERTAINTY if self.probability is None else self.probability

    @property
    def prescribed(self) -> Guideline:
        """The guideline with the margins that were chosen."""
        guideline = find_guideline(self.guideline)
        return guideline.with_margins(margin_mm=self.margin_mm, ptv_margin_mm=self.ptv_margin_mm)


@dataclass(frozen=True, eq=False)
class PlannedTargets:
    """Targets of the guideline and the model.

    Args:
        plan: all volumes by name.
        guideline: behind the standard ones.
        choices: behind all of them.
        margins_mm: GTV to CTV of each phase [mm].
        shapes: of every CTV, by name.
        probability: with coverage, the posterior probability that was reached, smoothing included.
        barriers: names of those that were kept to.
        barriers_ml: how much smaller they make the standard CTV [ml].
        alarms: what no one may miss, a sentence each; said however quiet a job is to be.
        notes: what else is known of the input, a sentence each.
    """

    plan: Plan
    guideline: Guideline
    choices: TargetChoices
    margins_mm: Mapping[str, float]
    shapes: Mapping[str, TargetShape]
    probability: float | None
    barriers: tuple[str, ...]
    barriers_ml: float
    alarms: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def standard_title(self) -> str:
        """Of the standard CTV: the guideline's, or the margin where that isn't the guideline's own."""
        phase, margin = find_guideline(self.guideline.name).phases[0], self.margins_mm["standard"]
        own = {phase.margin_mm, phase.margin_without_edema_mm} - {None}
        if self.choices.margin_mm is None or own == {margin}:
            return f"CTV by {self.guideline.title}"
        return f"CTV (GTV + {margin:g} mm)"

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person must read first: what stays with the targets wherever they go."""
        return (*self.alarms, *self.notes)

    def say_alarms(self, monitor: Monitor) -> None:
        """Say the alarms to whoever watches, as those that quiet doesn't keep back."""
        for alarm in self.alarms:
            monitor.note(f"WARNING: {alarm}")


def plan_targets(
    labels: LabelMap,
    anatomy: Anatomy,
    density: Density,
    choices: TargetChoices,
    *,
    barriers: Barriers | None = None,
    samples: Callable[[], SampledDensity] | None = None,
    alarms: Iterable[str] = (),
    notes: Iterable[str] = (),
) -> PlannedTargets:
    """All targets of a patient.

    Args:
        labels: the segmentation.
        anatomy: tissue on the same grid.
        density: expected tumor-cell density on the same grid.
        choices: which targets.
        barriers: falx and tentorium on the same grid, if known.
        samples: gives the posterior's densities; called with coverage alone.
        alarms: what is known of the input already, and no one may miss.
        notes: what else is known of it.

    Raises:
        InputError: as the targets do, or coverage is asked for without samples.
    """
    labels.grid.require_same(density.grid, "density")
    guideline = choices.prescribed
    prescribed = guideline_targets(guideline, labels, anatomy, barriers, ventricle_mm=choices.ventricle_mm)
    volumes = dict(prescribed.volumes)
    region = treatable_region(labels, anatomy, barriers)
    drawn = samples() if choices.model == "coverage" and samples is not None else None
    volumes["ctv_model"] = _model_target(density, choices, volumes, region, drawn)
    if choices.smoothing_mm is not None:
        volumes["ctv_model"] = smoothed_target(
            volumes["ctv_model"], choices.smoothing_mm, gtv=volumes["gtv"], within=region, grid=labels.grid
        )
    volumes["ptv_model"] = planning_target_volume(volumes["ctv_model"], labels.grid, guideline.ptv_margin_mm)
    probability = None
    if drawn is not None and choices.value is not None:
        probability = float((sample_coverage(drawn, volumes["ctv_model"], labels.grid) >= choices.value).mean())
    plan = Plan(volumes, labels.grid, prescribed.margins_mm["standard"])
    removed, breached = 0.0, None
    if barriers is not None:
        source = volumes.get("gtv_edema", volumes["gtv"])  # of the first phase
        open_region = treatable_region(labels, anatomy, ventricle_mm=choices.ventricle_mm) | source
        straight = expand(source, labels.grid, plan.margin_mm, open_region)
        removed = float(np.count_nonzero(straight)) * labels.grid.voxel_volume - plan.volume("ctv_standard")
        breached = barriers.sentence(source)
    said = (
        narrow_margin_warning(find_guideline(choices.guideline), labels, prescribed.margins_mm["standard"]),
        gross_tumor_volume(labels)[1],
        coarse_grid_warning(plan.grid, prescribed.margins_mm.values(), guideline.ptv_margin_mm),
        cut_off_warning(plan),
        stray_cells_warning(density, anatomy),
        uncertain_coverage_warning(choices.certainty, probability),
        breached,
    )
    return PlannedTargets(
        plan,
        guideline,
        choices,
        prescribed.margins_mm,
        {name: target_shape(mask, labels.grid) for name, mask in volumes.items() if name.startswith("ctv_")},
        probability,
        tuple(barriers.masks) if barriers is not None else (),
        removed / MM3_PER_ML,
        (*caution(plan), *filter(None, said), *alarms),
        tuple(notes),
    )


def _model_target(
    density: Density,
    choices: TargetChoices,
    volumes: Mapping[str, np.ndarray],
    region: np.ndarray,
    samples: SampledDensity | None,
) -> np.ndarray:
    """The model's CTV, not yet smoothed."""
    gtv, value = volumes["gtv"], choices.value
    if value is None:
        standard = volumes["ctv_standard"]
        return isovolumetric_ctv(density, reference=standard, within=region | standard)
    if choices.model == "isodensity":
        return isodensity_target(density, value, gtv=gtv, within=region)
    if choices.model == "fixed-volume":
        return fixed_volume_target(density, value, gtv=gtv, within=region)
    if samples is None:
        raise InputError(
            "density samples",
            expected="those of the posterior with --model coverage",
            got="none",
            advice="pass --samples density_samples.nii.gz, which gliocast run --keep-samples writes",
        )
    return coverage_target(samples, value, choices.certainty, gtv=gtv, within=region, grid=density.grid).mask


def plan_record(
    planned: PlannedTargets, comparison: PlanComparison, results: Results, origin: Origin
) -> dict[str, Any]:
    """Target volumes, what they are and what they cover; volumes in ml.

    Args:
        planned: the targets.
        comparison: the standard one against the model's.
        results: among which their images lie, whose hashes tell them from those of another plan.
        origin: what they were made of.
    """
    plan, guideline, choices = planned.plan, planned.guideline, planned.choices
    return {
        "notice": RESEARCH_NOTICE,
        "warnings": list(planned.warnings),
        "files": {results.name(f"{name}.nii.gz"): file_hash(results.path(f"{name}.nii.gz")) for name in plan.volumes},
        **asdict(origin),
        "margin_mm": plan.margin_mm,
        **asdict(comparison),
        "guideline": {"name": guideline.name, "title": guideline.title, "source": guideline.source},
        "phases": [
            {
                "name": phase.name,
                "phase_margin_mm": planned.margins_mm[phase.name],
                "dose_gy": phase.dose_gy,
                "num_fractions": phase.num_fractions,
                "ctv_ml": plan.volume(f"ctv_{phase.name}") / MM3_PER_ML,
                "ptv_ml": plan.volume(f"ptv_{phase.name}") / MM3_PER_ML,
            }
            for phase in guideline.phases
        ],
        "ptv_margin_mm": guideline.ptv_margin_mm,
        "ptv_model_ml": plan.volume("ptv_model") / MM3_PER_ML,
        "model_target": {
            "kind": choices.model,
            "value": choices.value,
            "probability": choices.certainty if choices.model == "coverage" else None,
            "reached_probability": planned.probability,
            "smoothing_mm": choices.smoothing_mm,
        },
        "ventricle_mm": choices.ventricle_mm,
        "shapes": {name: asdict(shape) for name, shape in planned.shapes.items()},
        "barriers": list(planned.barriers),
        "barriers_ml": planned.barriers_ml,
    }
