"""How scans come from a tumor-cell density."""

from gliocast.observation.misfit import Misfit, misfit
from gliocast.observation.mri import LabelErrors, OutlineLikelihood, draw_outlines

__all__ = ["LabelErrors", "Misfit", "OutlineLikelihood", "draw_outlines", "misfit"]
