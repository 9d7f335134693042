r"""Importance weights from one stage to the next.

From exponent b to b' a particle's weight is w = exp((b' - b) r); b' is where the weights' coefficient of variation
reaches what is wanted, found by bisection, or 1. The mean weight estimates the ratio of the stages' normalizations,
and the product of these is the evidence.

Source: Ching and Chen (2007), Transitional Markov chain Monte Carlo, steps 2 and 3 of the algorithm.
"""

import numpy as np
from scipy.special import logsumexp

#: Halvings of the interval of the next exponent [1]; likelihoods of hundreds of thousands of nats need the first forty.
_HALVINGS = 100


def next_exponent(gains: np.ndarray, exponent: float, variation: float) -> float:
    """The exponent at which the incremental weights vary as much as wanted, at most 1.

    Particles without likelihood are gone at any exponent; they don't count toward the variation.
    """
    live = gains[np.isfinite(gains)]
    offsets = live - live.max()

    def varies(step: float) -> float:
        weights = np.exp(step * offsets)
        return float(weights.std() / weights.mean())

    low, high = 0.0, 1.0 - exponent
    if varies(high) <= variation:
        return 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if varies(middle) < variation else (low, middle)
    return exponent + high


def incremental_weights(gains: np.ndarray, step: float) -> tuple[np.ndarray, float]:
    """Normalized weights and the log of their mean before normalization [nat]."""
    logs = step * gains
    total = float(logsumexp(logs))
    return np.exp(logs - total), total - float(np.log(len(gains)))


def systematic_resampling(weights: np.ndarray, num: int, generator: np.random.Generator) -> np.ndarray:
    """Rows drawn by weight with one random number, each within one of its expected count, (num,)."""
    quantiles = (np.arange(num) + generator.random()) / num
    rows = np.searchsorted(np.cumsum(weights), quantiles, side="right")
    return rows.clip(max=int(np.flatnonzero(weights)[-1]))  # a sum that rounds below one must draw no dead particle


def evidence_error(weights: np.ndarray, roots: np.ndarray, num_roots: int) -> float:
    r"""Standard error of the log-evidence [nat], from who descends from whom.

    .. math:: V = \sum_e W_e^2 - 1/N_0

    with W_e the last stage's weight of all descendants of the e-th of the first N_0 particles. It holds whether or not
    moves decorrelate a family. Multinomial resampling would subtract a further 1/N per stage (Lee and Whiteley 2018);
    systematic resampling adds so little variance that leaving it out errs by a few percent to the safe side.
    """
    families = np.bincount(roots, weights=weights)
    return float(np.sqrt(max(np.sum(families**2) - 1 / num_roots, 0.0)))


def effective_samples(points: np.ndarray, roots: np.ndarray) -> float:
    r"""Independent samples that the last stage's are worth for the worst-known mean [1], from who descends from whom.

    .. math:: N_e = \min_j \operatorname{var} z_j / \sum_e \Big(\tfrac1N \sum_{i \in e} (z_{ij} - \bar z_j)\Big)^2
    """
    offsets = points - points.mean(axis=0)
    families = np.stack([np.bincount(roots, weights=column) for column in offsets.T]) / len(points)
    variances = np.sum(families**2, axis=1)
    worth = np.mean(offsets**2, axis=0) / np.maximum(variances, np.finfo(float).tiny)
    return float(min(worth.min(), len(points)))
