"""A mixture of few components for a mixture of many, as a proposal needs it.

Pairs are merged, keeping their moments, in the order of the least bound on the Kullback-Leibler divergence.

Source: Runnalls, "Kullback-Leibler approach to Gaussian mixture reduction", IEEE Trans. Aerosp. Electron. Syst. (2007).
"""

import numpy as np
import torch

from gliocast.inference.npe.mixture import Mixture


def merged(mixture: Mixture, num_components: int) -> Mixture:
    """A mixture of at most so many components, none wider than the prior in any direction."""
    weights = mixture.log_weights.exp().numpy()
    weights = weights / weights.sum()
    means, covariances = mixture.means.numpy(), np.linalg.inv(mixture.precisions.numpy())
    while len(weights) > num_components:
        a, b = _closest(weights, means, covariances)
        weight, mean, covariance = _pair(weights, means, covariances, np.array([a]), np.array([b]))
        keep = np.delete(np.arange(len(weights)), [a, b])
        weights = np.concatenate([weights[keep], weight])
        means = np.concatenate([means[keep], mean])
        covariances = np.concatenate([covariances[keep], covariance])
    precisions = np.stack([at_least_prior(np.linalg.inv(covariance)) for covariance in covariances])
    return Mixture(*(torch.from_numpy(part) for part in (np.log(weights), means, precisions)))


def _closest(weights: np.ndarray, means: np.ndarray, covariances: np.ndarray) -> tuple[int, int]:
    """The pair that costs least to merge (Runnalls, Eq. 16)."""
    a, b = np.triu_indices(len(weights), 1)
    weight, _, covariance = _pair(weights, means, covariances, a, b)
    logs = np.linalg.slogdet(covariances)[1]
    cost = weight * np.linalg.slogdet(covariance)[1] - weights[a] * logs[a] - weights[b] * logs[b]
    least = int(np.argmin(cost))
    return int(a[least]), int(b[least])


def _pair(
    weights: np.ndarray, means: np.ndarray, covariances: np.ndarray, a: np.ndarray, b: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Weight, mean and covariance of pairs of components taken together."""
    weight = weights[a] + weights[b]
    share = (weights[a] / weight)[:, None]
    offset = means[a] - means[b]
    within = share[..., None] * covariances[a] + (1 - share[..., None]) * covariances[b]
    between = (share * (1 - share))[..., None] * offset[:, :, None] * offset[:, None, :]
    return weight, share * means[a] + (1 - share) * means[b], within + between


def at_least_prior(precision: np.ndarray) -> np.ndarray:
    """A precision with its eigenvalues raised to one: two modes taken together may be wider than the prior."""
    values, vectors = np.linalg.eigh((precision + precision.T) / 2)
    return (vectors * np.maximum(values, 1.0)) @ vectors.T
