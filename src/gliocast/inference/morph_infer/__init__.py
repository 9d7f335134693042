"""Learn-Morph-Infer: growth read off two outlines by a network that learned from simulations."""

from gliocast.inference.morph_infer.estimator import MorphInfer
from gliocast.inference.morph_infer.network import InverseNetwork, NetworkConfig, inverse_loss
from gliocast.inference.morph_infer.scaling import (
    PRINTED,
    SCALINGS,
    TIME_DEPENDENT,
    TIME_INDEPENDENT,
    Scaling,
    scaling_of,
)
from gliocast.inference.morph_infer.weights import Weights, load_weights, save_weights, shipped_weights
from gliocast.inference.morph_infer.window import NUM_MOMENTS, WINDOW, Window, look, look_at_patient

__all__ = [
    "NUM_MOMENTS",
    "PRINTED",
    "SCALINGS",
    "TIME_DEPENDENT",
    "TIME_INDEPENDENT",
    "WINDOW",
    "InverseNetwork",
    "MorphInfer",
    "NetworkConfig",
    "Scaling",
    "Weights",
    "Window",
    "inverse_loss",
    "load_weights",
    "look",
    "look_at_patient",
    "save_weights",
    "scaling_of",
    "shipped_weights",
]
