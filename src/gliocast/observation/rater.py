"""How a person who outlines a tumor errs, and outlines drawn with such errors."""

from dataclasses import dataclass

import numpy as np
from scipy.special import logit

from gliocast.core import Box, Density, InputError, bounding_box
from gliocast.observation.correlated import correlated_noise
from gliocast.observation.visibility import MISSED_LIMIT, distance_map, logits_of

#: Errors beyond this many standard deviations aren't drawn [1]: one voxel in 300,000 has such a one.
_FARTHEST = 4.5


@dataclass(frozen=True)
class LabelErrors:
    """How outlines err.

    Args:
        missed: parameters (a, b) of the Beta prior of the probability m that a visible voxel isn't labeled [1].
        false: probability f that an invisible voxel is labeled [1].
        width_mm: width delta of the step from invisible to visible, before a fit tells it [mm].
        effective_observations: independent observations that an outline of 15 mm radius is worth, before a fit tells
            it [1].
        displacement_mm: standard deviation of the correlated error that `sample` draws [mm].
        correlation_mm: length over which that error is correlated [mm].
    """

    missed: tuple[float, float] = (2.0, 4.0)
    false: float = 0.05
    width_mm: float = 0.6
    effective_observations: float = 40.0
    displacement_mm: float = 1.2
    correlation_mm: float = 6.0

    def __post_init__(self) -> None:
        lengths = (self.width_mm, self.effective_observations, self.displacement_mm, self.correlation_mm)
        # 1 - false - missed stays positive up to the largest miss rate that is tried
        if not (0 < self.false < 1 - MISSED_LIMIT and min(lengths) > 0 and min(self.missed) > 1):
            raise InputError(
                "label errors",
                expected=f"false in (0, {1 - MISSED_LIMIT:.1f}), positive lengths and counts, a and b above 1",
                got=f"{self}",
                advice="begin with the defaults",
            )


def draw_outlines(
    density: Density,
    core_threshold: float | None,
    whole_threshold: float,
    errors: LabelErrors | tuple[LabelErrors, LabelErrors],
    generator: np.random.Generator,
) -> np.ndarray:
    """Core and whole-tumor outlines of a density with a rater's correlated errors, (2, x, y, z) bool.

    Args:
        density: what there is.
        core_threshold: density at which T1c shows the core [1]; None draws no core.
        whole_threshold: density at which FLAIR shows the whole tumor [1].
        errors: how far outlines are displaced, and over which length; of both, or of each.
        generator: source of randomness.
    """
    logits = logits_of(density.data)
    outlines = np.zeros((2, *density.data.shape), dtype=bool)
    pair = (errors, errors) if isinstance(errors, LabelErrors) else errors
    for outline, threshold, own in zip(outlines, (core_threshold, whole_threshold), pair, strict=True):
        if threshold is not None:
            error = own.displacement_mm * correlated_noise(density.grid, own.correlation_mm, generator)
            outline[:] = distance_map(logits, logit(threshold), density.grid.spacing) + error > 0
    outlines[0] &= outlines[1]
    return outlines


def draw_within_reach(
    density: Density,
    core_threshold: float | None,
    whole_threshold: float,
    errors: tuple[LabelErrors, LabelErrors],
    generator: np.random.Generator,
) -> np.ndarray:
    """The same where an error may still put the whole tumor, and nothing elsewhere, (2, x, y, z) bool.

    Smooth fields of a whole head would take far longer than growth does. Arguments as in `draw_outlines`; the errors of
    core and whole tumor.
    """
    outlines = np.zeros((2, *density.data.shape), dtype=bool)
    part = _reach(density, whole_threshold, errors[1])
    if part is not None:
        cells = np.ascontiguousarray(density.data[part.slices])
        cut = Density(cells, density.grid.crop(part.lower, part.upper))
        outlines[:, *part.slices] = draw_outlines(cut, core_threshold, whole_threshold, errors, generator)
    return outlines


def _reach(density: Density, threshold: float, errors: LabelErrors) -> Box | None:
    """Where errors may put the outline at a threshold, and a correlation length around it; None for nowhere."""
    distance = distance_map(logits_of(density.data), logit(threshold), density.grid.spacing)
    near = distance > -_FARTHEST * errors.displacement_mm
    if not near.any():
        return None
    x, y, z = (int(np.ceil(errors.correlation_mm / h)) for h in density.grid.spacing)
    return bounding_box(near).grown((x, y, z), density.grid.shape)
