r"""Growth that costs little in place of growth that costs much, corrected where the two were compared.

Mass effect takes seconds, Fisher-Kolmogorov growth milliseconds, and the second knows almost as well as the first how
the density changes with the parameters. So the mode is sought with

.. math:: \mathrm{logit}\,u(\theta) = \mathrm{logit}\,u_c(\theta)
          + \mathrm{logit}\,u_e(\theta_0) - \mathrm{logit}\,u_c(\theta_0)

(u_e expensive, u_c cheap, theta_0 where both were solved), which is exact at theta_0; solved once more at the mode that
this leads to, it becomes exact there; and so on until the mode stays.

Source: space mapping, Bandler et al., IEEE Trans. Microwave Theory Tech. 42 (1994); Echeverria & Hemker, Comput.
Methods Appl. Math. 5 (2005), for corrections of the output.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gliocast.core import Anatomy, Density, Forward, Parameter

#: Where either growth has fewer cells than this, there is nothing to compare, and nothing is corrected [1].
_FAINTEST = 1e-5


@dataclass(frozen=True, eq=False)
class StandIn:
    """Cheap growth with a correction; a Forward of one anatomy.

    Args:
        cheap: the growth that is solved.
        correction: what is added to the logit of its density, shape of the anatomy's grid.
    """

    cheap: Forward
    correction: np.ndarray

    @classmethod
    def exact_at(cls, cheap: Forward, point: np.ndarray, density: Density, anatomy: Anatomy) -> "StandIn":
        """The stand-in that has a known density at a point.

        Args:
            cheap: the growth that is solved.
            point: its parameters, natural units.
            density: the expensive growth's at the same point.
            anatomy: tissue.

        Raises:
            OutsideTissueError: growth can't begin there.
        """
        own = cheap(point, anatomy, days=[1.0])[0]
        both = (own.data > _FAINTEST) & (density.data > _FAINTEST)
        return cls(cheap, np.where(both, _logit(density.data) - _logit(own.data), np.float32(0)))

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """Those of the cheap growth."""
        return self.cheap.parameters

    def __call__(
        self, values: Sequence[float] | np.ndarray, anatomy: Anatomy, *, days: Sequence[float]
    ) -> list[Density]:
        """Corrected density at each of the days, on the grid of the correction."""
        corrected = []
        for density in self.cheap(values, anatomy, days=days):
            corrected_data = 1 / (1 + np.exp(-_logit(density.data) - self.correction))
            corrected.append(replace(density, data=np.where(density.data > _FAINTEST, corrected_data, density.data)))
        return corrected


def _logit(density: np.ndarray) -> np.ndarray:
    inside = np.clip(density, np.float32(_FAINTEST), np.float32(1 - 1e-6))
    return np.log(inside) - np.log1p(-inside)
