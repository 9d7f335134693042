"""Principal components of observations: a wide basis to keep all rounds in, and a narrow one where the newest lie.

The first round's simulations span what a tumor under the prior may look like; every observation is kept as its
coordinates in that basis. The networks see fewer numbers: the leading components of the newest round alone, which lies
around the observation, each scaled to unit variance there.
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

#: Components that simulations are kept as [1].
_NUM_KEPT = 256

#: Components that networks see: at most, and at least where simulations are few; in between, one for ten of them [1].
_NUM_SEEN, _FEWEST_SEEN = 64, 16

#: Directions that hold less than this share of the largest variance are rounding [1].
_RANK_TOLERANCE = 1e-10

#: Networks see numbers bounded softly at this many standard deviations [1]: rounds far from the observation, and
#: features of it that no simulation has, mustn't drive them anywhere.
_BOUND = 8.0

#: Share of simulations whose distance to the nearest other one counts as usual [1]: under a wide prior many show no
#: tumor at all, and don't differ.
_USUAL = 0.9


@dataclass(frozen=True, eq=False)
class Basis:
    """An affine map from rows to coordinates.

    Args:
        mean: of the rows, (num_numbers,).
        axes: (num_numbers, num_coordinates).
    """

    mean: Tensor
    axes: Tensor

    def __call__(self, rows: Tensor) -> Tensor:
        """Coordinates of rows, (num, num_numbers) -> (num, num_coordinates)."""
        return (rows - self.mean) @ self.axes


def wide_basis(rows: Tensor) -> Basis:
    """Orthonormal principal axes of rows, most important first."""
    mean, axes, _ = _principal(rows, _NUM_KEPT)
    return Basis(mean, axes)


def narrow_basis(coordinates: Tensor) -> Basis:
    """Principal axes of coordinates, each scaled so that they vary by one."""
    mean, axes, deviations = _principal(coordinates, min(_NUM_SEEN, max(_FEWEST_SEEN, len(coordinates) // 10)))
    return Basis(mean, axes / deviations)


def bounded(summaries: Tensor) -> Tensor:
    """Summaries as networks see them."""
    return (_BOUND * torch.tanh(summaries / _BOUND)).float()


def _principal(rows: Tensor, limit: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean, principal axes and standard deviations along them, from the smaller of the two Gram matrices."""
    mean = rows.mean(0)
    centered = rows - mean
    tall = len(rows) >= rows.shape[1]
    values, vectors = torch.linalg.eigh(centered.mT @ centered if tall else centered @ centered.mT)
    values, vectors = values.flip(0), vectors.flip(1)
    rank = max(1, int((values > _RANK_TOLERANCE * max(len(rows), rows.shape[1]) * values[0]).sum()))
    kept = slice(min(limit, rank))
    spreads = values[kept].sqrt()
    axes = vectors[:, kept] if tall else centered.mT @ vectors[:, kept] / spreads
    return mean, axes, spreads / np.sqrt(len(rows) - 1)


def distance(rows: Tensor, observed: Tensor) -> float:
    """How far the observation lies from its nearest row, over what nine in ten rows keep to among each other [1].

    Below about one if the observation could have been one of the rows.
    """
    offsets = rows - observed
    squares = (offsets**2).sum(1)
    between = (squares[:, None] + squares - 2 * offsets @ offsets.mT).fill_diagonal_(torch.inf)
    usual = between.min(1).values.quantile(_USUAL).clamp(min=torch.finfo(rows.dtype).tiny)
    return float((squares.min() / usual).sqrt())
