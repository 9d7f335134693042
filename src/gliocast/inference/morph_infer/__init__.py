"""Learn-Morph-Infer: growth read off two outlines by a network that learned from simulations.

Two ways: the network of the paper looks at the outlines themselves, in a window; others read what a few reference
tumors, grown in the patient's tissue, say of them, first from afar and then around the answer to that.
"""

from gliocast.inference.morph_infer.estimator import MorphInfer, ReferenceReader
from gliocast.inference.morph_infer.impression import Impression
from gliocast.inference.morph_infer.network import InverseNetwork, NetworkConfig, inverse_loss
from gliocast.inference.morph_infer.reading import ReadingConfig, ReadingNetwork
from gliocast.inference.morph_infer.references import References
from gliocast.inference.morph_infer.scaling import (
    PRINTED,
    SCALINGS,
    TIME_DEPENDENT,
    TIME_INDEPENDENT,
    Scaling,
    scaling_of,
)
from gliocast.inference.morph_infer.surfaces import Outlines, outlines_of
from gliocast.inference.morph_infer.weights import (
    Weights,
    load_reading,
    load_weights,
    save_reading,
    save_weights,
    shipped_reading,
    shipped_weights,
)
from gliocast.inference.morph_infer.window import NUM_MOMENTS, WINDOW, Window, look, look_at_patient

__all__ = [
    "NUM_MOMENTS",
    "PRINTED",
    "SCALINGS",
    "TIME_DEPENDENT",
    "TIME_INDEPENDENT",
    "WINDOW",
    "Impression",
    "InverseNetwork",
    "MorphInfer",
    "NetworkConfig",
    "Outlines",
    "ReadingConfig",
    "ReadingNetwork",
    "ReferenceReader",
    "References",
    "Scaling",
    "Weights",
    "Window",
    "inverse_loss",
    "load_reading",
    "load_weights",
    "look",
    "look_at_patient",
    "outlines_of",
    "save_reading",
    "save_weights",
    "scaling_of",
    "shipped_reading",
    "shipped_weights",
]
