"""Gray values as the network sees them."""

import torch
from torch import Tensor

from gliocast.core import InputError

#: Scans are scaled by this quantile of the brain's gray values [1], before anything bends their contrast.
_BRIGHTEST = 0.995

#: A quantile is taken of about this many voxels [1].
_SAMPLE = 200_000


def scaled(scans: Tensor, brain: Tensor) -> Tensor:
    """Scans whose bright end in the brain is 1, zero outside.

    Args:
        scans: (num, x, y, z), float32.
        brain: (x, y, z), bool.

    Raises:
        InputError: a scan shows nothing in the brain.
    """
    inside = scans[:, brain]
    some = inside[:, :: max(1, inside.shape[1] // _SAMPLE)]
    bright = some.quantile(_BRIGHTEST, dim=1)
    if not bool((bright > 0).all()):
        raise InputError(
            "scan", expected="gray values above zero in the brain", got="none", advice="check the four scans"
        )
    return scans / bright[:, None, None, None] * brain


def standardized(scans: Tensor, brain: Tensor) -> Tensor:
    """Zero mean and unit standard deviation in the brain, zero outside; (num, x, y, z), float32."""
    weight = brain.to(scans.dtype)
    count = weight.sum().clamp_min(2)
    means = torch.einsum("nxyz,xyz->n", scans, weight) / count
    centered = (scans - means[:, None, None, None]) * weight
    deviations = (centered.square().sum(dim=(1, 2, 3)) / (count - 1)).sqrt().clamp_min(1e-6)
    return centered / deviations[:, None, None, None]
