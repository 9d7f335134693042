r"""Growth that costs little in place of growth that costs much, corrected where the two were compared.

Mass effect takes a second, Fisher-Kolmogorov growth milliseconds, and the second knows almost as well as the first how
the density changes with the parameters. So the mode is sought with

.. math:: \mathrm{logit}\,u(\theta) = \mathrm{logit}\,u_c(\theta) + \delta_0
          + \sum_i a_i(\theta)\,(\delta_i - \delta_0), \qquad
          \delta_i = \mathrm{logit}\,u_e(\theta_i) - \mathrm{logit}\,u_c(\theta_i)

(u_e expensive, u_c cheap), which is exact at theta_0. The a_i are linear in theta, zero at theta_0 and such that the
stand-in is exact at the other theta_i, too, as far as these lie in different directions: what the cheap growth gets
wrong about changes is learned along the way that the search takes. Solved once more at the mode that this leads to, and
so on until the mode stays, it is a mode of the expensive growth's.

Source: manifold mapping, Echeverria & Hemker, Comput. Methods Appl. Math. 5 (2005); space mapping, Bandler et al., IEEE
Trans. Microwave Theory Tech. 42 (1994).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gliocast.core import Anatomy, Density, Forward, Parameter
from gliocast.inference import straighten

#: Densities below the first are taken as the first: mass effect carries cells to where the cheap growth has none, into
#: a ventricle that it squeezes, and there they stay. What is left of such a floor is no density [1].
_FAINTEST, _NO_CELLS = 1e-5, 2e-5

#: Directions that are shorter than this share of the longest tell nothing but noise [1]; farther than so many times the
#: way between two anchors nothing is extrapolated.
_SHORTEST, _FARTHEST = 0.1, 1.0


@dataclass(frozen=True, eq=False)
class Anchor:
    """A point where the expensive growth is known.

    Args:
        values: parameters of growth, natural units.
        density: the expensive growth's.
    """

    values: np.ndarray
    density: Density


@dataclass(frozen=True, eq=False)
class StandIn:
    """Cheap growth with a correction; a Forward of one anatomy.

    Args:
        cheap: the growth that is solved.
        center: where it is exact, straightened coordinates, (num_parameters,).
        correction: what is added there to the logit of its density, shape of the anatomy's grid.
        slopes: how the correction differs at the other anchors, (num_others, *shape).
        readers: what turns a way from the center into the a_i, (num_others, num_parameters).
    """

    cheap: Forward
    center: np.ndarray
    correction: np.ndarray
    slopes: np.ndarray
    readers: np.ndarray

    @classmethod
    def exact_at(cls, cheap: Forward, anchors: Sequence[Anchor], anatomy: Anatomy) -> "StandIn":
        """The stand-in that has the known density at the first anchor, and about so at the others.

        Args:
            cheap: the growth that is solved.
            anchors: where the expensive growth is known, at least one.
            anatomy: tissue.

        Raises:
            OutsideTissueError: growth can't begin there.
        """
        points = straighten(cheap.parameters, np.stack([anchor.values for anchor in anchors]))
        corrections = np.stack(
            [
                _logit(anchor.density.data) - _logit(cheap(anchor.values, anatomy, days=[1.0])[0].data)
                for anchor in anchors
            ]
        )
        ways = points[1:] - points[0]
        scale = np.abs(ways).max(axis=0, initial=0.0)
        scale[scale == 0] = 1.0
        readers = np.linalg.pinv((ways / scale).T, rcond=_SHORTEST) / scale
        return cls(cheap, points[0], corrections[0], corrections[1:] - corrections[0], readers)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the cheap growth."""
        return self.cheap.parameters

    def __call__(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, *, days: Sequence[float]
    ) -> list[Density]:
        """Corrected density at each of the days, on the grid of the correction."""
        way = straighten(self.parameters, np.asarray(values, dtype=float)[None])[0] - self.center
        shares = np.clip(self.readers @ way, -_FARTHEST, _FARTHEST).astype(np.float32)
        correction = self.correction + np.tensordot(shares, self.slopes, axes=1)
        corrected = []
        for density in self.cheap(values, anatomy, days=days):
            data = 1 / (1 + np.exp(-_logit(density.data) - correction))
            corrected.append(replace(density, data=np.where(data > _NO_CELLS, data, np.float32(0))))
        return corrected


def _logit(density: np.ndarray) -> np.ndarray:
    inside = np.clip(density, np.float32(_FAINTEST), np.float32(1 - 1e-6))
    return np.log(inside) - np.log1p(-inside)
