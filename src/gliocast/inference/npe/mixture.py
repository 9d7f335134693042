r"""Gaussian mixtures over whitened parameters, in which the prior is the standard normal distribution p.

Every component is the product of the prior and a Gaussian bump of likelihood, so its precision is P = I + A with A
positive semidefinite. Mixtures of such components approximate any posterior (the bumps approximate its likelihood), and
their product with a proposal of the same family, over the prior,

.. math:: \int \frac{q(\theta)\,\tilde p(\theta)}{p(\theta)}\,d\theta = \sum_{kl} \alpha_k \beta_l
          \int \frac{N(\theta; m_k, P_k^{-1})\,N(\theta; \mu_l, \Lambda_l^{-1})}{N(\theta; 0, I)}\,d\theta,

always exists: the precision of each term, P_k + Lambda_l - I = I + A_k + A_l, is positive definite.
"""

from dataclasses import dataclass
from math import log, pi

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

_LOG_2PI = log(2 * pi)


@dataclass(frozen=True, eq=False)
class Mixture:
    """A batch of mixtures.

    Args:
        log_weights: normalized, (..., K).
        means: (..., K, dim).
        precisions: (..., K, dim, dim), none smaller than the identity.
    """

    log_weights: Tensor
    means: Tensor
    precisions: Tensor

    @classmethod
    def prior(cls, dim: int) -> "Mixture":
        """The standard normal distribution."""
        zeros = torch.zeros(1, dim, dtype=torch.float64)
        return cls(zeros[:, 0], zeros, torch.eye(dim, dtype=torch.float64)[None])

    @property
    def is_prior(self) -> bool:
        """Whether this is the standard normal distribution, written as `prior` writes it."""
        prior = Mixture.prior(self.means.shape[-1])
        return torch.equal(self.means, prior.means) and torch.equal(self.precisions, prior.precisions)

    @classmethod
    def concatenate(cls, parts: list["Mixture"], shares: list[float]) -> "Mixture":
        """One mixture of several, each with its share of the weight."""
        weights = [part.log_weights + log(share) for part, share in zip(parts, shares, strict=True)]
        means, precisions = [part.means for part in parts], [part.precisions for part in parts]
        return cls(torch.cat(weights, -1), torch.cat(means, -2), torch.cat(precisions, -3))

    def log_density(self, points: Tensor) -> Tensor:
        """Log-density of one point per mixture of the batch, (..., dim) -> (...)."""
        factors = torch.linalg.cholesky(self.precisions)
        noise = (factors.mT @ (points[..., None, :] - self.means)[..., None])[..., 0]
        logs = _log_determinants(factors) - 0.5 * (noise**2).sum(-1) - 0.5 * self.means.shape[-1] * _LOG_2PI
        return torch.logsumexp(self.log_weights + logs, -1)

    def log_overlap(self, proposal: "Mixture") -> Tensor:
        """Log of the integral of this times the proposal over the prior, (...); the proposal is one mixture."""
        shift, constant = _natural(self)  # (..., K, dim), (..., K)
        other_shift, other_constant = _natural(proposal)
        bumps = proposal.precisions - torch.eye(self.means.shape[-1], dtype=torch.float64)
        terms = _LogIntegral.apply(self.precisions[..., None, :, :] + bumps, shift[..., None, :] + other_shift)
        # (2 pi)^(d/2) of the integral and of the prior cancel those of the two densities
        return torch.logsumexp((constant[..., None] + other_constant + terms).flatten(-2), -1)

    def sample(self, num_points: int, generator: np.random.Generator) -> np.ndarray:
        """Points of a single mixture, (num_points, dim)."""
        weights = self.log_weights.exp().numpy()
        chosen = generator.choice(len(weights), size=num_points, p=weights / weights.sum())
        noise = generator.standard_normal((num_points, self.means.shape[-1]))
        factors = torch.linalg.cholesky(self.precisions)[chosen]
        steps = torch.linalg.solve_triangular(factors.mT, torch.from_numpy(noise)[..., None], upper=True)[..., 0]
        return (self.means[chosen] + steps).numpy()

    def arrays(self) -> dict[str, np.ndarray]:
        """What a checkpoint keeps."""
        return {name: value.numpy() for name, value in vars(self).items()}

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> "Mixture":
        """Undo `arrays`."""
        return cls(**{name: torch.from_numpy(value) for name, value in arrays.items()})


def _natural(mixture: Mixture) -> tuple[Tensor, Tensor]:
    """P m, and log weight + log |P|^(1/2) - m P m / 2, of each component."""
    shift = (mixture.precisions @ mixture.means[..., None])[..., 0]
    factors = torch.linalg.cholesky(mixture.precisions)
    return shift, mixture.log_weights + _log_determinants(factors) - 0.5 * (shift * mixture.means).sum(-1)


def _log_determinants(factors: Tensor) -> Tensor:
    return factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)


class _LogIntegral(torch.autograd.Function):
    """h S^-1 h / 2 - log |S| / 2 of matrices S and vectors h.

    Its gradient by hand, from the inverse that the value needs anyway, is four times as fast as through the factors.
    """

    @staticmethod
    def forward(ctx, matrices: Tensor, vectors: Tensor) -> Tensor:  # type: ignore[no-untyped-def]
        factors = torch.linalg.cholesky(matrices)
        inverses = torch.cholesky_inverse(factors)
        solutions = (inverses @ vectors[..., None])[..., 0]
        ctx.save_for_backward(inverses, solutions)
        return 0.5 * (solutions * vectors).sum(-1) - _log_determinants(factors)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, Tensor]:  # type: ignore[no-untyped-def]
        inverses, solutions = ctx.saved_tensors
        outer = solutions[..., :, None] * solutions[..., None, :]
        return -0.5 * gradient[..., None, None] * (inverses + outer), gradient[..., None] * solutions
