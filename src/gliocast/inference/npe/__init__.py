"""Sequential neural posterior estimation with mixture density networks."""

from gliocast.inference.npe.options import NPEOptions
from gliocast.inference.npe.sequential import npe
from gliocast.inference.npe.trust import misfit_sentence

__all__ = ["NPEOptions", "misfit_sentence", "npe"]
