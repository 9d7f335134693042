r"""The surface of an outline: pairs of neighboring voxels between which it passes, and what a density says there.

The logit of the right density passes between the two voxels through the logit of the outline's threshold. Were it to do
so elsewhere, then by

.. math:: d_i = \frac{(1 - s_i)\,\ell_{a_i} + s_i\,\ell_{b_i} - \mathrm{logit}\,\tau}
                     {\sqrt{(\ell_{a_i} - \ell_{b_i})^2 + \epsilon^2}}

voxels too far out, where l_a and l_b are the logits inside and outside and s is the share of the way at which the
outline passes. Where the density is right and the outline is exact, d is uniform over half a voxel to both sides: its
variance is 1/12, whatever the front's width.

Source: distances to level sets to first order, Sampson, CVGIP 18 (1982).
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logit

#: Densities nearer to 0 and 1 have no logit [1].
_FAINTEST = 1e-6

#: Epsilon: across a pair, the logit falls by about this much at least, where displacements are measured in it [1]. It
#: draws fits to wide fronts, all the more the larger it is.
_FLATTEST = 0.03

#: What lies farther away lies this far [voxels]: a logit that has no slope any more tells no distance.
_FARTHEST = 8.0


@dataclass(frozen=True, eq=False)
class Surface:
    """Where an outline passes: between pairs of neighboring voxels.

    Args:
        inside: flat indices of the voxels inside, (num_pairs,).
        outside: of their neighbors outside, (num_pairs,).
        share: of the way from one to the other at which the outline passes [1], (num_pairs,).
    """

    inside: np.ndarray
    outside: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, outline: np.ndarray, tissue: np.ndarray) -> "Surface":
        """The surface of an outline inside tissue; where it borders on fluid it shows the anatomy and not the front.

        Args:
            outline: share of each voxel inside [1], or bool, (x, y, z).
            tissue: voxels where cells can live, bool, the same shape.
        """
        inside = outline >= 0.5
        index = np.arange(outline.size).reshape(outline.shape)
        one, other = [], []
        for axis in range(3):
            (here, there), (open_here, open_there), (n, m) = (_pairs(part, axis) for part in (inside, tissue, index))
            crossed = (here != there) & open_here & open_there
            one.append(np.where(here, n, m)[crossed])
            other.append(np.where(here, m, n)[crossed])
        a, b = np.concatenate(one), np.concatenate(other)
        within, without = (np.asarray(outline, float).reshape(-1)[part] for part in (a, b))
        return cls(a, b, (within - 0.5) / (within - without))

    def cross(self, density: np.ndarray) -> "Crossing":
        """What a density, (x, y, z), says at the surface."""
        a, b = (_logit(density.reshape(-1)[part]) for part in (self.inside, self.outside))
        return Crossing((1 - self.share) * a + self.share * b, np.sqrt((a - b) ** 2 + _FLATTEST**2))


@dataclass(frozen=True, eq=False)
class Crossing:
    """A density at the surface of an outline.

    Args:
        logit: where the outline passes, (num_pairs,).
        fall: by how much the logit falls across a pair, (num_pairs,).
    """

    logit: np.ndarray
    fall: np.ndarray

    def displacements(self, level: float) -> np.ndarray:
        """By how much the level set of a logit lies outside of the outline [voxels], (num_pairs,)."""
        return np.clip((self.logit - level) / self.fall, -_FARTHEST, _FARTHEST)


def _logit(density: np.ndarray) -> np.ndarray:
    return logit(np.clip(density.astype(np.float64), _FAINTEST, 1 - _FAINTEST))


def _pairs(array: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbors along an axis."""
    one, other = (
        tuple(part if n == axis else slice(None) for n in range(3)) for part in (slice(None, -1), slice(1, None))
    )
    return array[one], array[other]
