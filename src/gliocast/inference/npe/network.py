r"""Mixture density networks: from a summary of the observation to a Gaussian mixture over the parameters.

.. math:: q(\theta \mid x) = \sum_k \alpha_k(x)\, N(\theta; m_k(x), P_k(x)^{-1}), \qquad P_k = I + B_k B_k^T

Several networks of one shape are trained at a time, each its own row of one batched product.

Source: Bishop, "Mixture density networks" (1994); the precision is bounded by the prior's, see `mixture`.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from gliocast.inference.npe.mixture import Mixture

#: Components are at most exp(this) times narrower than the frame, and at most as much wider, before the prior [1].
_LOG_SCALE = 6.0

#: Least variance of the noise of a summary of unit variance [1].
_LEAST_NOISE = 1e-4

#: Scale of the initial weights behind the last hidden layer where there is a first idea to keep to, and of the offsets
#: between components, which tell them apart [1].
_OUTPUT_SCALE, _SPREAD = 0.05, 0.5


@dataclass(frozen=True, eq=False)
class Frame:
    """A first idea of the posterior, linear in the summary; networks speak in offsets from its mean, in its widths.

    Args:
        center: (dim,).
        slope: of the mean over the summary, (dim, size); None if it doesn't depend on it.
        factor: lower triangle whose product with its transpose is a covariance, (dim, dim).
    """

    center: Tensor
    slope: Tensor | None
    factor: Tensor

    @classmethod
    def of_prior(cls, dim: int) -> "Frame":
        """Of whitened parameters as they are, whatever the summary."""
        return cls(torch.zeros(dim, dtype=torch.float64), None, torch.eye(dim, dtype=torch.float64))

    @classmethod
    def of_regression(cls, points: Tensor, summaries: Tensor) -> "Frame":
        """The posterior if summaries were linear in the parameters with Gaussian noise, both (num, ...).

        It is the likelihood that is regressed, and multiplied by the prior: what the points were drawn from is of no
        influence.
        """
        design = torch.cat([torch.ones(len(points), 1, dtype=torch.float64), points], 1)
        coefficients = torch.linalg.lstsq(design, summaries, driver="gelsd").solution
        noise = summaries - design @ coefficients
        identity = torch.eye(summaries.shape[1], dtype=torch.float64)
        covariance = noise.mT @ noise / len(noise) + _LEAST_NOISE * identity
        base, effects = coefficients[0], coefficients[1:]
        gains = torch.linalg.solve(covariance, effects.mT).mT
        spread = torch.linalg.inv(torch.eye(points.shape[1], dtype=torch.float64) + gains @ effects.mT)
        slope = spread @ gains
        return cls(-slope @ base, slope, torch.linalg.cholesky((spread + spread.mT) / 2))

    def mean(self, summaries: Tensor) -> Tensor:
        """Of the first idea, (..., size) -> (..., dim)."""
        return self.center if self.slope is None else self.center + summaries.double() @ self.slope.mT


class Networks:
    """Fully connected tanh networks with a mixture as output.

    Args:
        sizes: units of input and hidden layers.
        dim: number of parameters.
        num_components: Gaussians of a mixture.
        frame: the first idea.
        num_networks: trained side by side.
        generator: of the initial weights, which are He-normal; behind the last hidden layer they are smaller where the
            frame already depends on the summary.
    """

    def __init__(
        self,
        sizes: tuple[int, ...],
        dim: int,
        num_components: int,
        frame: Frame,
        num_networks: int,
        generator: torch.Generator,
    ) -> None:
        self._num_components, self._dim, self._frame = num_components, dim, frame
        outputs = num_components * (1 + dim + dim * (dim + 1) // 2)
        self.weights: list[Tensor] = []
        for fan_in, fan_out in zip(sizes, (*sizes[1:], outputs), strict=True):
            shape = (num_networks, fan_in, fan_out)
            noise = torch.randn(shape, generator=generator, dtype=torch.float32)
            self.weights += [noise * math.sqrt(2 / fan_in), torch.zeros(num_networks, 1, fan_out)]
        if frame.slope is not None:
            self.weights[-2] *= _OUTPUT_SCALE
            offsets = torch.randn((num_networks, 1, num_components, dim), generator=generator)
            self.weights[-1].unflatten(-1, (num_components, -1))[..., 1 : dim + 1] = _SPREAD * offsets
        for weight in self.weights:
            weight.requires_grad_()

    def __call__(self, summaries: Tensor) -> Mixture:
        """Mixtures of shape (num_networks, num) for summaries (num_networks, num, size)."""
        values = summaries
        for weight, bias in zip(self.weights[:-2:2], self.weights[1:-2:2], strict=True):
            values = torch.tanh(torch.baddbmm(bias, values, weight))
        values = torch.baddbmm(self.weights[-1], values, self.weights[-2]).double()
        return self._mixture(values.unflatten(-1, (self._num_components, -1)), self._frame.mean(summaries))

    def _mixture(self, values: Tensor, center: Tensor) -> Mixture:
        """Weights, means and precisions from the numbers of each component, (..., K, numbers)."""
        dim, frame = self._dim, self._frame
        means = center[..., None, :] + values[..., 1 : dim + 1] @ frame.factor.mT
        rows, columns = torch.tril_indices(dim, dim, -1)
        factors = torch.diag_embed(torch.exp(_LOG_SCALE * torch.tanh(values[..., dim + 1 : 2 * dim + 1] / _LOG_SCALE)))
        factors[..., rows, columns] = values[..., 2 * dim + 1 :]
        bumps = torch.linalg.solve_triangular(frame.factor.mT, factors, upper=True)
        precisions = torch.eye(dim, dtype=torch.float64) + bumps @ bumps.mT
        return Mixture(torch.log_softmax(values[..., 0], -1), means, precisions)
