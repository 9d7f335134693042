r"""Whether an observation looks like simulations of its own posterior.

A network answers any question, and of an observation unlike all that it learned from its answer is extrapolation. So in
the end `num_replicates` observations are simulated at draws of the posterior, and the distance of each from the middle
of the last round's simulations is taken,

.. math:: d(x)^2 = \frac1k (s(x) - \bar s)^T (C + \epsilon I)^{-1} (s(x) - \bar s),

with s the k summaries of `narrow_basis`, their mean and covariance C those of the last round. Replicates and
observation both are new to this metric, so ranks are fair. ``misfit_percentile`` is the share of replicates nearer than
the observation [%], ``misfit_distance`` its distance over their median [1].

Source: posterior predictive checks, Gelman, Meng & Stern, Statistica Sinica 6 (1996); Cannon, Ward & Schmon,
"Investigating the impact of model misspecification in neural simulation-based inference" (2022), for the distance of
summaries.
"""

from dataclasses import dataclass

import numpy as np
import torch

from gliocast.inference.npe.summary import Basis, narrow_basis

#: Variance that summaries of unit variance have beyond what is seen of it [1]: traits that say the same twice would
#: otherwise leave directions without any.
_LEAST_VARIANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Metric:
    """Distances of rows from the middle of a round's simulations.

    Args:
        basis: to coordinates in which that round varies by one in all directions.
    """

    basis: Basis

    @classmethod
    def of_round(cls, rows: np.ndarray, num_traits: int) -> "Metric":
        """The metric in which a round's rows, (num, num_numbers), have unit covariance."""
        simulated = torch.from_numpy(rows)
        narrow = narrow_basis(simulated, num_traits)
        summaries = narrow(simulated).double()
        covariance = summaries.mT @ summaries / len(summaries)  # their mean is zero
        covariance += _LEAST_VARIANCE * torch.eye(len(covariance), dtype=torch.float64)
        whitening = torch.linalg.inv(torch.linalg.cholesky(covariance)).mT
        return cls(Basis(narrow.mean, (narrow.axes.double() @ whitening).float()))

    def __call__(self, rows: np.ndarray) -> np.ndarray:
        """Root mean square of the coordinates of each row, (num,)."""
        return (self.basis(torch.from_numpy(rows)) ** 2).mean(1).sqrt().double().numpy()

    def arrays(self) -> dict[str, np.ndarray]:
        """What a checkpoint keeps."""
        return {"mean": self.basis.mean.numpy(), "axes": self.basis.axes.numpy()}

    @classmethod
    def of_arrays(cls, arrays: dict[str, np.ndarray]) -> "Metric":
        """Undo `arrays`."""
        return cls(Basis(torch.from_numpy(arrays["mean"]), torch.from_numpy(arrays["axes"])))


def misfit(metric: Metric, observed: np.ndarray, replicated: np.ndarray) -> dict[str, float]:
    """Where the observation stands among replicates.

    Args:
        metric: of distances.
        observed: (num_numbers,).
        replicated: simulations of the posterior, (num, num_numbers).
    """
    own, others = float(metric(observed[None])[0]), metric(replicated)
    usual = max(float(np.median(others)), np.finfo(float).tiny)
    return {"misfit_percentile": 100 * float(np.mean(others < own)), "misfit_distance": own / usual}
