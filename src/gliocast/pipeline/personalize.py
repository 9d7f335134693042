"""Patient to findings: the stages in order, and nothing that a stage should know."""

from dataclasses import dataclass, replace

import numpy as np

from gliocast.anatomy import AnatomyEstimate, estimate_anatomy
from gliocast.core import (
    Anatomy,
    Density,
    Forward,
    GliocastError,
    InputError,
    Monitor,
    Patient,
    Plan,
    Posterior,
    Prior,
    Visit,
)
from gliocast.data.atlas import load_mni152
from gliocast.growth import FisherKolmogorov, Held, MassEffect, Simulator, SingleScan
from gliocast.inference.identifiability import parameters_at_bound, sentences
from gliocast.inference.npe import misfit_sentence
from gliocast.observation import Misfit, misfit
from gliocast.pipeline.look_ahead import Fitted, ForecastOptions, look_ahead
from gliocast.pipeline.methods import DEFAULT_METHOD, Fit, find_method, fit
from gliocast.pipeline.plan_targets import PlannedTargets, TargetChoices, plan_targets
from gliocast.planning import ESTRO_EANO_MARGIN_MM, Barriers, barriers_from_atlas
from gliocast.planning.forecast import TYPICAL_SPEED, require_speed
from gliocast.planning.margins import require_margin
from gliocast.planning.outlook import Outlook
from gliocast.problem import (
    NUM_PREDICTIVE,
    GrownSamples,
    PredictiveCheck,
    PredictiveMaps,
    Problem,
    grow_samples,
    outline_problem,
    predictive_check,
    predictive_maps,
)

#: Below this Dice of the whole tumor the reader is warned that the model doesn't describe the tumor [1].
_POOR_FIT = 0.6

#: Growth equations that a patient can be fitted with.
_GROWTH: dict[str, type[FisherKolmogorov] | type[MassEffect]] = {
    "fisher-kolmogorov": FisherKolmogorov,
    "mass-effect": MassEffect,
}

#: A run's forecast is solved on voxels of about this size [mm]; docs/forecast.md tells what that changes.
_FORECAST_SPACING_MM = 2.0

#: Posterior samples behind the maps where a solve takes seconds [1].
_NUM_EXPENSIVE = 12

#: More densities than these fill the memory of a laptop [1].
_MOST_DENSITIES = 1000

#: What sets the seed of the replicates apart from the fit's; the prior's draws have 1.
_REPLICATE_STREAM = 2

#: With fewer effective samples than this the reader is warned that intervals are rough [1].
_FEW_SAMPLES = 100


@dataclass(frozen=True)
class Options:
    """What a user may choose; saved beside the results.

    Args:
        margin_mm: uniform margin of the standard CTV [mm].
        diffusivity_ratio: white over gray matter [1].
        growth: growth equation, "fisher-kolmogorov" or "mass-effect".
        tumor_pressure: with mass effect, which one scan doesn't tell [kPa].
        seed: of the random generator.
        method: name of the inverse method.
        num_samples: posterior samples; None for the method's own number.
        resume: whether to go on with what an interrupted run of the same left.
        barriers: whether margins keep to falx and tentorium, as the atlas gives them.
        num_densities: posterior samples whose densities are grown, for maps, bands and coverage; None for 48 (12 with
            mass effect).
        keep_samples: whether to write the densities of the posterior samples.
        forecast: whether to look ahead.
        speed: of the front, with a forecast, which one scan doesn't tell [mm/d].
    """

    margin_mm: float = ESTRO_EANO_MARGIN_MM
    diffusivity_ratio: float = 10.0
    growth: str = "fisher-kolmogorov"
    tumor_pressure: float = 10.0
    seed: int = 0
    method: str = DEFAULT_METHOD
    num_samples: int | None = None
    resume: bool = True
    barriers: bool = True
    num_densities: int | None = None
    keep_samples: bool = False
    forecast: bool = True
    speed: float = TYPICAL_SPEED

    def __post_init__(self) -> None:
        require_margin(self.margin_mm)
        require_speed(self.speed)
        if self.growth not in _GROWTH:
            raise InputError("growth", expected=f"one of {', '.join(_GROWTH)}", got=self.growth, advice="pick one")
        self.single_scan(Simulator(self.model))
        if self.seed < 0:
            raise InputError("seed", expected="a nonnegative integer", got=f"{self.seed}", advice="use 0")
        if self.num_densities is not None and not 2 <= self.num_densities <= _MOST_DENSITIES:
            raise InputError(
                "densities",
                expected=f"from 2 to {_MOST_DENSITIES} posterior samples",
                got=f"{self.num_densities}",
                advice=f"use {NUM_PREDICTIVE}, or 200 for `plan --model coverage`",
            )
        find_method(self.method).settings(self.num_samples)

    @property
    def model(self) -> FisherKolmogorov | MassEffect:
        """The growth equation."""
        return _GROWTH[self.growth](self.diffusivity_ratio)

    @property
    def known(self) -> dict[str, float]:
        """Parameters of the growth that aren't inferred."""
        return {"tumor_pressure": self.tumor_pressure} if self.growth == "mass-effect" else {}

    def single_scan(self, simulator: Simulator) -> Forward:
        """What the simulator's growth looks like in one scan, as far as it isn't known."""
        return Held(SingleScan(simulator), self.known) if self.known else SingleScan(simulator)


@dataclass(frozen=True, eq=False)
class Findings:
    """All results of one patient.

    Args:
        visit: what was seen.
        anatomy: tissue the tumor grew in.
        prior: of the parameters.
        fit: their posterior, and how it was found.
        density: at the posterior mode, with its standard deviation.
        maps: what the posterior says of the density beyond that.
        check: what was observed among what the fitted model draws.
        misfit: observed against simulated outlines.
        planned: target volumes.
        warnings: what a person must know, a sentence each.
        barriers: falx and tentorium as the atlas gives them; None where they were left out.
        grown: posterior samples with their densities on the inference grid; None where they weren't kept.
        outlook: what may come after the scan; None where it wasn't asked for, or failed.
    """

    visit: Visit
    anatomy: AnatomyEstimate
    prior: Prior
    fit: Fit
    density: Density
    maps: PredictiveMaps
    check: PredictiveCheck
    misfit: Misfit
    planned: PlannedTargets
    warnings: tuple[str, ...]
    barriers: Barriers | None = None
    grown: GrownSamples | None = None
    outlook: Outlook | None = None

    @property
    def plan(self) -> Plan:
        """Target volumes by name."""
        return self.planned.plan

    @property
    def posterior(self) -> Posterior:
        """Of the parameters."""
        return self.fit.posterior

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
    _require_tumor(visit)
    monitor.begin("anatomy")
    anatomy = estimate_anatomy(visit, load_mni152(), monitor=monitor)
    monitor.note(f"anatomy: {anatomy.quality}{' (cached)' if anatomy.cached else ''}")
    monitor.begin("fit")
    simulator = Simulator(options.model)
    problem, fitted = fit_outlines(visit, anatomy.anatomy, simulator, options, monitor=monitor)
    monitor.begin("density")
    count = options.num_densities or (_NUM_EXPENSIVE if options.known else NUM_PREDICTIVE)
    grown = grow_samples(problem, fitted.posterior, num_samples=count)
    maps = predictive_maps(grown, anatomy.anatomy)
    check = predictive_check(problem, grown, generator=np.random.default_rng([options.seed, _REPLICATE_STREAM]))
    delivery = options.single_scan(replace(simulator, progress=monitor.advance))
    density = problem.predict(fitted.posterior, anatomy.anatomy, forward=delivery, maps=maps)
    left = misfit(visit.labels, density.data, *thresholds(fitted.posterior))
    core = "" if left.core_dice is None else f"core {left.core_dice:.3f}, of "
    monitor.note(f"fit: Dice of {core}whole tumor {left.whole_dice:.3f}")
    monitor.begin("plan")
    barriers = None
    if options.barriers and anatomy.correspondence is not None:
        barriers = barriers_from_atlas(load_mni152(), anatomy.correspondence, visit.grid)
    choices = TargetChoices(margin_mm=options.margin_mm)
    planned = plan_targets(visit.labels, anatomy.anatomy, density, choices, barriers=barriers, notes=patient.warnings)
    warnings = (
        *planned.alarms,
        *_plan_warnings(visit, left),
        *check.sentences(),
        *_posterior_warnings(fitted.posterior),
    )
    findings = Findings(
        visit=visit,
        anatomy=anatomy,
        prior=problem.prior,
        fit=fitted,
        density=density,
        maps=maps,
        check=check,
        misfit=left,
        planned=planned,
        warnings=(*patient.warnings, *warnings),
        barriers=barriers,
        grown=grown,
    )
    return _with_outlook(findings, options, monitor) if options.forecast else findings


def _with_outlook(findings: Findings, options: Options, monitor: Monitor) -> Findings:
    """The same with what may come; with a warning where that fails, for it is the least of what was asked for."""
    monitor.begin("forecast")
    fitted = Fitted(
        findings.density,
        findings.anatomy.anatomy,
        findings.plan.volumes,
        findings.estimate,
        options.diffusivity_ratio,
    )
    choices = ForecastOptions(speed=options.speed, spacing=_FORECAST_SPACING_MM)
    try:
        return replace(findings, outlook=look_ahead(fitted, choices, done=monitor.advance))
    except GliocastError as error:
        warning = f"no forecast was made: {error}"
        monitor.note(f"warning: {warning}")
        return replace(findings, warnings=(*findings.warnings, warning))


def fit_outlines(
    visit: Visit, anatomy: Anatomy, simulator: Simulator, options: Options, *, monitor: Monitor
) -> tuple[Problem, Fit]:
    """What the outlines of a visit say of growth in an anatomy, by the method that was chosen."""
    problem, guess = outline_problem(visit.labels, anatomy, simulator=simulator, known=options.known)
    fitted = fit(
        find_method(options.method),
        problem,
        guess,
        num_samples=options.num_samples,
        seed=options.seed,
        resume=options.resume,
        monitor=monitor,
    )
    return problem, fitted


def _require_tumor(visit: Visit) -> None:
    if not visit.labels.whole.any():
        raise InputError(
            "segmentation",
            expected="a tumor",
            got="a resection cavity alone" if visit.labels.cavity.any() else "only background",
            advice="fit the scan from before surgery",
        )


def thresholds(posterior: Posterior) -> tuple[float | None, float]:
    """Visibility thresholds of T1c (None where it shows no core) and FLAIR."""
    estimate = {p.name: float(x) for p, x in zip(posterior.parameters, posterior.mode, strict=True)}
    return estimate.get("t1c_threshold"), estimate["flair_threshold"]


def _plan_warnings(visit: Visit, left: Misfit) -> list[str]:
    warnings = []
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


def _posterior_warnings(posterior: Posterior) -> list[str]:
    warnings = list(sentences(parameters_at_bound(posterior)))
    if posterior.diagnostics.get("flat_directions"):
        warnings.append("the posterior is flat in some direction: standard deviations and intervals are too narrow")
    beyond = misfit_sentence(posterior)
    if beyond is not None:
        warnings.append(beyond)
    # a sampler knows best how much its samples depend on each other; their weights alone don't show it
    effective = min(posterior.effective_sample_size, posterior.diagnostics.get("effective_samples", np.inf))
    if effective < _FEW_SAMPLES:
        warnings.append(f"the posterior rests on {effective:.0f} independent samples: its intervals are rough")
    return warnings
