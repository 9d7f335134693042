r"""The method as Chapter 6 of Ezhov's dissertation prints it: one network, importance weights, the newest round alone.

.. math:: L = -\sum_i \frac{p(\theta_i)}{\tilde p(\theta_i)} \log q(\theta_i \mid x_i)

The network has one hidden layer of 100 tanh units, He-normal weights in the first round and the last round's in every
later one, and is trained for 100 epochs by Adam on the newest samples.

Source: Ezhov, dissertation (2022), Chapter 6, Eq. 3 and "Implementation"; Lueckmann et al., "Flexible statistical
inference for mechanistic models of neural dynamics" (2017). Departures: parameters are whitened by the prior, so that
no mixture leaks over a bound, and no component is wider than it (`mixture`); the outlines stand side by side instead of
being summed, and large volumes are averaged over blocks (`blocks`); weights are scaled to a mean of one. Batch size and
learning rate aren't printed.

The weights are the method's weak point, and a reason to prefer NPE-C. Where the posterior is much narrower than the
prior, p / p~ grows like exp(z^2 / 2) in the tails of the proposal, and the variance of that is infinite: of hundreds of
samples a handful count. A round in which they collapse to one is left out, and the network stays what it was.
"""

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from gliocast.inference.npe.mixture import Mixture
from gliocast.inference.npe.network import Frame, Networks
from gliocast.inference.npe.options import NPEOptions
from gliocast.inference.npe.summary import distance
from gliocast.inference.npe.training import Schedule, train

_NUM_HIDDEN = 100
_SCHEDULE = Schedule(epochs=100, batch=25, rate=1e-3)

#: A round whose weights are worth fewer samples than this isn't learned from: a single one would have all the say [1].
_FEWEST_EFFECTIVE = 2.0


class ChapterSix:
    """One network, trained on a round after the other.

    Args:
        observed: the observation, (num_numbers,).
        dim: number of parameters.
        options: how to estimate.
    """

    def __init__(self, observed: np.ndarray, dim: int, options: NPEOptions) -> None:
        self._observed, self._dim, self._options = torch.from_numpy(observed), dim, options
        self._networks: Networks | None = None

    def learn(
        self, points: np.ndarray, rows: np.ndarray, proposal: Mixture, generator: torch.Generator
    ) -> tuple[Mixture, dict[str, float]]:
        """The posterior after one more round, and figures of how learning went; see `NPEC.learn`."""
        simulated, drawn = torch.from_numpy(rows), torch.from_numpy(points)
        if self._networks is None:
            self._networks = self._fresh(generator)
        networks = self._networks
        logs = Mixture.prior(self._dim).log_density(drawn) - proposal.log_density(drawn)
        weights = torch.softmax(logs, 0) * len(logs)
        effective = float(weights.sum() ** 2 / (weights**2).sum())

        def loss(indices: Tensor) -> Tensor:
            return -weights[indices] * networks(simulated[indices]).log_density(drawn[indices])

        schedule = _SCHEDULE if effective >= _FEWEST_EFFECTIVE else replace(_SCHEDULE, epochs=0)
        figures = train(networks, loss, len(drawn), schedule, generator)
        with torch.no_grad():
            mixtures = networks(self._observed[None, None])
        posterior = Mixture(*(part[0, 0] for part in vars(mixtures).values()))
        figures |= {"effective_sample_size": effective, "observation_distance": distance(simulated, self._observed)}
        return posterior, figures

    def _fresh(self, generator: torch.Generator) -> Networks:
        sizes, frame = (len(self._observed), _NUM_HIDDEN), Frame.of_prior(self._dim)
        return Networks(sizes, self._dim, self._options.num_components, frame, 1, generator)

    def arrays(self) -> dict[str, np.ndarray]:
        """What a checkpoint keeps."""
        assert self._networks is not None  # a round has been learned
        return {f"weight_{n}": weight.detach().numpy() for n, weight in enumerate(self._networks.weights)}

    def restore(self, arrays: dict[str, np.ndarray]) -> None:
        """Undo `arrays`."""
        self._networks = self._fresh(torch.Generator())
        with torch.no_grad():
            for n, weight in enumerate(self._networks.weights):
                weight.copy_(torch.from_numpy(arrays[f"weight_{n}"]))
