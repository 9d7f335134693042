r"""Nonnegative decompositions of tensors over the directions of the voxel lattice, cell by cell.

Selling's algorithm writes a positive definite tensor as

.. math:: T = \sum_{k=1}^{6} w_k\, e_k e_k^\top, \qquad w_k \ge 0

with integer vectors e_k, so that  div(T grad u)  becomes a sum of second differences along lattice directions, all
with nonnegative weights. It starts from the superbase (-1, -1, -1), e_x, e_y, e_z and, as long as two of its vectors
b_i, b_j form an acute angle in the metric of T, replaces it by -b_i, b_j, b_k + b_i, b_l + b_i. Where none is left,
the weight of the direction b_k x b_l is -b_i T b_j. The decomposition is unique up to directions of weight zero and
depends continuously on T; that of a diagonal tensor is the tensor itself, along the axes.

Here: the decomposition, what a wall makes of it, and the shares that one cell has in its edges. Symbols: m the tensor
of one cell in lattice units [1/mm^2], e an integer offset, o the mask of open cells.

Source: Selling (1874); Fehrenbach & Mirebeau, J. Math. Imaging Vis. 49 (2014), Section 2 (AD-LBR). Departures: the
stencil's radius is bounded, and walls, which the source doesn't treat, are.

Small arrays are filled in loops and not by slices, for each function is compiled again into all that call it, and a
slice takes ten times as long to compile.
"""

import numba
import numpy as np

#: Edges reach at most this many cells along an axis [1]. Enough for every tensor of 20:1 in cubic voxels and of 8:1 in
#: voxels of 1 x 1 x 3; of needles of 50:1 in cubic voxels 1 % need 6. Slices of 5 mm on pixels of 1 mm need more.
MAX_REACH = 5
#: A tensor whose stencil would be larger is first blended with its isotropic part by this share, then by twice and
#: four times it, and so on [1].
FIRST_BLEND = 1 / 128
#: Angles and weights below this share of the trace are those of rounding [1].
_ROUNDING = 1e-12
#: Flips of the superbase after which a tensor counts as too flat [1]; 10^3:1 needs 71 at worst.
_MAX_FLIPS = 100
#: More edges than a cell can have: eight octants with six directions each.
MAX_EDGES = 48

_SIDE = 2 * MAX_REACH + 1
#: Codes of offsets are below this.
NUM_CODES = _SIDE**3


@numba.njit(nogil=True, cache=True)
def encode(x, y, z):  # type: ignore[no-untyped-def]
    """A number for an offset within reach."""
    return ((x + MAX_REACH) * _SIDE + y + MAX_REACH) * _SIDE + z + MAX_REACH


@numba.njit(nogil=True, cache=True)
def decode(code):  # type: ignore[no-untyped-def]
    """The offset that has this number."""
    return code // (_SIDE * _SIDE) - MAX_REACH, code // _SIDE % _SIDE - MAX_REACH, code % _SIDE - MAX_REACH


@numba.njit(nogil=True, cache=True)
def along(m, x, y, z):  # type: ignore[no-untyped-def]
    """e m e, the diffusivity along e."""
    diagonal = x * x * m[0, 0] + y * y * m[1, 1] + z * z * m[2, 2]
    return diagonal + 2 * (x * y * m[0, 1] + x * z * m[0, 2] + y * z * m[1, 2])


@numba.njit(nogil=True, cache=True)
def _flip(base, first, second):  # type: ignore[no-untyped-def]
    """Selling's step: another superbase, in which these two vectors no longer enclose an acute angle."""
    for a in range(3):
        step = base[first, a]
        for k in range(4):
            if k not in (first, second):
                base[k, a] += step
        base[first, a] = -step


@numba.njit(nogil=True, cache=True)
def _selling(m, base, weights, offsets):  # type: ignore[no-untyped-def]
    """Decompose m; returns the reach of the offsets, or one more than is allowed where it finds no end."""
    floor = _ROUNDING * (m[0, 0] + m[1, 1] + m[2, 2])
    for a in range(3):
        for k in range(4):
            base[k, a] = -1 if k == 0 else k == a + 1
    for _ in range(_MAX_FLIPS):
        widest, first, second = floor, -1, -1
        n = 0
        for i in range(3):
            for j in range(i + 1, 4):
                product = 0.0
                for a in range(3):
                    row = m[a, 0] * base[j, 0] + m[a, 1] * base[j, 1] + m[a, 2] * base[j, 2]
                    product += base[i, a] * row
                weights[n] = -product
                n += 1
                if product > widest:
                    widest, first, second = product, i, j
        if first < 0:
            return _directions(base, weights, offsets, floor)
        _flip(base, first, second)
    return MAX_REACH + 1


@numba.njit(nogil=True, cache=True)
def _directions(base, weights, offsets, floor):  # type: ignore[no-untyped-def]
    """The offsets that belong to the weights, the first nonzero entry positive; clears what is rounding."""
    reach, n = 0, 0
    for i in range(3):
        for j in range(i + 1, 4):
            k = 0 if i > 0 else (1 if j > 1 else 2)
            p, q = base[k], base[6 - i - j - k]
            x, y, z = p[1] * q[2] - p[2] * q[1], p[2] * q[0] - p[0] * q[2], p[0] * q[1] - p[1] * q[0]
            if x < 0 or (x == 0 and (y < 0 or (y == 0 and z < 0))):
                x, y, z = -x, -y, -z
            offsets[n, 0], offsets[n, 1], offsets[n, 2] = x, y, z
            if weights[n] > floor:
                reach = max(reach, x, abs(y), abs(z))
            else:
                weights[n] = 0.0
            n += 1
    return reach


@numba.njit(nogil=True, cache=True)
def decompose(m, spacing, base, weights, offsets):  # type: ignore[no-untyped-def]
    """Decompose m within `MAX_REACH`, blending it with its isotropic part where that takes it; returns the reach."""
    blend = FIRST_BLEND
    reach = _selling(m, base, weights, offsets)
    while reach > MAX_REACH:
        total, dimension = 0.0, 0
        for a in range(3):
            total += m[a, a] * spacing[a] ** 2
            dimension += m[a, a] > 0
        blend = min(blend, 1.0)
        for a in range(3):
            isotropic = total / dimension / spacing[a] ** 2 if m[a, a] > 0 else 0.0
            for b in range(3):
                m[a, b] = (1 - blend) * m[a, b] + (blend * isotropic if a == b else 0.0)
        blend *= 2
        reach = _selling(m, base, weights, offsets)
    return reach


@numba.njit(nogil=True, cache=True)
def eliminate(m, axis):  # type: ignore[no-untyped-def]
    """The tensor along the other axes where nothing flows along this one: its Schur complement, in place."""
    pivot = m[axis, axis]
    for a in range(3):
        for b in range(3):
            if a != axis and b != axis and pivot > 0:
                m[a, b] -= m[a, axis] * m[axis, b] / pivot
    for a in range(3):
        m[a, axis] = m[axis, a] = 0.0
        m[a, a] = max(m[a, a], 0.0)


@numba.njit(nogil=True, cache=True)
def visible(o, i, j, k, x, y, z, steps):  # type: ignore[no-untyped-def]
    """Whether a walk through open cells, face to face and never backward, leads from a cell to that at offset e."""
    if not (0 <= i + x < o.shape[0] and 0 <= j + y < o.shape[1] and 0 <= k + z < o.shape[2]):
        return False
    if not o[i + x, j + y, k + z]:
        return False
    if abs(x) + abs(y) + abs(z) == 1:
        return True
    p, q, r = (1 if x > 0 else -1), (1 if y > 0 else -1), (1 if z > 0 else -1)
    for a in range(abs(x) + 1):
        for b in range(abs(y) + 1):
            for c in range(abs(z) + 1):
                walk = a + b + c == 0
                walk |= (a > 0 and steps[a - 1, b, c]) or (b > 0 and steps[a, b - 1, c])
                walk |= c > 0 and steps[a, b, c - 1]
                steps[a, b, c] = walk and o[i + p * a, j + q * b, k + r * c]
    return steps[abs(x), abs(y), abs(z)]


@numba.njit(nogil=True, cache=True)
def _add(codes, plus, minus, count, code, forward, backward):  # type: ignore[no-untyped-def]
    """Add shares to the edges of one offset; returns how many offsets the cell has now."""
    for n in range(count):
        if codes[n] == code:
            plus[n] += forward
            minus[n] += backward
            return count
    codes[count], plus[count], minus[count] = code, forward, backward
    return count + 1


@numba.njit(nogil=True, cache=True)
def _closed_side(o, i, j, k):  # type: ignore[no-untyped-def]
    """1 where a cell is closed or outside of the grid, else 0."""
    inside = 0 <= i < o.shape[0] and 0 <= j < o.shape[1] and 0 <= k < o.shape[2]
    return 0 if inside and o[i, j, k] else 1


@numba.njit(nogil=True, cache=True)
def _octants(o, i, j, k, tally):  # type: ignore[no-untyped-def]
    """Share of the cell's octants in which each set of axes (bits) ends at a closed face."""
    x = (_closed_side(o, i - 1, j, k), _closed_side(o, i + 1, j, k))
    y = (_closed_side(o, i, j - 1, k), _closed_side(o, i, j + 1, k))
    z = (_closed_side(o, i, j, k - 1), _closed_side(o, i, j, k + 1))
    tally[:] = 0
    for octant in range(8):
        tally[x[octant & 1] + 2 * y[octant >> 1 & 1] + 4 * z[octant >> 2]] += 0.125


@numba.njit(nogil=True, cache=True)
def _copy(m, out):  # type: ignore[no-untyped-def]
    """out <- m, 3 x 3."""
    for a in range(3):
        for b in range(3):
            out[a, b] = m[a, b]


@numba.njit(nogil=True, cache=True)
def scratch():  # type: ignore[no-untyped-def]
    """Work arrays of `shares`, one set per thread."""
    size = MAX_REACH + 1
    return (
        np.zeros((3, 3)),
        np.zeros((4, 3), np.int64),
        np.zeros(6),
        np.zeros((6, 3), np.int64),
        np.zeros(8),
        np.zeros((size, size, size), np.bool_),
    )


@numba.njit(nogil=True, cache=True)
def shares(m, o, room, i, j, k, spacing, codes, plus, minus, work):  # type: ignore[no-untyped-def]
    """What one cell contributes to the weights of its edges +e and -e; returns the number of its offsets.

    The cell is eight octants. Where a face of an octant is closed, the flow through it is zero, which leaves the
    tensor without that axis (`eliminate`). Each octant's decomposition goes half to +e and half to -e, or, where only
    one of them is visible, to that one, so that a linear density has the right energy next to a wall too. Where
    neither is, the octant keeps only faces, each with the diffusivity along it when nothing flows across.

    `room` says how far around the cell all cells are open: where the stencil has room enough, half and half it is.
    """
    reduced, base, weights, offsets, tally, steps = work
    count = 0
    if room > 0:
        tally[:] = 0
        tally[0] = 1
    else:
        _octants(o, i, j, k, tally)
    for blocked in range(8):
        if tally[blocked] == 0:
            continue
        _copy(m, reduced)
        for a in range(3):
            if blocked >> a & 1:
                eliminate(reduced, a)
        if reduced[0, 0] + reduced[1, 1] + reduced[2, 2] <= 0:
            continue
        free = decompose(reduced, spacing, base, weights, offsets) <= room
        if not (free or _all_seen(o, i, j, k, weights, offsets, steps)):
            _faces_only(reduced, weights, offsets)
        for n in range(6):
            if weights[n] > 0:
                x, y, z = offsets[n]
                ahead = free or visible(o, i, j, k, x, y, z, steps)
                behind = free or visible(o, i, j, k, -x, -y, -z, steps)
                share = tally[blocked] * weights[n] * (0.5 if ahead and behind else 1.0)
                count = _add(codes, plus, minus, count, encode(x, y, z), share * ahead, share * behind)
    return count


@numba.njit(nogil=True, cache=True)
def _all_seen(o, i, j, k, weights, offsets, steps):  # type: ignore[no-untyped-def]
    """Whether of each direction that carries weight at least one end is visible."""
    for n in range(6):
        if weights[n] > 0:
            x, y, z = offsets[n]
            if not (visible(o, i, j, k, x, y, z, steps) or visible(o, i, j, k, -x, -y, -z, steps)):
                return False
    return True


@numba.njit(nogil=True, cache=True)
def _faces_only(m, weights, offsets):  # type: ignore[no-untyped-def]
    """Weights along the axes alone: what is left of m along each when the two others are eliminated."""
    for n in range(6):
        weights[n] = 0
        for a in range(3):
            offsets[n, a] = 0
    single = np.empty((3, 3))
    for a in range(3):
        _copy(m, single)
        eliminate(single, (a + 1) % 3)
        eliminate(single, (a + 2) % 3)
        weights[a], offsets[a, a] = single[a, a], 1
