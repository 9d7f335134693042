"""Inverse problems of patients: the only place that knows growth, observation and prior together."""

from gliocast.problem.maps import EXCEEDED_DENSITIES, PredictiveMaps, predictive_maps
from gliocast.problem.outlines import INFERENCE_ACCURACY, INFERENCE_SPACING_MM, Guess, outline_problem
from gliocast.problem.problem import Problem

__all__ = [
    "EXCEEDED_DENSITIES",
    "INFERENCE_ACCURACY",
    "INFERENCE_SPACING_MM",
    "Guess",
    "PredictiveMaps",
    "Problem",
    "outline_problem",
    "predictive_maps",
]
