"""Sequential neural posterior estimation with mixture density networks."""

from gliocast.inference.npe.options import NPEOptions
from gliocast.inference.npe.sequential import npe

__all__ = ["NPEOptions", "npe"]
