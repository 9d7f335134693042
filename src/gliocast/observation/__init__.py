"""How scans come from a tumor-cell density."""

from gliocast.observation.misfit import Misfit, misfit
from gliocast.observation.mri import LabelErrors, OutlineLikelihood

__all__ = ["LabelErrors", "Misfit", "OutlineLikelihood", "misfit"]
