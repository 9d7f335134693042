r"""Edge weights of  div(T grad u)  on a voxel grid, for a full tensor T.

.. math:: (L u)_x = \sum_e W_x(e)\,(u_{x+e} - u_x), \qquad
          W_x(e) = (a_x(e) + a_{x+e}(-e))\;\frac{4\,q_x q_{x+e}}{(q_x + q_{x+e})^2}

a_x(e) is the share of cell x in its edge along the lattice vector e: half of the weight of e in Selling's decomposition
of T_x away from walls (`selling.shares`), and q_x = e T_x e the diffusivity of the cell along e.

- Symmetric and conservative: an edge has one weight, seen from both ends.
- All weights are nonnegative: L obeys the maximum principle and is negative semi-definite, whatever the anisotropy.
- The sum of shares alone is the scheme of Fehrenbach & Mirebeau, of second order for smooth T. The second factor, one
  up to second order there, is harmonic over arithmetic mean of the two cells. It makes a diagonal tensor give
  exactly `conductance`: series resistance across a jump of T, and nothing through a closed cell. The harmonic mean of
  the two weights would do that too, but uncouples neighbors whose decompositions use different directions.
- An edge longer than a face needs a walk of open cells along it, so that nothing leaps over a wall or past a corner.
- Cells at a wall keep their flow along it: without the share rules an oblique tensor is slowed there.

Considered and not taken: a sum over the octants of g T g with one-sided differences g has a fixed stencil of 18
neighbors and is semi-definite too, but weights become negative once T is oblique, and densities leave [0, 1]; so does
Weickert's stencil of 26 neighbors beyond an anisotropy of about 6.

Source: Fehrenbach & Mirebeau, J. Math. Imaging Vis. 49 (2014), Section 2. Departures: as said above.
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numba
import numpy as np

from gliocast.core.tensor import require_tensors
from gliocast.growth.kernels.compiled import compile_loops, threads_share
from gliocast.growth.kernels.selling import MAX_EDGES, MAX_REACH, NUM_CODES, along, decode, scratch, shares

#: Weights are stored in runs of whole blocks of this many cells along the last axis: one vector register of float32.
BLOCK = 8
#: Runs of one offset that lie this many blocks apart or less are joined; starting a run costs about as much.
JOIN = 2


@dataclass(frozen=True, eq=False)
class TensorConductance:
    """Edge weights of the tensor operator, stored as runs along the rows of the grid.

    A run couples the cells [first, last) of one row to those at one offset. Each edge is in two runs, one seen from
    each end, that share their weights; so a sweep only gathers, rows are independent, and what one cell loses the
    other gains.

    Args:
        weights: W of all edges, run after run [1/mm^2], float32 or float64.
        runs: offset along x, y and z, first and last cell of each run, int32, shape (num_runs, 5).
        starts: where the weights of each run begin, int64, shape (num_runs,).
        rows: the runs of row (i, j) are those from rows[i ny + j] to the next entry, int64, shape (nx ny + 1,).
        shape: of the grid.
        bound: Gershgorin bound of the operator's spectral radius [1/mm^2].
        spacing: cell size [mm].
    """

    weights: np.ndarray
    runs: np.ndarray
    starts: np.ndarray
    rows: np.ndarray
    shape: tuple[int, int, int]
    bound: float
    spacing: tuple[float, float, float]

    @cached_property
    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """What the compiled sweeps take."""
        return self.weights, self.runs, self.starts, self.rows

    def closed(self, cells: np.ndarray) -> "TensorConductance":
        """The same with some cells (bool) shut off from their neighbors."""
        weights = self.weights.copy()
        _close(weights, self.runs, self.starts, self.rows, np.ascontiguousarray(cells))
        return replace(self, weights=weights)


def tensor_conductance(
    tensor: np.ndarray, spacing: tuple[float, float, float], dtype: type = np.float32
) -> TensorConductance:
    """Edge weights from the mobility tensors of cells.

    Args:
        tensor: positive semi-definite T(x) / D_w, components xx, yy, zz, xy, xz, yz along the voxel axes (see
            `DiffusionTensor.along_voxel_axes`), shape (6, x, y, z); zero marks closed cells.
        spacing: cell size along the axes [mm].
        dtype: floating type of the result.

    Raises:
        InputError: the array has another shape, isn't finite, or a tensor has a negative eigenvalue.
    """
    require_tensors(tensor, tensor.shape[1:] if tensor.ndim == 4 else (0, 0, 0), "mobility tensor")
    # in double whatever the type of the result: the same loops for both
    tensor, step = np.ascontiguousarray(tensor, dtype=np.float64), np.array(spacing, dtype=np.float64)
    is_open = tensor[:3].sum(axis=0) > 0
    room = _room(is_open)
    loops = _SHARED if threads_share(is_open.size) else _SINGLE
    used = np.zeros(NUM_CODES, dtype=np.uint8)
    loops.find_offsets(tensor, is_open, room, step, used)
    codes = np.flatnonzero(used)
    index = np.full(NUM_CODES, -1, dtype=np.int64)
    index[codes] = np.arange(codes.size)
    nx, ny, nz = is_open.shape
    occupied = np.zeros((nx, ny, codes.size, -(-nz // BLOCK)), dtype=np.uint8)
    loops.occupy(tensor, is_open, room, step, index, occupied)
    offsets = np.array([decode(code) for code in codes], dtype=np.int64).reshape(-1, 3)
    first = np.zeros(nx * ny * codes.size + 1, dtype=np.int32)
    num_runs, num_weights = _layout(occupied, offsets, nz, first, np.empty((0, 2), np.int32), np.empty(0, np.int64))
    extents, where = np.empty((num_runs, 2), np.int32), np.empty(num_runs, np.int64)
    _layout(occupied, offsets, nz, first, extents, where)
    del occupied
    weights = np.zeros(num_weights)
    for side in (1, -1):
        loops.fill(tensor, is_open, room, step, index, first, extents, where, weights, side)
    runs, starts, rows = _both_ends(offsets, first, extents, where, is_open.shape)
    degree = np.zeros(is_open.shape)
    loops.degree(weights, runs, starts, rows, degree)
    bound = 2 * float(degree.max())
    return TensorConductance(weights.astype(dtype, copy=False), runs, starts, rows, (nx, ny, nz), bound, spacing)


def _room(is_open: np.ndarray) -> np.ndarray:
    """How many cells each cell is away from the nearest closed one, less one, up to `MAX_REACH`; uint8."""
    inside, room = is_open, np.zeros(is_open.shape, dtype=np.uint8)
    for _ in range(MAX_REACH):
        for axis in range(3):
            padded = np.pad(inside, [(1, 1) if a == axis else (0, 0) for a in range(3)])
            n = inside.shape[axis]
            inside = inside & padded.take(range(n), axis) & padded.take(range(2, n + 2), axis)
        room += inside
    return room


@numba.njit(nogil=True, cache=True)
def _tensor_at(tensor, spacing, i, j, k, m):  # type: ignore[no-untyped-def]
    """m <- the tensor of a cell in lattice units [1/mm^2]."""
    for a in range(3):
        m[a, a] = max(tensor[a, i, j, k], 0.0) / spacing[a] ** 2
    m[0, 1] = m[1, 0] = tensor[3, i, j, k] / (spacing[0] * spacing[1])
    m[0, 2] = m[2, 0] = tensor[4, i, j, k] / (spacing[0] * spacing[2])
    m[1, 2] = m[2, 1] = tensor[5, i, j, k] / (spacing[1] * spacing[2])


@numba.njit(nogil=True, cache=True)
def _row_buffers(nz):  # type: ignore[no-untyped-def]
    """Where `_row_shares` puts its result, one set per thread."""
    size = (nz, MAX_EDGES)
    return np.zeros(nz, np.int64), np.zeros(size, np.int64), np.zeros(size), np.zeros(size)


@numba.njit(nogil=True, cache=True)
def _row_shares(tensor, is_open, room, spacing, i, j, buffers):  # type: ignore[no-untyped-def]
    """The shares of all cells of a row: how many offsets, which, and the shares in +e and -e."""
    counts, codes, plus, minus = buffers
    m, work = np.zeros((3, 3)), scratch()
    for k in range(is_open.shape[2]):
        counts[k] = 0
        if is_open[i, j, k]:
            _tensor_at(tensor, spacing, i, j, k, m)
            counts[k] = shares(m, is_open, room[i, j, k], i, j, k, spacing, codes[k], plus[k], minus[k], work)


def _find_offsets(tensor, is_open, room, spacing, used):  # type: ignore[no-untyped-def]
    """Mark the offsets that any cell uses."""
    for plane in numba.prange(is_open.shape[0]):
        buffers = _row_buffers(is_open.shape[2])
        counts, codes = buffers[0], buffers[1]
        for j in range(is_open.shape[1]):
            _row_shares(tensor, is_open, room, spacing, np.int64(plane), j, buffers)
            for k in range(counts.size):
                for n in range(counts[k]):
                    used[codes[k, n]] = 1


def _occupy(tensor, is_open, room, spacing, index, occupied):  # type: ignore[no-untyped-def]
    """Mark the blocks of rows in which an offset has edges."""
    for plane in numba.prange(is_open.shape[0]):
        i, buffers = np.int64(plane), _row_buffers(is_open.shape[2])
        counts, codes, plus, minus = buffers
        for j in range(is_open.shape[1]):
            _row_shares(tensor, is_open, room, spacing, i, j, buffers)
            for k in range(counts.size):
                for n in range(counts[k]):
                    offset = index[codes[k, n]]
                    x, y, z = decode(codes[k, n])
                    if plus[k, n] > 0:
                        occupied[i, j, offset, k // BLOCK] = 1
                    if minus[k, n] > 0:
                        occupied[i - x, j - y, offset, (k - z) // BLOCK] = 1


@numba.njit(nogil=True, cache=True)
def _layout(occupied, offsets, nz, first, extents, where):  # type: ignore[no-untyped-def]
    """Make runs of the occupied blocks, forward ends only, by row and offset; returns their number and their cells.

    Fills `first` (first run of each row and offset), and, unless they are empty, `extents` (cells [first, last) of
    each run) and `where` (start of its weights).
    """
    nx, ny, num_offsets, num_blocks = occupied.shape
    num_runs, num_weights = 0, 0
    for line in range(nx * ny * num_offsets):
        first[line] = num_runs
        row, n = line // num_offsets, line % num_offsets
        low, high = max(0, -offsets[n, 2]), min(nz, nz - offsets[n, 2])
        blocks = occupied[row // ny, row % ny, n]
        b = 0
        while b < num_blocks:
            if not blocks[b]:
                b += 1
                continue
            end = b + 1
            for c in range(b + 1, num_blocks):
                if c - end > JOIN:
                    break
                if blocks[c]:
                    end = c + 1
            start, stop = max(b * BLOCK, low), min(end * BLOCK, high)
            if len(where) > 0:
                extents[num_runs, 0], extents[num_runs, 1], where[num_runs] = start, stop, num_weights
            num_runs += 1
            num_weights += stop - start
            b = end
    first[nx * ny * num_offsets] = num_runs
    return num_runs, num_weights


def _fill(tensor, is_open, room, spacing, index, first, extents, where, weights, side):  # type: ignore[no-untyped-def]
    """Add every cell's shares in its edges +e (side 1) or -e (side -1); one thread at most writes to an edge."""
    ny = is_open.shape[1]
    num_offsets = (len(first) - 1) // (is_open.shape[0] * ny)
    for plane in numba.prange(is_open.shape[0]):
        i, buffers = np.int64(plane), _row_buffers(is_open.shape[2])
        counts, codes, plus, minus = buffers
        m = np.zeros((3, 3))
        for j in range(ny):
            _row_shares(tensor, is_open, room, spacing, i, j, buffers)
            for k in range(counts.size):
                for n in range(counts[k]):
                    share = plus[k, n] if side > 0 else minus[k, n]
                    if share <= 0:
                        continue
                    x, y, z = decode(codes[k, n])
                    _tensor_at(tensor, spacing, i, j, k, m)
                    here = along(m, x, y, z)
                    _tensor_at(tensor, spacing, i + side * x, j + side * y, k + side * z, m)
                    there = along(m, x, y, z)
                    p, q, r = (i, j, k) if side > 0 else (i - x, j - y, k - z)
                    run = first[(p * ny + q) * num_offsets + index[codes[k, n]]]
                    while extents[run, 1] <= r:
                        run += 1
                    weights[where[run] + r - extents[run, 0]] += share * 4 * here * there / (here + there) ** 2


@numba.njit(nogil=True, cache=True)
def _both_ends(offsets, first, extents, where, shape):  # type: ignore[no-untyped-def]
    """The runs of each row, seen from both ends."""
    nx, ny, _ = shape
    rows = np.zeros(nx * ny + 1, np.int64)
    runs, starts = np.empty((2 * len(where), 5), np.int32), np.empty(2 * len(where), np.int64)
    for counting in (True, False):
        for row in range(nx * ny):
            for n in range(len(offsets)):
                x, y, z = offsets[n]
                far = row + x * ny + y
                for run in range(first[row * len(offsets) + n], first[row * len(offsets) + n + 1]):
                    if counting:
                        rows[row + 1] += 1
                        rows[far + 1] += 1
                        continue
                    here, there = rows[row], rows[far]
                    if far == row:
                        there += 1
                    start, stop = extents[run]
                    runs[here, 0], runs[here, 1], runs[here, 2], runs[here, 3], runs[here, 4] = x, y, z, start, stop
                    runs[there, 0], runs[there, 1], runs[there, 2] = -x, -y, -z
                    runs[there, 3], runs[there, 4] = start + z, stop + z
                    starts[here] = starts[there] = where[run]
                    rows[row] += 1
                    rows[far] += 1
        if counting:
            for row in range(nx * ny):
                rows[row + 1] += rows[row]
    for row in range(nx * ny, 0, -1):
        rows[row] = rows[row - 1]
    rows[0] = 0
    return runs, starts, rows


def _degree(weights, runs, starts, rows, degree):  # type: ignore[no-untyped-def]
    """degree <- sum of the weights of all edges of a cell."""
    nx, ny, _ = degree.shape
    for i in numba.prange(nx):
        for j in range(ny):
            for run in range(rows[i * ny + j], rows[i * ny + j + 1]):
                first, last = runs[run, 3], runs[run, 4]
                for k in range(first, last):
                    degree[i, j, k] += weights[starts[run] + k - first]


@numba.njit(nogil=True, cache=True)
def _close(weights, runs, starts, rows, cells):  # type: ignore[no-untyped-def]
    """Set the weights of all edges that end in closed cells to zero."""
    nx, ny, _ = cells.shape
    for i in range(nx):
        for j in range(ny):
            for run in range(rows[i * ny + j], rows[i * ny + j + 1]):
                x, y, z, first, last = runs[run]
                for k in range(first, last):
                    if cells[i, j, k] or cells[i + x, j + y, k + z]:
                        weights[starts[run] + k - first] = 0


_LOOPS = (_find_offsets, _occupy, _fill, _degree)
_SHARED, _SINGLE = (compile_loops(*_LOOPS, parallel=parallel) for parallel in (True, False))
