"""Radiotherapy target volumes: the guidelines', the model's, and what each covers."""

from gliocast.planning.coverage import (
    CoverageCurve,
    PlanComparison,
    compare_plans,
    coverage_curve,
    covered_fraction,
)
from gliocast.planning.ctv import isovolumetric_ctv, make_plan
from gliocast.planning.margins import (
    ESTRO_EANO_MARGIN_MM,
    expand,
    gross_tumor_volume,
    standard_ctv,
    treatable_region,
    ventricles,
)

__all__ = [
    "ESTRO_EANO_MARGIN_MM",
    "CoverageCurve",
    "PlanComparison",
    "compare_plans",
    "coverage_curve",
    "covered_fraction",
    "expand",
    "gross_tumor_volume",
    "isovolumetric_ctv",
    "make_plan",
    "standard_ctv",
    "treatable_region",
    "ventricles",
]
