"""How scans come from a tumor-cell density."""

from gliocast.observation.correlated import correlated_noise, correlation_from_fwhm, independent_share
from gliocast.observation.double_logistic import (
    VISIBILITY_WIDTH,
    DoubleLogisticOutline,
    core_outline,
    log_visibility,
    whole_outline,
)
from gliocast.observation.joint import JointObservation
from gliocast.observation.misfit import Misfit, misfit
from gliocast.observation.mri import OutlineLikelihood
from gliocast.observation.pet import PET_NOISE, PET_UPTAKE, PETLikelihood, normalize_uptake
from gliocast.observation.rater import LabelErrors, draw_outlines
from gliocast.observation.surface import Crossing, Surface

__all__ = [
    "PET_NOISE",
    "PET_UPTAKE",
    "VISIBILITY_WIDTH",
    "Crossing",
    "DoubleLogisticOutline",
    "JointObservation",
    "LabelErrors",
    "Misfit",
    "OutlineLikelihood",
    "PETLikelihood",
    "Surface",
    "core_outline",
    "correlated_noise",
    "correlation_from_fwhm",
    "draw_outlines",
    "independent_share",
    "log_visibility",
    "misfit",
    "normalize_uptake",
    "whole_outline",
]
