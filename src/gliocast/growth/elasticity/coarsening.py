"""How a grid is made coarser, and the one-dimensional matrices that carry fields between the two.

Any number of cells is halved, rounding up, with the wall where it was: the coarse cells of an odd number are a little
narrower than two fine ones. Interpolation is linear, along an axis either between faces or between cell centers (with
the odd mirror image behind the wall, for the displacement is zero there); in space it is their product. Restriction
is its transpose, and the moduli are averaged over what a coarse cell covers, so that the coarse operator is near the
Galerkin product, whose energy of an interpolated displacement averages the moduli too.

Matrices are in slots: row and column i + 1 belong to face or cell i, and the first and last are zero.
"""

from dataclasses import dataclass

import numpy as np

#: Fewer cells than this along an axis aren't halved.
MIN_CELLS = 4

#: An axis is halved while its cells are at most this much longer than the shortest; beyond, the neighbors along it
#: hardly couple, a pointwise smoother leaves rough errors in the other directions, and those are halved alone.
MAX_ELONGATION = 1.5

#: Indices nearer than this to an integer are taken for it [cells]; far above rounding, far below any real offset.
_SLACK = 1e-9


@dataclass(frozen=True, eq=False)
class Taps:
    """A sparse matrix whose rows have few entries side by side.

    Args:
        first: column of each row's first entry, shape (rows,).
        weights: the entries, shape (rows, taps).
    """

    first: np.ndarray
    weights: np.ndarray

    @classmethod
    def of(cls, matrix: np.ndarray, dtype: type) -> "Taps":
        """The taps of a dense matrix."""
        columns = np.arange(matrix.shape[1])
        used = matrix != 0
        first = np.where(used, columns, matrix.shape[1]).min(axis=1)
        last = np.where(used, columns, -1).max(axis=1)
        width = max(1, int((last - first).max()) + 1)
        first = np.clip(first, 0, matrix.shape[1] - width)
        return cls(first, np.take_along_axis(matrix, first[:, None] + np.arange(width), axis=1).astype(dtype))


def coarse_shape(shape: tuple[int, ...], spacing: tuple[float, ...]) -> tuple[int, ...] | None:
    """Numbers of cells of the next coarser grid, or None where nothing is left to halve."""
    shortest = min((h for n, h in zip(shape, spacing, strict=True) if n >= MIN_CELLS), default=None)
    if shortest is None:
        return None
    return tuple(
        (n + 1) // 2 if n >= MIN_CELLS and h <= MAX_ELONGATION * shortest else n
        for n, h in zip(shape, spacing, strict=True)
    )


def face_interpolation(fine: int, coarse: int) -> np.ndarray:
    """From coarse to fine faces, shape (fine + 2, coarse + 2); faces on the wall neither give nor take."""
    matrix = np.zeros((fine + 2, coarse + 2))
    for i in range(1, fine):
        index, weight = _position(i * coarse / fine)
        matrix[i + 1, index + 1] += 1 - weight
        matrix[i + 1, index + 2] += weight
    matrix[:, [1, coarse + 1]] = 0
    return matrix


def cell_interpolation(fine: int, coarse: int) -> np.ndarray:
    """From coarse to fine cell centers, shape (fine + 2, coarse + 2), to zero at the wall."""
    matrix = np.zeros((fine + 2, coarse + 2))
    for i in range(fine):
        index, weight = _position((i + 0.5) * coarse / fine - 0.5)
        matrix[i + 1, index + 1] += 1 - weight
        matrix[i + 1, index + 2] += weight
    matrix[:, 1] -= matrix[:, 0]
    matrix[:, coarse] -= matrix[:, coarse + 1]
    matrix[:, [0, coarse + 1]] = 0
    return matrix


def cell_average(fine: int, coarse: int) -> np.ndarray:
    """Mean over what each coarse cell covers, shape (coarse + 2, fine + 2)."""
    ratio = fine / coarse
    i, j = np.arange(fine)[None, :], np.arange(coarse)[:, None]
    overlap = np.minimum(i + 1, (j + 1) * ratio) - np.maximum(i, j * ratio)
    return np.pad(np.where(overlap > _SLACK, overlap, 0) / ratio, 1)


def _position(place: float) -> tuple[int, float]:
    """The index below a place, and how far beyond it the place lies."""
    index = int(np.floor(place + _SLACK))
    return index, max(place - index, 0.0)
