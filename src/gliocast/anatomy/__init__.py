"""The patient's anatomy."""

from gliocast.anatomy.diffusion_tensor import tensor_mobility
from gliocast.anatomy.quality import Match
from gliocast.anatomy.tissue import AnatomyEstimate, estimate_anatomy

__all__ = ["AnatomyEstimate", "Match", "estimate_anatomy", "tensor_mobility"]
