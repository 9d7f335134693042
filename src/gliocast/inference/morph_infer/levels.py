r"""What the outlines' own levels say of an answer: on each surface the density is one number, the threshold.

Where references are known, so is about the density of any tumor of a near width and travel on both surfaces,

.. math:: L_s(w, t) = \sum_k l_k(w)\,\big(a_{sk} + r_{sk}\,(t - t_k)\big) = \mathrm{logit}\,\tau_s

with w and t the logarithms of width and travel, a the mean logit of reference k on surface s, r how it rises with t,
and l_k the polynomials of Lagrange through the widths. A network learns this roughly; here a normal answer is
conditioned on it, by a few steps of Gauss and Newton. Means over a surface hold whatever its rater's errors are, as
long as these are as often outside as inside.

Source: Evensen, Data Assimilation (2009), Chapter 3 (conditioning on a relation that is nearly linear).
"""

from dataclasses import dataclass

import numpy as np

#: Residuals are taken as the same over patches of this size [mm^2]; the variance that a level has beside them [1].
_PATCH_MM2, _LEAST_VARIANCE = 100.0, 1e-4

#: Widths are extrapolated by this much of their logarithm, at most [1]; steps of Gauss and Newton [1], and how far they
#: lead, at most, in standard deviations of the answer [1].
_BEYOND, _NUM_STEPS, _FARTHEST = 0.1, 4, 3.0


@dataclass(frozen=True, eq=False)
class Levels:
    """Where the densities of references stand on the surfaces of core and whole tumor.

    Args:
        log_widths: of the references, ascending, (num_references,).
        log_travels: in radii of the whole tumor, (num_references,).
        heights: mean logit of each density on each surface, (2, num_references).
        rates: how they rise with the logarithm of the travel, (2, num_references).
        scatters: standard deviation of the logit over each surface, where it is least, (2,).
        areas: of the surfaces [mm^2], (2,).
    """

    log_widths: np.ndarray
    log_travels: np.ndarray
    heights: np.ndarray
    rates: np.ndarray
    scatters: np.ndarray
    areas: np.ndarray

    def agree(self, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
        """The mean of a normal distribution of coordinates (see `impression.coordinates`), given both relations, (7,).

        It stays as it is where these lead nowhere near: references whose fronts are far from the answer's say little.
        How sure the answer is stays, too: the relations come from the outlines that it comes from.

        Args:
            mean: (7,).
            covariance: (7, 7).
        """
        patches = np.maximum(self.areas / _PATCH_MM2, 1)
        noise = np.diag(self.scatters**2 / patches + _LEAST_VARIANCE)
        point = mean
        for _ in range(_NUM_STEPS):
            misses, slopes = self._relation(point)
            gain = covariance @ slopes.T @ np.linalg.inv(slopes @ covariance @ slopes.T + noise)
            step = -gain @ (misses + slopes @ (mean - point))
            point = mean + step / max(1.0, float((np.abs(step) / (_FARTHEST * np.sqrt(np.diag(covariance)))).max()))
        before, after = (np.abs(self._relation(place)[0]).max() for place in (mean, point))
        return point if after < before else mean

    def _relation(self, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """By how much both relations are missed at a point, (2,), and how that changes with it, (2, 7)."""
        low, high = self.log_widths[0] - _BEYOND, self.log_widths[-1] + _BEYOND
        shares, changes = _lagrange(self.log_widths, float(np.clip(point[1], low, high)))
        there = self.heights + self.rates * (point[0] - self.log_travels)
        slopes = np.zeros((2, len(point)))
        slopes[:, 0], slopes[:, 1] = self.rates @ shares, there @ changes
        slopes[0, 5] = slopes[1, 6] = -1
        return there @ shares - point[5:7], slopes


def _lagrange(nodes: np.ndarray, place: float) -> tuple[np.ndarray, np.ndarray]:
    """Lagrange's polynomials through nodes at a place, and their derivatives, (num_nodes,) each."""
    polynomials = [
        np.poly1d(np.delete(nodes, k), r=True) / np.prod(node - np.delete(nodes, k)) for k, node in enumerate(nodes)
    ]
    return np.array([p(place) for p in polynomials]), np.array([p.deriv()(place) for p in polynomials])
