"""What the first round draws from, where a mode is known already."""

import numpy as np
import torch

from gliocast.core import Target
from gliocast.inference.cma import Mode
from gliocast.inference.gauss_newton import straight_scale
from gliocast.inference.npe.merging import at_least_prior
from gliocast.inference.npe.mixture import Mixture

#: How much wider than the mode's Gaussian the first simulations are spread, no direction beyond the prior [1]; a mode
#: of another likelihood than the one that is simulated, or one of several, may lie some widths away.
_WIDENING = 3.0

#: Share of the first simulations that the prior has nevertheless [1]: networks learn what is far from the mode.
_PRIOR_SHARE = 0.25


def around(target: Target, mode: Mode) -> Mixture:
    """A broad Gaussian around a mode, and the prior; a proposal like any other, which NPE-C corrects for.

    Args:
        target: the posterior.
        mode: by Gauss-Newton, whose covariance has the posterior's size.
    """
    scale = straight_scale(target, mode.point)
    center = target.prior.whiten(mode.point[None])
    precision = at_least_prior(np.linalg.inv(_WIDENING**2 * mode.covariance / np.outer(scale, scale)))
    bump = Mixture(torch.zeros(1, dtype=torch.float64), torch.from_numpy(center), torch.from_numpy(precision[None]))
    return Mixture.concatenate([Mixture.prior(center.shape[1]), bump], [_PRIOR_SHARE, 1 - _PRIOR_SHARE])
