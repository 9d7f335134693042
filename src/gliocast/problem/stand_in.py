r"""Growth that costs little in place of growth that costs much, corrected where the two were compared.

Mass effect takes a second, Fisher-Kolmogorov growth milliseconds, and the second knows almost as well as the first how
the density changes with the parameters. So the mode is sought with

.. math:: \mathrm{logit}\,u(\theta) = \mathrm{logit}\,u_c(\theta) + \delta_0 + S\,(\theta - \theta_0), \qquad
          \delta_i = \mathrm{logit}\,u_e(\theta_i) - \mathrm{logit}\,u_c(\theta_i)

(u_e expensive, u_c cheap), which is exact at theta_0. The slopes S are those that lead to the delta_i at the other
points where both were solved, near ones above all: what the cheap growth gets wrong about changes is learned along the
way of the search, and from a few points around its end. Solved once more at the mode that this leads to, and so on
until the mode stays, it is a mode of the expensive growth's.

Source: manifold mapping, Echeverria & Hemker, Comput. Methods Appl. Math. 5 (2005); space mapping, Bandler et al., IEEE
Trans. Microwave Theory Tech. 42 (1994).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numba
import numpy as np
from scipy.special import logit

from gliocast.core import Anatomy, Density, Forward, Parameter
from gliocast.inference import straighten

#: Densities below the first are taken as the first: mass effect carries cells to where the cheap growth has none, into
#: a ventricle that it squeezes, and there they stay. What is left of such a floor is no density, and no voxel is fuller
#: than the last [1].
_FAINTEST, _NO_CELLS, _FULLEST = 1e-5, 2e-5, 1 - 1e-6

#: Ways between anchors of about this share of the longest tell slopes best; and what tells less than this share of what
#: is told best is noise [1].
_SHORTEST = 0.15


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
        slopes: how the correction changes along each straightened coordinate, (num_parameters, *shape).
        farthest: way along each coordinate beyond which nothing is extrapolated, (num_parameters,).
    """

    cheap: Forward
    center: np.ndarray
    correction: np.ndarray
    slopes: np.ndarray
    farthest: np.ndarray

    @classmethod
    def exact_at(cls, cheap: Forward, anchors: Sequence[Anchor], anatomy: Anatomy) -> "StandIn":
        """The stand-in that has the known density at the first anchor, and about those at the others.

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
        farthest = np.abs(ways).max(axis=0, initial=0.0)
        scale = np.where(farthest > 0, farthest, 1.0)
        lengths = np.linalg.norm(ways / scale, axis=1)
        # the nearest anchors know the solver's roughness, the farthest a mean of slopes; those between know most
        best = max(_SHORTEST * lengths.max(initial=0.0), np.finfo(float).tiny)
        weights = best / (lengths**2 + best**2)
        solve = np.linalg.pinv(weights[:, None] * ways / scale, rcond=_SHORTEST) * weights / scale[:, None]
        slopes = np.tensordot(solve.astype(np.float32), corrections[1:] - corrections[0], axes=1)
        return cls(cheap, points[0], corrections[0], slopes, farthest)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the cheap growth."""
        return self.cheap.parameters

    def __call__(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, *, days: Sequence[float]
    ) -> list[Density]:
        """Corrected density at each of the days, on the grid of the correction."""
        way = straighten(self.parameters, np.asarray(values, dtype=float)[None])[0] - self.center
        way = np.clip(way, -self.farthest, self.farthest).astype(np.float32)
        return [
            replace(density, data=_corrected(density.data, self.correction, self.slopes, way))
            for density in self.cheap(values, anatomy, days=days)
        ]


@numba.njit(nogil=True, cache=True)
def _corrected(density, correction, slopes, way):  # type: ignore[no-untyped-def]
    """Density whose logit is that of a density plus the correction at the end of a way."""
    corrected = np.empty(density.shape, np.float32)
    out, u, added = corrected.reshape(-1), density.reshape(-1), correction.reshape(-1)
    steep = slopes.reshape(len(way), out.size)
    lowest, highest = np.float32(_FAINTEST), np.float32(_FULLEST)
    for n in range(out.size):
        shift = added[n]
        for i in range(len(way)):
            shift += way[i] * steep[i, n]
        out[n] = 0
        if u[n] > lowest or shift > 0:
            v = min(max(u[n], lowest), highest)
            v = 1 / (1 + np.exp(-shift) * (1 - v) / v)
            if v > _NO_CELLS:
                out[n] = v
    return corrected


def _logit(density: np.ndarray) -> np.ndarray:
    return logit(np.clip(density, np.float32(_FAINTEST), np.float32(_FULLEST)))
