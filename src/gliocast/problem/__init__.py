"""Inverse problems of patients: the only place that knows growth, observation and prior together."""

from gliocast.problem.outlines import INFERENCE_ACCURACY, INFERENCE_SPACING_MM, Guess, outline_problem
from gliocast.problem.problem import Problem
from gliocast.problem.temper import Tempered, TemperingOptions, temper

__all__ = [
    "INFERENCE_ACCURACY",
    "INFERENCE_SPACING_MM",
    "Guess",
    "Problem",
    "Tempered",
    "TemperingOptions",
    "outline_problem",
    "temper",
]
