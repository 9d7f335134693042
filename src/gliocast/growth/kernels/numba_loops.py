"""Loops over the active box, compiled for the CPU.

Arrays are C-contiguous. Rows along the last axis are indexed whole, and each row is swept by several short loops
that touch few arrays each: with more than eight pointers in one loop the compiler gives up proving that they don't
overlap and falls back to scalar code, which costs a factor of three.

Symbols: u, y density; L the finite-volume operator div(D grad .)/D_w; fx, fy, fz face coefficients; low, high bounds of
the active box, whose rim is closed.
"""
# mypy: disable-error-code="no-untyped-def"

import numba
import numpy as np

from gliocast.growth.kernels import pointwise
from gliocast.growth.kernels.compiled import compile_loops

#: Smaller than any mobility that counts; keeps the mean of two closed cells from being 0 / 0 [any unit].
_TINY = 1e-37


@numba.njit(inline="always")
def _laplacian_row(row, y, fx, fy, fz, i, j, low, high):
    """row <- (L y)[i, j, low[2]:high[2]]; the rim of the box is closed."""
    k0, k1 = low[2], high[2]
    n = k1 - k0
    u = y[i, j, k0:k1]
    before, after = y[max(i - 1, low[0]), j, k0:k1], y[min(i + 1, high[0] - 1), j, k0:k1]
    f, g = fx[i, j, k0:k1], fx[i + 1, j, k0:k1]
    for k in range(n):
        row[k] = f[k] * (before[k] - u[k]) + g[k] * (after[k] - u[k])
    before, after = y[i, max(j - 1, low[1]), k0:k1], y[i, min(j + 1, high[1] - 1), k0:k1]
    f, g = fy[i, j, k0:k1], fy[i, j + 1, k0:k1]
    for k in range(n):
        row[k] += f[k] * (before[k] - u[k]) + g[k] * (after[k] - u[k])
    f = fz[i, j, k0 : k1 + 1]
    if n > 1:
        row[0] += f[1] * (u[1] - u[0])
        row[n - 1] -= f[n - 1] * (u[n - 1] - u[n - 2])
    for k in range(1, n - 1):
        row[k] += f[k + 1] * (u[k + 1] - u[k]) - f[k] * (u[k] - u[k - 1])


def _laplacian(y, out, fx, fy, fz, low, high):
    """out <- L y."""
    for i in numba.prange(low[0], high[0]):
        for j in range(low[1], high[1]):
            _laplacian_row(out[i, j, low[2] : high[2]], y, fx, fy, fz, i, j, low, high)


def _weighted_laplacian(y, out, weight, fx, fy, fz, low, high):
    """out <- L y / weight."""
    for i in numba.prange(low[0], high[0]):
        for j in range(low[1], high[1]):
            row, w = out[i, j, low[2] : high[2]], weight[i, j, low[2] : high[2]]
            _laplacian_row(row, y, fx, fy, fz, i, j, low, high)
            for k in range(row.size):
                row[k] /= w[k]


def _first_stage(y0, lap, out, fx, fy, fz, low, high, scale):
    """lap <- L y0, out <- y0 + scale lap."""
    for i in numba.prange(low[0], high[0]):
        row = np.empty(high[2] - low[2], y0.dtype)
        for j in range(low[1], high[1]):
            _laplacian_row(row, y0, fx, fy, fz, i, j, low, high)
            u, t, v = y0[i, j, low[2] : high[2]], lap[i, j, low[2] : high[2]], out[i, j, low[2] : high[2]]
            for k in range(row.size):
                t[k] = row[k]
                v[k] = u[k] + scale * row[k]


def _stage(y0, lap, y, previous, out, fx, fy, fz, low, high, mu, nu, mu_scale, gamma_scale):
    """out <- mu y + nu previous + (1 - mu - nu) y0 + mu_scale L y + gamma_scale lap; out may be previous."""
    rest = y0.dtype.type(1.0 - float(mu) - float(nu))  # in double, for reordered it would lose mass to rounding
    for i in numba.prange(low[0], high[0]):
        row = np.empty(high[2] - low[2], y.dtype)
        for j in range(low[1], high[1]):
            _laplacian_row(row, y, fx, fy, fz, i, j, low, high)
            u, w, v = y[i, j, low[2] : high[2]], previous[i, j, low[2] : high[2]], out[i, j, low[2] : high[2]]
            a, b = y0[i, j, low[2] : high[2]], lap[i, j, low[2] : high[2]]
            for k in range(row.size):
                v[k] = mu * u[k] + nu * w[k] + rest * a[k] + mu_scale * row[k] + gamma_scale * b[k]


def _combine(y0, lap, y, lap_y, previous, out, low, high, mu, nu, mu_scale, gamma_scale):
    """out <- mu y + nu previous + (1 - mu - nu) y0 + mu_scale lap_y + gamma_scale lap; out may be previous."""
    rest = y0.dtype.type(1.0 - float(mu) - float(nu))  # in double, for reordered it would lose mass to rounding
    for i in numba.prange(low[0], high[0]):
        for j in range(low[1], high[1]):
            u, w, v = y[i, j, low[2] : high[2]], previous[i, j, low[2] : high[2]], out[i, j, low[2] : high[2]]
            a, b = y0[i, j, low[2] : high[2]], lap[i, j, low[2] : high[2]]
            t = lap_y[i, j, low[2] : high[2]]
            for k in range(v.size):
                v[k] = mu * u[k] + nu * w[k] + rest * a[k] + mu_scale * t[k] + gamma_scale * b[k]


def _logistic(u, low, high, growth):
    """u <- logistic growth by the same factor everywhere."""
    for i in numba.prange(low[0], high[0]):
        for j in range(low[1], high[1]):
            row = u[i, j, low[2] : high[2]]
            for k in range(row.size):
                row[k] = pointwise.logistic(row[k], growth)


def _logistic_field(u, exponent, low, high, time):
    """u <- logistic growth by a factor exp(exponent time) of each voxel's own."""
    for i in numba.prange(low[0], high[0]):
        for j in range(low[1], high[1]):
            row, r = u[i, j, low[2] : high[2]], exponent[i, j, low[2] : high[2]]
            for k in range(row.size):
                row[k] = pointwise.logistic(row[k], pointwise.exponential(time * r[k]))


def _starve(p, n, deficit, low, high, time, rate, death, threshold, uptake, supply):
    """The reaction of proliferating and necrotic cells and of the nutrient, in place."""
    for i in numba.prange(low[0], high[0]):
        for j in range(low[1], high[1]):
            a, b, q = p[i, j, low[2] : high[2]], n[i, j, low[2] : high[2]], deficit[i, j, low[2] : high[2]]
            for k in range(a.size):
                a[k], b[k], q[k] = pointwise.starve(a[k], b[k], q[k], time, rate, death, threshold, uptake, supply)


@numba.njit(inline="always")
def _face_row(out, one, other, inverse_square):
    """out <- harmonic means of two rows of cells over h^2; zero beside a closed cell."""
    two, tiny = out.dtype.type(2), out.dtype.type(_TINY)
    for k in range(out.size):
        out[k] = two * one[k] * other[k] / (one[k] + other[k] + tiny) * inverse_square


def _faces(mobility, fx, fy, fz, low, high, ax, ay, az):
    """Face coefficients on every face that touches the box, but for the rim of the grid, which stays closed.

    The two planes of cells at a face write the same numbers.

    Returns:
        The largest sum over the six faces of a cell in the box.
    """
    nx, ny, nz = mobility.shape
    k0, k1 = low[2], high[2]
    first, last = max(k0, 1), min(k1, nz - 1)
    largest = np.zeros(high[0] - low[0], mobility.dtype)
    for i in numba.prange(low[0], high[0]):
        most = np.zeros(k1 - k0, mobility.dtype)  # a row, for a running maximum doesn't vectorize
        for j in range(low[1], high[1]):
            here = mobility[i, j, k0:k1]
            if i > 0:
                _face_row(fx[i, j, k0:k1], mobility[i - 1, j, k0:k1], here, ax)
            if i < nx - 1:
                _face_row(fx[i + 1, j, k0:k1], here, mobility[i + 1, j, k0:k1], ax)
            if j > 0 and j == low[1]:
                _face_row(fy[i, j, k0:k1], mobility[i, j - 1, k0:k1], here, ay)
            if j < ny - 1:
                _face_row(fy[i, j + 1, k0:k1], here, mobility[i, j + 1, k0:k1], ay)
            _face_row(
                fz[i, j, first : last + 1], mobility[i, j, first - 1 : last], mobility[i, j, first : last + 1], az
            )
            a, b, c, d = fx[i, j, k0:k1], fx[i + 1, j, k0:k1], fy[i, j, k0:k1], fy[i, j + 1, k0:k1]
            f = fz[i, j, k0 : k1 + 1]
            for k in range(k1 - k0):
                most[k] = max(most[k], a[k] + b[k] + c[k] + d[k] + f[k] + f[k + 1])
        largest[i - low[0]] = most.max()
    return largest.max()


@numba.njit(nogil=True, cache=True)
def support(u, low, high, level):
    """Bounds of {u > level} inside the box; empty bounds where there is none."""
    a = np.array([high[0], high[1], high[2]])
    b = np.array([low[0], low[1], low[2]])
    for i in range(low[0], high[0]):
        for j in range(low[1], high[1]):
            row = u[i, j]
            first = low[2]
            while first < high[2] and row[first] <= level:
                first += 1
            if first == high[2]:
                continue
            last = high[2] - 1
            while row[last] <= level:
                last -= 1
            a[0], a[1], a[2] = min(a[0], i), min(a[1], j), min(a[2], first)
            b[0], b[1], b[2] = max(b[0], i + 1), max(b[1], j + 1), max(b[2], last + 1)
    return a, b


_LOOPS = (_laplacian, _weighted_laplacian, _first_stage, _stage, _combine, _logistic, _logistic_field, _starve, _faces)

#: The same loops twice: threads share one solve, or each solve of a batch has one thread to itself.
SHARED, SINGLE = compile_loops(*_LOOPS, parallel=True), compile_loops(*_LOOPS, parallel=False)
