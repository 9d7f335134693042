"""How scans come from a tumor-cell density."""

from gliocast.observation.mri import LabelErrors, OutlineLikelihood, outline_dice

__all__ = ["LabelErrors", "OutlineLikelihood", "outline_dice"]
