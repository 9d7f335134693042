"""From the last mixture to a posterior."""

import numpy as np
import torch

from gliocast.core import Posterior, QualityError, Target
from gliocast.inference.npe.mixture import Mixture
from gliocast.inference.npe.options import NPEOptions
from gliocast.inference.npe.rounds import Learned, draw, fixed_threads

#: An observation this much farther from its nearest simulation than simulations are from each other isn't explained:
#: what a network says of it is extrapolation [1].
_MAX_DISTANCE = 10.0

#: Steps of the fixed-point iteration from each component to a mode [1].
_MODE_STEPS = 100

_METHODS = {
    "npe-c": "sequential neural posterior estimation (non-atomic NPE-C, ensemble of mixture density networks)",
    "chapter-6": "sequential neural posterior estimation (importance-weighted mixture density network)",
}


def conclude(
    target: Target,
    learned: Learned,
    options: NPEOptions,
    generator: np.random.Generator,
) -> Posterior:
    """Samples of what was learned where the prior allows them, and its mode.

    Raises:
        QualityError: the observation lies far outside of all that was simulated.
    """
    mixture, stages = learned.posterior, learned.stages
    distance = float(stages["observation_distance"][-1])
    if not distance < _MAX_DISTANCE:
        raise QualityError(
            "npe",
            expected="an observation like the simulated ones",
            got=f"one {distance:.0f} times as far from them as they are from each other",
            advice="check observation and prior",
        )
    with fixed_threads():
        points, samples, log_prior = draw(target, mixture, options.num_samples, generator)
        peaks = _peaks(mixture)
    natural = target.prior.color(peaks)
    points, log_prior = np.concatenate([points, peaks]), np.concatenate([log_prior, target.log_prior(natural)])
    # log-densities with respect to the straightened coordinates: the prior's, times what the whitened ones differ by
    log_densities = log_prior + _log_gain(mixture, points)
    diagnostics = {name: float(values[-1]) for name, values in stages.items() if name != "simulations"}
    simulations = float(stages["simulations"].sum()) + options.num_replicates
    return Posterior(
        parameters=target.parameters,
        samples=samples,
        weights=np.full(options.num_samples, 1 / options.num_samples),
        log_densities=log_densities[: options.num_samples],
        mode=np.concatenate([samples, natural])[int(np.argmax(log_densities))],
        diagnostics={"simulations": simulations} | diagnostics,
        method=_METHODS[options.variant],
        stages=stages,
    )


def _log_gain(mixture: Mixture, points: np.ndarray) -> np.ndarray:
    """Log-density of the mixture over the prior's, both whitened, (num_points,)."""
    at = torch.from_numpy(points)
    return (mixture.log_density(at) - Mixture.prior(points.shape[1]).log_density(at)).numpy()


def _peaks(mixture: Mixture) -> np.ndarray:
    """Modes of the mixture, climbed to from the mean of each component, (K, dim).

    Each step goes to the mean of the components, weighted by responsibility times precision (Carreira-Perpinan, "Mode-
    finding for mixtures of Gaussian distributions", 2000).
    """
    factors = torch.linalg.cholesky(mixture.precisions)
    volumes = mixture.log_weights + factors.diagonal(dim1=-2, dim2=-1).log().sum(-1)
    shifts = (mixture.precisions @ mixture.means[..., None])[..., 0]
    points = mixture.means
    for _ in range(_MODE_STEPS):
        noise = (factors.mT @ (points[:, None] - mixture.means)[..., None])[..., 0]
        shares = torch.softmax(volumes - 0.5 * (noise**2).sum(-1), -1)
        precisions = torch.einsum("nk,kij->nij", shares, mixture.precisions)
        points = torch.linalg.solve(precisions, shares @ shifts)
    return points.numpy()
