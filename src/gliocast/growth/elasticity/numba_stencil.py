"""Sweeps of the elastic operator, compiled for the CPU.

Fields are laid out in slots (see slots.py); margins and walls are never written.

Rows along the last axis are indexed whole, and each is swept by short loops that write one array and read few: with
more pointers the compiler gives up proving that they don't overlap and falls back to scalar code. Stresses live in
row buffers only; those that the next row needs again stay there.

Symbols: u displacement, shape (3, slots); r right-hand side; p = lambda div u; s stress; lam, mu2 = lambda, 2 mu at
cells; mxy, mxz, myz = mu at edges; ix, iy, iz = 1/spacing; a, b, c slots along x, y, z.
"""

import numba
import numpy as np

from gliocast.growth.kernels.compiled import ROW_OPTIONS, compile_loops

#: Row buffers of one thread: 0 p, 1 sxx, 2 sxx before, 3-4 syy, 5 szz, 6-7 sxy, 8 sxy after, 9 sxz, 10 sxz after,
#: 11-12 syz; a pair holds this row and the previous one. 13-15 are the three rows of A u.
_NUM_BUFFERS = 16


@numba.njit(inline="always")
def _pressure_row(p, u, lam, a, b, ix, iy, iz):  # type: ignore[no-untyped-def]
    """p <- lambda div u of the cells in row (a, b)."""
    n = p.size
    x0, x1, y0, y1 = u[0, a, b], u[0, a + 1, b], u[1, a, b], u[1, a, b + 1]
    z, modulus = u[2, a, b], lam[a, b]
    for c in range(n - 1):
        p[c] = modulus[c] * ((x1[c] - x0[c]) * ix + (y1[c] - y0[c]) * iy + (z[c + 1] - z[c]) * iz)


@numba.njit(inline="always")
def _normal_row(s, p, modulus, lower, upper, inverse):  # type: ignore[no-untyped-def]
    """s <- p + 2 mu (difference of two faces) / spacing."""
    for c in range(s.size - 1):
        s[c] = p[c] + modulus[c] * ((upper[c] - lower[c]) * inverse)


@numba.njit(inline="always")
def _shear_row(s, modulus, v0, v1, i, w0, w1, j):  # type: ignore[no-untyped-def]
    """s <- mu ((v1 - v0) i + (w1 - w0) j), the shear stress at the edges of a row."""
    for c in range(s.size - 1):
        s[c] = modulus[c] * ((v1[c] - v0[c]) * i + (w1[c] - w0[c]) * j)


@numba.njit(inline="always")
def _shear_z_row(s, modulus, v, w0, w1, i, iz):  # type: ignore[no-untyped-def]
    """s <- mu ((dv/dz) + (w1 - w0) i), the shear stress at the edges that cross a row."""
    left, right = v[:-1], v[1:]
    s, modulus, w0, w1 = s[1:], modulus[1:], w0[1:], w1[1:]
    for c in range(s.size):
        s[c] = modulus[c] * ((right[c] - left[c]) * iz + (w1[c] - w0[c]) * i)


@numba.njit(inline="always")
def _balance_row(f, n0, n1, i, s0, s1, j, t, k):  # type: ignore[no-untyped-def]
    """f <- -(difference of two normal stresses, of two shear stresses, and along the row)."""
    for c in range(f.size - 1):
        f[c] = (n0[c] - n1[c]) * i + (s0[c] - s1[c]) * j + (t[c] - t[c + 1]) * k


@numba.njit(inline="always")
def _balance_z_row(f, t, k, s0, s1, i, w0, w1, j):  # type: ignore[no-untyped-def]
    """The same for the displacement along the row: its normal stress differs along the row."""
    left, right = t[:-1], t[1:]
    f, s0, s1, w0, w1 = f[1:], s0[1:], s1[1:], w0[1:], w1[1:]
    for c in range(f.size):
        f[c] = (left[c] - right[c]) * k + (s0[c] - s1[c]) * i + (w0[c] - w1[c]) * j


@numba.njit(**ROW_OPTIONS)
def _first_rows(w, u, mxy, myz, a, ix, iy, iz):  # type: ignore[no-untyped-def]
    """Shear stresses at the near wall, from which the sweep along y starts."""
    _shear_row(w[7], mxy[a, 1], u[0, a, 0], u[0, a, 1], iy, u[1, a - 1, 1], u[1, a, 1], ix)
    _shear_z_row(w[12], myz[a, 1], u[1, a, 1], u[2, a, 0], u[2, a, 1], iy, iz)


@numba.njit(**ROW_OPTIONS)
def _force_rows(w, u, lam, mu2, mxy, mxz, myz, a, b, ix, iy, iz):  # type: ignore[no-untyped-def]
    """w[13:16] <- the rows (a, b) of A u; rows have to come in the order of b."""
    now = b % 2
    syy, syy0, sxy, sxy1, syz, syz1 = w[3 + now], w[4 - now], w[6 + now], w[7 - now], w[11 + now], w[12 - now]
    p, x, y, z = w[0], u[0, a, b], u[1, a, b], u[2, a, b]
    _pressure_row(p, u, lam, a - 1, b, ix, iy, iz)
    _normal_row(w[2], p, mu2[a - 1, b], u[0, a - 1, b], x, ix)
    _pressure_row(p, u, lam, a, b, ix, iy, iz)
    _normal_row(w[1], p, mu2[a, b], x, u[0, a + 1, b], ix)
    _normal_row(syy, p, mu2[a, b], y, u[1, a, b + 1], iy)
    _normal_row(w[5], p, mu2[a, b], z, z[1:], iz)
    _shear_row(w[8], mxy[a + 1, b], u[0, a + 1, b - 1], u[0, a + 1, b], iy, y, u[1, a + 1, b], ix)
    _shear_row(sxy1, mxy[a, b + 1], x, u[0, a, b + 1], iy, u[1, a - 1, b + 1], u[1, a, b + 1], ix)
    _shear_z_row(w[9], mxz[a, b], x, u[2, a - 1, b], z, ix, iz)
    _shear_z_row(w[10], mxz[a + 1, b], u[0, a + 1, b], z, u[2, a + 1, b], ix, iz)
    _shear_z_row(syz1, myz[a, b + 1], u[1, a, b + 1], z, u[2, a, b + 1], iy, iz)
    _balance_row(w[13], w[2], w[1], ix, sxy, sxy1, iy, w[9], iz)
    _balance_row(w[14], syy0, syy, iy, sxy, w[8], ix, syz, iz)
    _balance_z_row(w[15], w[5], iz, w[9], w[10], ix, syz, syz1, iy)


@numba.njit(inline="always")
def _inside(component, a, b, n):  # type: ignore[no-untyped-def]
    """First and last slot (exclusive) of the faces of a row that aren't on the wall; none on a wall's own row."""
    if (component == 0 and a == 1) or (component == 1 and b == 1):
        return n - 1, n - 1
    return (2 if component == 2 else 1), n - 1


def _apply(u, out, lam, mu2, mxy, mxz, myz, ix, iy, iz):  # type: ignore[no-untyped-def]
    """out <- A u; returns <u, A u>."""
    _, na, nb, nc = u.shape
    total = 0.0
    for a in numba.prange(1, na - 1):
        w = np.zeros((_NUM_BUFFERS, nc), u.dtype)
        _first_rows(w, u, mxy, myz, a, ix, iy, iz)
        for b in range(1, nb - 1):
            _force_rows(w, u, lam, mu2, mxy, mxz, myz, a, b, ix, iy, iz)
            for component in range(3):
                low, high = _inside(component, a, b, nc)
                f, v, t = w[13 + component, low:high], u[component, a, b, low:high], out[component, a, b, low:high]
                part = u.dtype.type(0)
                for c in range(f.size):
                    t[c] = f[c]
                for c in range(f.size):
                    part += f[c] * v[c]
                total += part
    return total


def _residual(u, r, out, lam, mu2, mxy, mxz, myz, ix, iy, iz):  # type: ignore[no-untyped-def]
    """out <- r - A u."""
    _, na, nb, nc = u.shape
    for a in numba.prange(1, na - 1):
        w = np.zeros((_NUM_BUFFERS, nc), u.dtype)
        _first_rows(w, u, mxy, myz, a, ix, iy, iz)
        for b in range(1, nb - 1):
            _force_rows(w, u, lam, mu2, mxy, mxz, myz, a, b, ix, iy, iz)
            for component in range(3):
                low, high = _inside(component, a, b, nc)
                f, v, t = w[13 + component, low:high], r[component, a, b, low:high], out[component, a, b, low:high]
                for c in range(f.size):
                    t[c] = v[c] - f[c]


def _relax(u, before, r, scale, out, momentum, weight, lam, mu2, mxy, mxz, myz, ix, iy, iz):  # type: ignore[no-untyped-def]
    """out <- u + momentum (u - before) + weight scale (r - A u); out may be before."""
    _, na, nb, nc = u.shape
    for a in numba.prange(1, na - 1):
        w = np.zeros((_NUM_BUFFERS, nc), u.dtype)
        _first_rows(w, u, mxy, myz, a, ix, iy, iz)
        for b in range(1, nb - 1):
            _force_rows(w, u, lam, mu2, mxy, mxz, myz, a, b, ix, iy, iz)
            for component in range(3):
                low, high = _inside(component, a, b, nc)
                f, v, t = w[13 + component, low:high], u[component, a, b, low:high], out[component, a, b, low:high]
                d, q, old = (
                    scale[component, a, b, low:high],
                    r[component, a, b, low:high],
                    before[component, a, b, low:high],
                )
                for c in range(f.size):
                    t[c] = v[c] + momentum * (v[c] - old[c]) + weight * d[c] * (q[c] - f[c])


SHARED = compile_loops(_apply, _residual, _relax, parallel=True, reorder=True)
SINGLE = compile_loops(_apply, _residual, _relax, parallel=False, reorder=True)
