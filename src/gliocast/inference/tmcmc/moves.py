r"""Metropolis moves of a cloud of particles, one proposal for each at a time.

All take the shape of the cloud from its weighted points, in whitened coordinates.

**Random walk**, z' = z + s L xi with L L^T the cloud's covariance. Ching and Chen fix s = 0.2 ("plain"); "adaptive"
steers s to an acceptance of 0.234, which is optimal for a random walk in many dimensions (Roberts, Gelman and Gilks
1997).

**Crank-Nicolson** about a Gaussian mixture g fitted to the cloud. A component k is drawn by its responsibility for z,
and

.. math:: z' = m_k + \sqrt{1 - b^2} (z - m_k) + b L_k \xi

is reversible with respect to w_k N(m_k, C_k). Summed over k the proposal is reversible with respect to g, and it is
accepted with probability min(1, (p/g)(z') / (p/g)(z)): always, where the posterior is the mixture, however long the
step. With b = 1 and k drawn by its share this is an independent draw from g, which also jumps between modes. The step b
is drawn for each particle from a ladder, more often from rungs whose squared jumps were large before, so that the cloud
tunes itself (Fearnhead and Taylor 2013).

Source: Neal (1999) and Cotter et al. (2013) for the step about N(0, C); the mixture is our extension.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from gliocast.inference.tmcmc.mixture import GaussianMixture, fit_mixture
from gliocast.inference.tmcmc.options import Move

#: Step of the published random walk [standard deviations]: Ching and Chen (2007), Section on the choice of beta.
PLAIN_SCALE = 0.2

#: Acceptance that the adaptive random walk is steered to [1], and how fast the logarithm of its step follows [1].
_OPTIMAL_ACCEPTANCE, _FOLLOWING = 0.234, 2.0

#: Steps of Crank-Nicolson [1]; the first is the independent draw.
_LADDER = np.array([1.0, 0.9, 0.65, 0.4, 0.2, 0.1])

#: Least share of the particles on a rung [1]: those in the tails need short steps even if most do well with long ones.
_LEAST_SHARE = 0.03

#: Power of the expected jump that the shares of the others follow [1].
_PREFERENCE = 3

#: Components of the mixture, at most.
_MAX_COMPONENTS = 4


class Kernel(Protocol):
    """How the particles of one stage move."""

    tuning: np.ndarray

    @property
    def scale(self) -> float:
        """Step that is about to be tried, on average [standard deviations]."""
        ...

    def propose(self, points: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Proposed points and the log-ratio of proposal densities backward over forward, (num, dim) and (num,)."""
        ...

    def learn(self, probabilities: np.ndarray) -> None:
        """Tune by the acceptance probabilities of the last proposals, (num,)."""
        ...

    def features(self, points: np.ndarray) -> np.ndarray:
        """Standardized coordinates in which it shows whether particles still remember where they were, (num, dim)."""
        ...


def first_tuning(move: Move, dim: int) -> np.ndarray:
    """What `Kernel.tuning` holds before anything is known."""
    if move == "crank-nicolson":
        return _expected_jumps(np.ones(len(_LADDER)))
    return np.array([PLAIN_SCALE if move == "plain" else 2.38 / np.sqrt(dim)])


def make_kernel(
    move: Move, points: np.ndarray, weights: np.ndarray, tuning: np.ndarray, generator: np.random.Generator
) -> Kernel:
    """The kernel for a stage whose target the weighted points represent."""
    if move == "crank-nicolson":
        mixture = fit_mixture(points, weights, max_components=_MAX_COMPONENTS, generator=generator)
        return CrankNicolson(mixture, tuning)
    normal = fit_mixture(points, weights, max_components=1, generator=generator)
    return RandomWalk(normal, tuning, following=0.0 if move == "plain" else _FOLLOWING)


@dataclass
class RandomWalk:
    """Steps with the cloud's covariance.

    Args:
        normal: mean and covariance of the cloud, a mixture of one.
        tuning: length of the step [standard deviations], (1,).
        following: how fast the step follows the acceptance [1]; 0 for not at all.
    """

    normal: GaussianMixture
    tuning: np.ndarray
    following: float

    @property
    def scale(self) -> float:
        """See Kernel."""
        return float(self.tuning[0])

    def propose(self, points: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See Kernel."""
        noise = generator.standard_normal(points.shape)
        return points + self.tuning * (noise @ self.normal.factors[0].T), np.zeros(len(points))

    def learn(self, probabilities: np.ndarray) -> None:
        """See Kernel."""
        self.tuning = self.tuning * np.exp(self.following * (probabilities.mean() - _OPTIMAL_ACCEPTANCE))

    def features(self, points: np.ndarray) -> np.ndarray:
        """See Kernel."""
        return self.normal.standardized(points)[0]


class CrankNicolson:
    """Steps that leave a Gaussian mixture invariant.

    Args:
        mixture: fitted to the cloud.
        tuning: squared jump expected of each rung of the ladder, (num_rungs,).
    """

    def __init__(self, mixture: GaussianMixture, tuning: np.ndarray) -> None:
        self.mixture, self.tuning = mixture, tuning
        self._rungs = np.zeros(0, dtype=int)

    @property
    def scale(self) -> float:
        """See Kernel."""
        return float(self._shares() @ _LADDER)

    def propose(self, points: np.ndarray, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """See Kernel."""
        self._rungs = generator.choice(len(_LADDER), size=len(points), p=self._shares())
        joint = self.mixture.log_joint(points)
        before = np.logaddexp.reduce(joint, axis=1)
        responsibilities = np.exp(joint - before[:, None])
        odds = np.where((self._rungs == 0)[:, None], self.mixture.shares, responsibilities)
        component = np.sum(generator.random(len(points))[:, None] > np.cumsum(odds, axis=1)[:, :-1], axis=1)
        mean, step = self.mixture.means[component], _LADDER[self._rungs][:, None]
        noise = np.einsum("nij,nj->ni", self.mixture.factors[component], generator.standard_normal(points.shape))
        proposed = mean + np.sqrt(1 - step**2) * (points - mean) + step * noise
        return proposed, before - self.mixture.log_density(proposed)

    def learn(self, probabilities: np.ndarray) -> None:
        """See Kernel."""
        counts = np.bincount(self._rungs, minlength=len(_LADDER))
        sums = np.bincount(self._rungs, weights=probabilities, minlength=len(_LADDER))
        acceptance = (sums + _expected_acceptance(self.tuning)) / (counts + 1)
        self.tuning = _expected_jumps(acceptance)

    def features(self, points: np.ndarray) -> np.ndarray:
        """See Kernel: as seen from the component that is responsible for each."""
        nearest = np.argmax(self.mixture.log_joint(points), axis=1)
        return self.mixture.standardized(points)[nearest, np.arange(len(points))]

    def _shares(self) -> np.ndarray:
        """Of the particles on each rung, (num_rungs,)."""
        preferred = self.tuning**_PREFERENCE
        shares = np.maximum(preferred / preferred.sum(), _LEAST_SHARE)
        return shares / shares.sum()


def _expected_jumps(acceptance: np.ndarray) -> np.ndarray:
    """Squared jump of each rung over that of independence [1]: acceptance times 1 - sqrt(1 - b^2)."""
    return acceptance * (1 - np.sqrt(1 - _LADDER**2))


def _expected_acceptance(jumps: np.ndarray) -> np.ndarray:
    """The acceptance behind `_expected_jumps`."""
    return jumps / (1 - np.sqrt(1 - _LADDER**2))
