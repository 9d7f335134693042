"""Sweeps of the tensor operator over the active box, compiled for the CPU.

As in `numba_loops`, rows along the last axis are indexed whole and each inner loop touches few arrays. Symbols: y
density; L the operator of `tensor_conductance`; weights, runs, starts, rows those of `TensorConductance`.
"""

import numba
import numpy as np

from gliocast.core.box import Box
from gliocast.growth.kernels.compiled import compile_loops
from gliocast.growth.kernels.tensor import TensorConductance


@numba.njit(inline="always")
def laplacian_row(row, y, weights, runs, starts, rows, i, j, low, high):  # type: ignore[no-untyped-def]
    """row <- (L y)[i, j, low[2]:high[2]]; the rim of the box is closed; i and j are int64."""
    row[:] = 0
    k0, k1 = low[2], high[2]
    ny, nz = y.shape[1], y.shape[2]
    flat, index = y.reshape(-1), i * ny + j
    for n in range(rows[index], rows[index + 1]):
        p, q, shift = i + runs[n, 0], j + runs[n, 1], runs[n, 2]
        if p < low[0] or p >= high[0] or q < low[1] or q >= high[1]:
            continue
        first = max(runs[n, 3], k0, k0 - shift)
        size = min(runs[n, 4], k1, k1 - shift) - first
        if size <= 0:
            continue
        # Unsigned indices can't count from the end, so the loop has no branch and becomes vector code.
        here, there = np.uint64(index * nz + first), np.uint64((p * ny + q) * nz + first + shift)
        out, w = np.uint64(first - k0), np.uint64(starts[n] + first - runs[n, 3])
        for k in range(np.uint64(size)):
            row[out + k] += weights[w + k] * (flat[there + k] - flat[here + k])


def _laplacian(y, out, weights, runs, starts, rows, low, high):  # type: ignore[no-untyped-def]
    """out <- L y in the box."""
    for plane in numba.prange(low[0], high[0]):
        i = np.int64(plane)
        row = np.empty(high[2] - low[2], y.dtype)
        for j in range(low[1], high[1]):
            laplacian_row(row, y, weights, runs, starts, rows, i, j, low, high)
            v = out[i, j, low[2] : high[2]]
            for k in range(row.size):
                v[k] = row[k]


#: The same loop twice: threads share one solve, or each solve of a batch has one thread to itself.
SHARED, SINGLE = (compile_loops(_laplacian, parallel=parallel).laplacian for parallel in (True, False))


def laplacian(
    y: np.ndarray, out: np.ndarray, coefficients: TensorConductance, box: Box, *, parallel: bool = True
) -> None:
    """out <- L y inside a box whose rim is closed; what lies outside of it stays.

    Args:
        y: density, C-contiguous, of the coefficients' floating type and shape.
        out: another such array.
        coefficients: edge weights.
        box: cells to sweep; no flow enters or leaves it.
        parallel: whether threads share the box. A single-threaded sweep releases the GIL and may run beside others.
    """
    loop = SHARED if parallel else SINGLE
    loop(y, out, *coefficients.arrays, box.lower, box.upper)
