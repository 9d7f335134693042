"""What a report shows: results only, already computed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gliocast.core import Anatomy, Density, Plan, Posterior, Prior, Visit
from gliocast.planning import CoverageCurve, PlanComparison
from gliocast.problem import PredictiveCheck, PredictiveMaps


@dataclass(frozen=True, eq=False)
class ReportContent:
    """Everything on the page. Nothing here names the patient; file names don't belong here either.

    Args:
        visit: scans (t1c and flair are drawn), segmentation and brain mask.
        anatomy: tissue the tumor grew in, on the visit's grid.
        density: expected density, with its standard deviation where there is one.
        posterior: of the parameters.
        prior: of the same; None where it isn't shown.
        maps: what the posterior says of the density beyond `density`; None where it isn't shown.
        check: what was observed among what the fitted model draws; None where it isn't shown.
        replicated: share of the replicates that draw tumor in a voxel of the visit's grid, by outline (``core``,
            ``whole``); None where it isn't shown.
        method: how the posterior was found, in a few words.
        thresholds: density at which an outline shows, by modality: ``t1c`` (core), ``flair`` (whole tumor).
        outline_dice: Dice of simulated against observed outlines: ``core``, ``whole``.
        plan: target volumes ``gtv``, ``ctv_standard``, ``ctv_model``.
        comparison: the two clinical target volumes side by side.
        curve: covered share against volume.
        warnings: what a person must know, a sentence each.
        provenance: ``versions`` (name -> version), ``seed``, ``inputs`` (modality -> hash), ``seconds``
            (stage -> wall time [s]); other keys aren't shown.
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
    prior: Prior | None = None
    maps: PredictiveMaps | None = None
    check: PredictiveCheck | None = None
    replicated: Mapping[str, np.ndarray] | None = None
    method: str = ""
    unexplained: tuple[str, ...] = ()
    truth: Mapping[str, float] | None = None
    true_density: Density | None = None
    truth_agreement: Mapping[str, float] | None = None
    synthetic: bool = False

    def __post_init__(self) -> None:
        grid = self.visit.grid
        grid.require_same(self.anatomy.grid, "anatomy of the report")
        grid.require_same(self.density.grid, "density of the report")
        grid.require_same(self.plan.grid, "plan of the report")
        if self.true_density is not None:
            grid.require_same(self.true_density.grid, "true density of the report")
