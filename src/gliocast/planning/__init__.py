"""Radiotherapy target volumes: the guidelines', the model's, and what each covers."""

from gliocast.planning.barriers import Barriers, barriers_from_atlas
from gliocast.planning.caution import (
    caution,
    coarse_grid_warning,
    cut_off_warning,
    narrow_margin_warning,
    smaller_structure,
    stray_cells_warning,
    uncertain_coverage_warning,
)
from gliocast.planning.coverage import (
    CoverageCurve,
    PlanComparison,
    compare_plans,
    coverage_curve,
    covered_fraction,
)
from gliocast.planning.coverage_band import BurdenSpread, CoverageBand, Spread, burden_spread, coverage_band
from gliocast.planning.ctv import isovolumetric_ctv, make_plan
from gliocast.planning.guidelines import (
    EORTC,
    ESTRO_EANO,
    GUIDELINES,
    RTOG,
    Guideline,
    GuidelineTargets,
    Phase,
    find_guideline,
    guideline_targets,
)
from gliocast.planning.margins import (
    ESTRO_EANO_MARGIN_MM,
    expand,
    gross_tumor_volume,
    planning_target_volume,
    standard_ctv,
    treatable_region,
    ventricles,
)
from gliocast.planning.recurrence import Coverage, Recurrence, recurrence_coverage
from gliocast.planning.rivals import published_plans, rival_plans
from gliocast.planning.sampled import SampledDensity
from gliocast.planning.shape import TargetShape, surface_area, target_shape
from gliocast.planning.targets import (
    CoverageTarget,
    coverage_target,
    fixed_volume_target,
    isodensity_target,
    sample_coverage,
    smoothed_target,
)

__all__ = [
    "EORTC",
    "ESTRO_EANO",
    "ESTRO_EANO_MARGIN_MM",
    "GUIDELINES",
    "RTOG",
    "Barriers",
    "BurdenSpread",
    "Coverage",
    "CoverageBand",
    "CoverageCurve",
    "CoverageTarget",
    "Guideline",
    "GuidelineTargets",
    "Phase",
    "PlanComparison",
    "Recurrence",
    "SampledDensity",
    "Spread",
    "TargetShape",
    "barriers_from_atlas",
    "burden_spread",
    "caution",
    "coarse_grid_warning",
    "compare_plans",
    "coverage_band",
    "coverage_curve",
    "coverage_target",
    "covered_fraction",
    "cut_off_warning",
    "expand",
    "find_guideline",
    "fixed_volume_target",
    "gross_tumor_volume",
    "guideline_targets",
    "isodensity_target",
    "isovolumetric_ctv",
    "make_plan",
    "narrow_margin_warning",
    "planning_target_volume",
    "published_plans",
    "recurrence_coverage",
    "rival_plans",
    "sample_coverage",
    "smaller_structure",
    "smoothed_target",
    "standard_ctv",
    "stray_cells_warning",
    "surface_area",
    "target_shape",
    "treatable_region",
    "uncertain_coverage_warning",
    "ventricles",
]
