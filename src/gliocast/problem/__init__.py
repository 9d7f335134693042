"""Inverse problems of patients: the only place that knows growth, observation and prior together."""

from gliocast.problem.drawing import draw_closer
from gliocast.problem.first_visit import OutlineStart, density_from_adc
from gliocast.problem.grown import NUM_PREDICTIVE, GrownSamples, grow_samples
from gliocast.problem.maps import EXCEEDED_DENSITIES, PredictiveMaps, predictive_maps
from gliocast.problem.matching import MatchOptions, match
from gliocast.problem.mri_pet import IDENTIFIABLE_RANGES, PAPER_RANGES, mri_pet_problem
from gliocast.problem.outlines import INFERENCE_ACCURACY, INFERENCE_SPACING_MM, Guess, outline_problem
from gliocast.problem.problem import Problem
from gliocast.problem.replicates import NUM_REPLICATES, PredictiveCheck, PredictiveStatistic, predictive_check
from gliocast.problem.residuals import displaced
from gliocast.problem.temper import Tempered, TemperingOptions, temper
from gliocast.problem.visits import VisitPrediction, VisitProblem, predict_visit, visit_problem

__all__ = [
    "EXCEEDED_DENSITIES",
    "IDENTIFIABLE_RANGES",
    "INFERENCE_ACCURACY",
    "INFERENCE_SPACING_MM",
    "NUM_PREDICTIVE",
    "NUM_REPLICATES",
    "PAPER_RANGES",
    "GrownSamples",
    "Guess",
    "MatchOptions",
    "OutlineStart",
    "PredictiveCheck",
    "PredictiveMaps",
    "PredictiveStatistic",
    "Problem",
    "Tempered",
    "TemperingOptions",
    "VisitPrediction",
    "VisitProblem",
    "density_from_adc",
    "displaced",
    "draw_closer",
    "grow_samples",
    "match",
    "mri_pet_problem",
    "outline_problem",
    "predict_visit",
    "predictive_check",
    "predictive_maps",
    "temper",
    "visit_problem",
]
