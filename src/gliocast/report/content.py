"""What a report shows: results only, already computed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gliocast.core import Anatomy, Density, Plan, Posterior, Prior, Visit
from gliocast.observation import Misfit
from gliocast.planning import BurdenSpread, CoverageBand, CoverageCurve, PlanComparison
from gliocast.planning.isoeffect import IsoEffect
from gliocast.planning.outlook import Outlook
from gliocast.problem import PredictiveCheck, PredictiveMaps


@dataclass(frozen=True, eq=False)
class ReportContent:
    """Everything on the page. Nothing here names the patient; file names don't belong here either.

    Args:
        visit: scans (t1c and flair are drawn), segmentation and brain mask.
        anatomy: tissue the tumor grew in, on the visit's grid.
        density: modeled density, with its standard deviation where there is one.
        posterior: of the parameters.
        prior: of the same; None where it isn't shown.
        maps: what the posterior says of the density beyond `density`; None where it isn't shown.
        check: what was observed among what the fitted model draws; None where it isn't shown.
        replicated: share of the replicates that draw tumor in a voxel of the visit's grid, by outline (``core``,
            ``whole``); None where it isn't shown.
        method: how the posterior was found, in a few words.
        thresholds: density at which an outline shows, by modality: ``t1c`` (core), ``flair`` (whole tumor).
        outline_dice: Dice of simulated against observed outlines: ``core``, ``whole``.
        outline_hd95: 95th percentile of the distances between the same outlines [mm]; an outline is left out where
            it isn't known.
        plan: target volumes ``gtv``, ``ctv_standard``, ``ctv_model``.
        comparison: the two clinical target volumes side by side.
        barriers: names of those that margins kept to.
        curve: covered share against volume.
        effects: what a course leaves of the tumor by target, a course and a radiosensitivity each.
        outlook: what may come after the scan; None where it isn't shown.
        band: where the curve lies under the posterior; None where its samples aren't at hand.
        spread: which share of the burden lies where under the posterior; None likewise.
        warnings: what a person must know, a sentence each.
        provenance: ``command``, ``versions`` (name -> version), ``seed``, ``inputs`` (modality -> hash), ``seconds``
            (stage -> wall time [s]), ``anatomy`` (``atlas``, ``correlation``, ``dice``), ``model``; other keys aren't
            shown.
        misfit: observed against simulated outlines in numbers; None where it isn't known.
        unexplained: what a one-focus model can't explain in this patient, a sentence each.
        truth: true parameters by name, in a demonstration.
        true_density: the density that the demonstration grew.
        truth_agreement: how near the estimate came, by label with unit, as in ``"seed error [mm]"`` and
            ``"density Dice at 0.1"``.
        synthetic: the patient was made by a computer.
    """

    visit: Visit
    anatomy: Anatomy
    density: Density
    posterior: Posterior
    thresholds: Mapping[str, float]
    outline_dice: Mapping[str, float]
    plan: Plan
    comparison: PlanComparison
    curve: CoverageCurve
    warnings: tuple[str, ...]
    provenance: Mapping[str, Any]
    outline_hd95: Mapping[str, float] = field(default_factory=dict)
    barriers: tuple[str, ...] = ()
    effects: tuple[IsoEffect, ...] = ()
    outlook: Outlook | None = None
    band: CoverageBand | None = None
    spread: BurdenSpread | None = None
    prior: Prior | None = None
    maps: PredictiveMaps | None = None
    check: PredictiveCheck | None = None
    replicated: Mapping[str, np.ndarray] | None = None
    method: str = ""
    misfit: Misfit | None = None
    unexplained: tuple[str, ...] = ()
    truth: Mapping[str, float] | None = None
    true_density: Density | None = None
    truth_agreement: Mapping[str, float] | None = None
    synthetic: bool = False

    @property
    def cropped_at(self) -> str:
        """What the standard CTV ends at, in words."""
        *first, last = ("brain", "ventricles", *self.barriers)
        return f"{', '.join(first)} and {last}"

    def __post_init__(self) -> None:
        grid = self.visit.grid
        grid.require_same(self.anatomy.grid, "anatomy of the report")
        grid.require_same(self.density.grid, "density of the report")
        grid.require_same(self.plan.grid, "plan of the report")
        if self.true_density is not None:
            grid.require_same(self.true_density.grid, "true density of the report")
