r"""What an observation told and what it didn't: parameters at a bound, and combinations that the prior alone decides.

In coordinates :math:`\xi` that whiten the prior, it is N(0, I), and a direction :math:`v` of unit length along which

.. math:: \sqrt{v^T \, \mathrm{Cov}(\xi \mid y) \, v} > s

is as wide as before: the observation hardly informs it. Such directions span the eigenvectors of the posterior
covariance whose eigenvalue exceeds :math:`s^2`. Within that span any basis is as good as another; the one with the
fewest parameters in each direction (varimax) is the one that can be named.

Source: Kaiser, The varimax criterion for analytic rotation in factor analysis, Psychometrika 23 (1958).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gliocast.core import POSITIVE, Parameter, Posterior, Prior

#: A direction whose posterior is wider than this share of its prior is hardly informed [1].
LEAST_RATIO = 0.8

#: How near to a bound a posterior is cut off by it, as a share of the parameter's range, and the share of the posterior
#: that lies there if it is [1].
BOUND_WIDTH, BOUND_SHARE = 0.02, 0.1

#: A parameter with less than this share of a direction's squared length isn't named with it [1].
_NAMED_SHARE = 0.1

#: Whitened coordinates further out than this are as good as infinite; the prior never draws them.
_FARTHEST = 8.0


@dataclass(frozen=True, eq=False)
class Direction:
    """A combination of parameters that the observation hardly informs.

    Args:
        parameters: what the loadings are of.
        loadings: the direction, of unit length, in coordinates that whiten the prior, (num_parameters,).
        ratio: posterior over prior standard deviation along it [1].
    """

    parameters: tuple[Parameter, ...]
    loadings: np.ndarray
    ratio: float

    @property
    def name(self) -> str:
        """The combination in symbols: one alone, a product or ratio of positive ones, others beside each other."""
        order = np.argsort(-np.abs(self.loadings), kind="stable")
        named = [int(k) for k in order if self.loadings[k] ** 2 >= _NAMED_SHARE]
        sign = np.sign(self.loadings[named[0]])
        up = [self.parameters[k].symbol for k in named if sign * self.loadings[k] > 0]
        down = [self.parameters[k].symbol for k in named if sign * self.loadings[k] < 0]
        if all(self.parameters[k].support == POSITIVE for k in named):
            below = f"({' * '.join(down)})" if len(down) > 1 else " ".join(down)
            return " * ".join(up) + (f" / {below}" if down else "")
        together = " and ".join(up) + (" together" if len(up) > 1 else "")
        return together if not down else f"{', '.join(up)} against {', '.join(down)}"

    @property
    def sentence(self) -> str:
        """What a reader should know."""
        return (
            f"hardly informed by this scan: {self.name} (posterior standard deviation {100 * self.ratio:.0f} % of the "
            "prior's)"
        )


@dataclass(frozen=True)
class AtBound:
    """A parameter whose posterior is cut off by the end of its range.

    Args:
        parameter: which one.
        bound: the end of its support [the parameter's unit].
        share: of the posterior that lies within `BOUND_WIDTH` of it [1].
    """

    parameter: Parameter
    bound: float
    share: float

    @property
    def sentence(self) -> str:
        """What a reader should know."""
        unit = "" if self.parameter.unit == "1" else f" {self.parameter.unit}"
        return (
            f"{self.parameter.symbol} lies at the bound of its range, {self.bound:g}{unit} ({100 * self.share:.0f} % "
            f"of the posterior within {100 * BOUND_WIDTH:g} % of it): the range decides, not the scan"
        )


def prior_ratios(posterior: Posterior, prior: Prior) -> np.ndarray:
    """Posterior over prior standard deviation of each parameter, in whitened coordinates, (num_parameters,) [1]."""
    return np.sqrt(np.diag(_covariance(posterior, prior)))


def uninformed_directions(
    posterior: Posterior, prior: Prior, *, least_ratio: float = LEAST_RATIO
) -> tuple[Direction, ...]:
    """Combinations of parameters that are about as uncertain as they were before, the widest first.

    Args:
        posterior: samples; fewer than some hundred effective ones make the ratios themselves uncertain.
        prior: of the same parameters.
        least_ratio: of standard deviations from which on a direction counts [1].
    """
    covariance = _covariance(posterior, prior)
    values, vectors = np.linalg.eigh(covariance)
    basis = vectors[:, values > least_ratio**2]
    found = [
        Direction(posterior.parameters, loadings, float(np.sqrt(loadings @ covariance @ loadings)))
        for loadings in _simplest(basis).T
    ]
    return tuple(sorted(found, key=lambda direction: -direction.ratio))


def parameters_at_bound(posterior: Posterior) -> tuple[AtBound, ...]:
    """Parameters whose mode, or more than `BOUND_SHARE` of whose posterior, lies within `BOUND_WIDTH` of a bound.

    The width is a share of the support, or, where that is a half-line, of the way to the upper end of the typical
    range. Parameters on the whole real line have no bound.
    """
    found = []
    for column, parameter in enumerate(posterior.parameters):
        lower, upper = parameter.support.lower, parameter.support.upper
        width = BOUND_WIDTH * ((upper if np.isfinite(upper) else parameter.typical[1]) - lower)
        if not np.isfinite(width):
            continue
        values, mode = posterior.samples[:, column], posterior.mode[column]
        for bound in (end for end in (lower, upper) if np.isfinite(end)):
            share = float(posterior.weights[np.abs(values - bound) <= width].sum())
            if share > BOUND_SHARE or abs(mode - bound) <= width:
                found.append(AtBound(parameter, bound, share))
    return tuple(found)


def sentences(directions: Sequence[Direction | AtBound]) -> tuple[str, ...]:
    """What a reader should know of each."""
    return tuple(entry.sentence for entry in directions)


def _covariance(posterior: Posterior, prior: Prior) -> np.ndarray:
    """Posterior covariance in whitened coordinates, (num_parameters, num_parameters)."""
    coordinates = np.clip(prior.whiten(posterior.samples), -_FARTHEST, _FARTHEST)
    offsets = coordinates - posterior.weights @ coordinates
    return (posterior.weights[:, None] * offsets).T @ offsets


def _simplest(basis: np.ndarray, *, num_rounds: int = 50) -> np.ndarray:
    """The rotation of an orthonormal basis with the simplest columns, by varimax, (num_parameters, num_directions)."""
    num_parameters, num_directions = basis.shape
    if num_directions < 2:
        return basis
    rotation = np.eye(num_directions)
    for _ in range(num_rounds):
        turned = basis @ rotation
        slope = basis.T @ (turned**3 - turned * (turned**2).sum(axis=0) / num_parameters)
        left, _, right = np.linalg.svd(slope)
        rotation = left @ right
    return basis @ rotation
