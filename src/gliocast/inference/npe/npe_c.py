r"""The default: non-atomic NPE-C over all rounds at once, by an ensemble of small networks on principal components.

Samples of all rounds together follow the mixture of their proposals, :math:`\bar p = \sum_r n_r \tilde p_r / N`, the
prior being the first or a part of it. What a network learns from them is the posterior under that mixture,

.. math:: \tilde q(\theta \mid x) = \frac{q(\theta \mid x)\, \bar p(\theta) / p(\theta)}{Z(x)}, \qquad
          L = -\sum_i \log \tilde q(\theta_i \mid x_i),

whose minimizer q is the posterior under the prior. All are Gaussian mixtures, so Z is known in closed form (`mixture`).

Source: Greenberg, Nonnenmacher and Macke, "Automatic posterior transformation for likelihood-free inference" (2019),
Appendix A.1. Departure: one proposal, the mixture of all rounds, where the source corrects each sample for its own
round's. It holds the prior, so no network can hide probability where no sample falls; and combined precisions are
positive definite by construction, where the source has to watch them.
"""

import numpy as np
import torch
from torch import Tensor

from gliocast.inference.npe.mixture import Mixture
from gliocast.inference.npe.network import Frame, Networks
from gliocast.inference.npe.options import NPEOptions
from gliocast.inference.npe.summary import Basis, bounded, distance, narrow_basis, wide_basis
from gliocast.inference.npe.training import Loss, Schedule, train

#: Units of the two hidden layers [1].
_HIDDEN = (64, 64)

_SCHEDULE = Schedule(epochs=300, batch=50, rate=2e-3, held_out=0.1, patience=20)

#: Networks learn from simulations whose summaries are no longer than this (root mean square, where those of the newest
#: round are one), or no longer than the observation's times the margin [1]. A choice by what a simulation looks like,
#: whatever its parameters, doesn't change the posterior that is learned; it only spares networks what lies far away.
_NEAR, _MARGIN = 3.0, 1.5


class NPEC:
    """What has been simulated so far, and how to learn from it.

    Args:
        observed: the observation, (num_numbers,).
        dim: number of parameters.
        options: how to estimate.
        num_traits: how many numbers at the end of a row are traits.
    """

    def __init__(self, observed: np.ndarray, dim: int, options: NPEOptions, num_traits: int = 0) -> None:
        self._observed, self._dim, self._options = torch.from_numpy(observed), dim, options
        self._num_traits = num_traits
        self._basis: Basis | None = None
        self._points = torch.zeros(0, dim, dtype=torch.float64)
        self._coordinates = torch.zeros(0, 0)
        self._proposals: list[Mixture] = []
        self._counts: list[int] = []

    def learn(
        self, points: np.ndarray, rows: np.ndarray, proposal: Mixture, generator: torch.Generator
    ) -> tuple[Mixture, dict[str, float]]:
        """The posterior after one more round, and figures of how learning went.

        Args:
            points: whitened parameters that were simulated, (num, dim).
            rows: what they looked like, (num, num_numbers).
            proposal: what the points were drawn from.
            generator: of initial weights and batches.
        """
        simulated = torch.from_numpy(rows)
        if self._basis is None:
            self._basis = wide_basis(simulated, self._num_traits)
            self._coordinates = torch.zeros(0, self._basis.axes.shape[1])
        self._points = torch.cat([self._points, torch.from_numpy(points)])
        self._coordinates = torch.cat([self._coordinates, self._basis(simulated)])
        self._proposals.append(proposal)
        self._counts.append(len(points))
        narrow = narrow_basis(self._coordinates[-len(points) :], self._num_traits)
        sizes, options = (narrow.axes.shape[1], *_HIDDEN), self._options
        summaries, seen = narrow(self._coordinates), narrow(self._basis(self._observed[None]))
        near = _length(summaries) < max(_NEAR, _MARGIN * float(_length(seen)))
        frame = Frame.of_regression(self._points[-len(points) :], bounded(summaries[-len(points) :]).double())
        networks = Networks(sizes, self._dim, options.num_components, frame, options.num_networks, generator)
        loss = self._loss(networks, self._points[near], bounded(summaries[near]))
        figures = train(networks, loss, int(near.sum()), _SCHEDULE, generator)
        with torch.no_grad():
            mixtures = networks(bounded(seen).expand(options.num_networks, 1, -1))
        parts = [Mixture(*(part[n, 0] for part in vars(mixtures).values())) for n in range(options.num_networks)]
        posterior = Mixture.concatenate(parts, [1 / options.num_networks] * options.num_networks)
        averages = slice(len(self._observed) - self._num_traits)
        away = distance(simulated[:, averages], self._observed[averages])
        figures |= {"observation_distance": away, "used_simulations": float(near.sum())}
        return posterior, figures

    def _loss(self, networks: Networks, points: Tensor, summaries: Tensor) -> Loss:
        """The function of sample indices that training minimizes."""
        total = sum(self._counts)
        proposal = Mixture.concatenate(self._proposals, [count / total for count in self._counts])
        known = proposal.is_prior  # then Z is one

        def loss(indices: Tensor) -> Tensor:
            mixtures = networks(summaries[indices])
            values = -mixtures.log_density(points[indices])
            return values if known else values + mixtures.log_overlap(proposal)

        return loss

    def arrays(self) -> dict[str, np.ndarray]:
        """What a checkpoint keeps."""
        assert self._basis is not None  # a round has been learned
        kept = {"points": self._points, "coordinates": self._coordinates}
        kept |= {"mean": self._basis.mean, "axes": self._basis.axes}
        arrays = {name: value.numpy() for name, value in kept.items()} | {"counts": np.array(self._counts)}
        for number, proposal in enumerate(self._proposals):
            arrays |= {f"proposal_{number}_{name}": part for name, part in proposal.arrays().items()}
        return arrays

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Undo `arrays`."""
        self._basis = Basis(torch.from_numpy(arrays["mean"]), torch.from_numpy(arrays["axes"]))
        self._points, self._coordinates = (torch.from_numpy(arrays[name]) for name in ("points", "coordinates"))
        self._counts = arrays["counts"].tolist()
        names = ("log_weights", "means", "precisions")
        self._proposals = [
            Mixture.of_arrays({name: arrays[f"proposal_{number}_{name}"] for name in names})
            for number in range(len(self._counts))
        ]


def _length(summaries: Tensor) -> Tensor:
    """Root mean square of each summary, (num, size) -> (num,)."""
    return (summaries**2).mean(1).sqrt()
