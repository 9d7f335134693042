"""Principal components of observations: a wide basis to keep all rounds in, and a narrow one where the newest lie.

The first round's simulations span what a tumor may look like; every observation is kept as its
coordinates in that basis. The networks see fewer numbers: the leading components of the newest round alone, which lies
around the observation, each scaled to unit variance there. Traits, the last numbers of a row, aren't mixed with the
averages before them: they are kept as they are, and scaled.
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

#: A trait that varies by less than this share of itself, or of one, is constant up to rounding [1].
_CONSTANT = 1e-5

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


def wide_basis(rows: Tensor, num_traits: int = 0) -> Basis:
    """Orthonormal principal axes of rows, most important first, and behind them the traits."""
    averages, traits = _parted(rows, num_traits)
    mean, axes, _ = _principal(averages, _NUM_KEPT)
    return _beside(Basis(mean, axes), Basis(torch.zeros_like(traits[0]), torch.eye(num_traits, dtype=rows.dtype)))


def narrow_basis(coordinates: Tensor, num_traits: int = 0) -> Basis:
    """Principal axes of coordinates and traits, each scaled so that they vary by one.

    A trait that is the same in all of them tells nothing and is left out: outlines that were drawn are whole voxels, an
    observed one may hold shares of them, and must not differ in what can't tell parameters apart.
    """
    averages, traits = _parted(coordinates, num_traits)
    mean, axes, deviations = _principal(averages, min(_NUM_SEEN, max(_FEWEST_SEEN, len(coordinates) // 10)))
    middle = traits.mean(0)
    scatter = ((traits - middle) ** 2).mean(0).sqrt()
    varied = scatter > _CONSTANT * (1 + middle.abs())
    return _beside(Basis(mean, axes / deviations), Basis(middle, torch.diag(1 / scatter)[:, varied]))


def _parted(rows: Tensor, num_traits: int) -> tuple[Tensor, Tensor]:
    """Averages and traits."""
    return rows[:, : rows.shape[1] - num_traits], rows[:, rows.shape[1] - num_traits :]


def _beside(first: Basis, second: Basis) -> Basis:
    """One basis of two, each of its own part of the rows."""
    return Basis(torch.cat([first.mean, second.mean]), torch.block_diag(first.axes, second.axes))


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
