"""Patient to findings: the stages in order, and nothing that a stage should know."""

from dataclasses import dataclass, replace

import numpy as np

from gliocast.anatomy import AnatomyEstimate, estimate_anatomy
from gliocast.core import Density, InputError, Monitor, Patient, Plan, Posterior, Visit
from gliocast.data.atlas import load_mni152
from gliocast.growth import FisherKolmogorov, Simulator, SingleScan
from gliocast.inference import laplace_around
from gliocast.observation import Misfit, misfit
from gliocast.planning import ESTRO_EANO_MARGIN_MM, gross_tumor_volume, make_plan
from gliocast.planning.margins import require_margin
from gliocast.problem import outline_problem, temper

#: Below this Dice of the whole tumor the reader is warned that the model doesn't describe the tumor [1].
_POOR_FIT = 0.6


@dataclass(frozen=True)
class Options:
    """What a user may choose; saved beside the results.

    Args:
        margin_mm: uniform margin of the standard CTV [mm].
        diffusivity_ratio: white over gray matter [1].
        seed: of the random generator.
    """

    margin_mm: float = ESTRO_EANO_MARGIN_MM
    diffusivity_ratio: float = 10.0
    seed: int = 0

    def __post_init__(self) -> None:
        require_margin(self.margin_mm)
        FisherKolmogorov(self.diffusivity_ratio)
        if self.seed < 0:
            raise InputError("seed", expected="a nonnegative integer", got=f"{self.seed}", advice="use 0")


@dataclass(frozen=True, eq=False)
class Findings:
    """All results of one patient."""

    visit: Visit
    anatomy: AnatomyEstimate
    posterior: Posterior
    density: Density
    misfit: Misfit
    plan: Plan
    warnings: tuple[str, ...]

    @property
    def estimate(self) -> dict[str, float]:
        """Parameters at the posterior mode, by name."""
        return {p.name: float(x) for p, x in zip(self.posterior.parameters, self.posterior.mode, strict=True)}


def personalize(patient: Patient, options: Options, monitor: Monitor) -> Findings:
    """Anatomy, posterior, density and plan of a patient's first visit.

    Raises:
        InputError: the T1 isn't one of a brain, or the segmentation leaves nothing to plan.
        QualityError: the atlas doesn't fit.
        ConvergenceError: the fit didn't converge.
    """
    visit = patient.visits[0]
    if not visit.labels.whole.any():
        raise InputError(
            "segmentation",
            expected="a tumor",
            got="a resection cavity alone" if visit.labels.cavity.any() else "only background",
            advice="fit the scan from before surgery",
        )
    monitor.begin("anatomy")
    anatomy = estimate_anatomy(visit, load_mni152(), monitor=monitor)
    monitor.note(f"anatomy: {anatomy.quality}{' (cached)' if anatomy.cached else ''}")
    monitor.begin("fit")
    simulator = Simulator(FisherKolmogorov(options.diffusivity_ratio))
    problem, guess = outline_problem(visit.labels, anatomy.anatomy, simulator=simulator)
    generator = np.random.default_rng(options.seed)
    tempered = temper(problem, start=guess.point, spread=guess.spread, generator=generator, progress=monitor.advance)
    problem, posterior = tempered.problem, laplace_around(tempered.problem, tempered.mode, generator=generator)
    posterior = replace(posterior, diagnostics={**posterior.diagnostics, **tempered.diagnostics})
    monitor.begin("density")
    delivery = SingleScan(replace(simulator, progress=monitor.advance))
    density = problem.predict(posterior, anatomy.anatomy, forward=delivery)
    left = misfit(visit.labels, density.data, *thresholds(posterior))
    core = "" if left.core_dice is None else f"core {left.core_dice:.3f}, of "
    monitor.note(f"fit: Dice of {core}whole tumor {left.whole_dice:.3f}")
    monitor.begin("plan")
    plan = make_plan(visit.labels, anatomy.anatomy, density, margin_mm=options.margin_mm)
    warnings = [*patient.warnings, *_plan_warnings(visit, left)]
    if posterior.diagnostics.get("flat_directions"):
        warnings.append("the posterior is flat in some direction: standard deviations and intervals are too narrow")
    return Findings(visit, anatomy, posterior, density, left, plan, tuple(warnings))


def thresholds(posterior: Posterior) -> tuple[float | None, float]:
    """Visibility thresholds of T1c (None where it shows no core) and FLAIR."""
    estimate = {p.name: float(x) for p, x in zip(posterior.parameters, posterior.mode, strict=True)}
    return estimate.get("t1c_threshold"), estimate["flair_threshold"]


def _plan_warnings(visit: Visit, left: Misfit) -> list[str]:
    _, note = gross_tumor_volume(visit.labels)
    warnings = [note] if note else []
    if visit.labels.cavity.any():
        warnings.append(
            "a resection cavity is segmented, but growth is fitted as if nothing had been removed: the model has no "
            "treatment yet, and its density around the cavity means little"
        )
    if left.whole_dice < _POOR_FIT:
        warnings.append(
            f"the fitted outlines agree poorly with the segmentation (whole tumor Dice {left.whole_dice:.2f}); "
            "growth from one focus doesn't describe this tumor"
        )
    return warnings
