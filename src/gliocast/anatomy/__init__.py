"""The patient's anatomy."""

from gliocast.anatomy.correspondence import Correspondence
from gliocast.anatomy.diffusion_tensor import require_anisotropy, tensor_mobility
from gliocast.anatomy.mobility import mobility
from gliocast.anatomy.quality import Match
from gliocast.anatomy.tissue import AnatomyEstimate, estimate_anatomy

__all__ = [
    "AnatomyEstimate",
    "Correspondence",
    "Match",
    "estimate_anatomy",
    "mobility",
    "require_anisotropy",
    "tensor_mobility",
]
