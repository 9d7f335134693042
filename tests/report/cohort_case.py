"""Patients of a cohort, made up."""

from dataclasses import replace

import numpy as np

from gliocast.core import POSITIVE, REAL, UNIT_INTERVAL, Parameter
from gliocast.report.cohort import CohortContent, Estimate, Failure, PatientResult
from gliocast.report.verdict import Reason

ANYWHERE = (-np.inf, np.inf)
LENGTH = Parameter("diffusion_length", "sqrt(D_w T)", "mm", POSITIVE, (2.0, 30.0), "test")
SEED = Parameter("seed_x", "x_x", "mm", REAL, ANYWHERE, "test")
T1C = Parameter("t1c_threshold", "c_T1c", "1", UNIT_INTERVAL, (0.5, 0.85), "test")

#: A folder may be called anything that a file system takes.
HOSTILE = '=HYPERLINK("x")<img src=x onerror=alert(1)>'

PATIENT = PatientResult(
    name="A",
    page="report.html",
    level="review",
    reasons=(Reason("review", "The core differs: Dice 0.70.", "core Dice 0.70"),),
    dice={"core": 0.7, "whole": 0.8},
    hd95_mm={"core": 5.1, "whole": 6.2},
    gtv_ml=9.28,
    ctv_ml=68.5,
    covered_standard=0.9993,
    covered_model=0.99997,
    overlap=0.88,
    estimates=(
        Estimate(LENGTH, 4.6, (2.8, 7.5)),
        Estimate(SEED, -97.8, (-100.3, -95.5)),
        Estimate(T1C, 0.7, (0.5, 0.84)),
    ),
    num_warnings=1,
    segmentation="given",
    seconds=57.3,
    version="0.1.0",
    settings={"model": "Fisher-Kolmogorov", "method": "laplace", "margin": "15 mm", "barriers": "kept to"},
)


def patient(name, **changes):
    return replace(PATIENT, name=name, **changes)


def make_cohort():
    """A failure, and one patient or two of each verdict; one has no core."""
    no_core = tuple(entry for entry in PATIENT.estimates if entry.parameter is not T1C)
    return CohortContent(
        failures=(Failure("Z", "read", "no t1 there"), Failure("Y", "", "a damaged plan.json")),
        results=(
            patient("good", level="pass", reasons=(), dice={"core": 0.9, "whole": 0.85}),
            patient("fair", dice={"core": 0.72, "whole": 0.8}),
            patient(HOSTILE, dice={"core": 0.65, "whole": 0.9}, gtv_ml=120.0),
            patient("10", level="fail", dice={"whole": 0.55}, hd95_mm={}, estimates=no_core, gtv_ml=30.0),
        ),
    )
