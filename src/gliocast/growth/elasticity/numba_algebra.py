"""Vector sweeps and the setup of one level, compiled for the CPU; slots and symbols are those of numba_stencil."""

import numba
import numpy as np

from gliocast.growth.kernels.compiled import compile_loops


def _edges(compliance, mxy, mxz, myz):  # type: ignore[no-untyped-def]
    """mu at edges from 1/mu at cells: 4 over the sum of four, which is zero behind the wall."""
    na, nb, nc = compliance.shape
    four = compliance.dtype.type(4)
    for a in numba.prange(1, na):
        for b in range(1, nb):
            e00, e01, e10, e11 = compliance[a - 1, b - 1], compliance[a - 1, b], compliance[a, b - 1], compliance[a, b]
            xy, xz, yz = mxy[a, b], mxz[a, b], myz[a, b]
            for c in range(1, nc - 1):
                xy[c] = four / (e00[c] + e01[c] + e10[c] + e11[c])
            if b < nb - 1:
                for c in range(1, nc):
                    xz[c] = four / (e01[c] + e01[c - 1] + e11[c] + e11[c - 1])
            if a < na - 1:
                for c in range(1, nc):
                    yz[c] = four / (e10[c] + e10[c - 1] + e11[c] + e11[c - 1])


@numba.njit(inline="always")
def _inverse_row(s, l0, l1, m0, m1, i, e0, e1, j, f0, f1, k):  # type: ignore[no-untyped-def]
    """s <- 1/diagonal, from the two cells and the four edges around each face."""
    one = s.dtype.type(1)
    for c in range(s.size):
        s[c] = one / ((l0[c] + l1[c] + m0[c] + m1[c]) * i * i + (e0[c] + e1[c]) * j * j + (f0[c] + f1[c]) * k * k)


def _inverse_diagonal(scale, lam, mu2, mxy, mxz, myz, ix, iy, iz):  # type: ignore[no-untyped-def]
    """scale <- 1/diagonal of A, at faces that aren't on the wall."""
    na, nb, _ = lam.shape
    for a in numba.prange(1, na - 1):
        for b in range(1, nb - 1):
            l1, m, xy = lam[a, b, 1:-1], mu2[a, b, 1:-1], mxy[a, b, 1:-1]
            xz, xz1, yz, yz1 = mxz[a, b, 1:-1], mxz[a, b, 2:], myz[a, b, 1:-1], myz[a, b, 2:]
            if a > 1:
                l0, m0, xy1 = lam[a - 1, b, 1:-1], mu2[a - 1, b, 1:-1], mxy[a, b + 1, 1:-1]
                _inverse_row(scale[0, a, b, 1:-1], l0, l1, m0, m, ix, xy, xy1, iy, xz, xz1, iz)
            if b > 1:
                l0, m0, xy1 = lam[a, b - 1, 1:-1], mu2[a, b - 1, 1:-1], mxy[a + 1, b, 1:-1]
                _inverse_row(scale[1, a, b, 1:-1], l0, l1, m0, m, iy, xy, xy1, ix, yz, yz1, iz)
            xz, xz1, yz, yz1 = xz[1:], mxz[a + 1, b, 2:-1], yz[1:], myz[a, b + 1, 2:-1]
            _inverse_row(scale[2, a, b, 2:-1], l1[:-1], l1[1:], m[:-1], m[1:], iz, xz, xz1, ix, yz, yz1, iy)


def _gather(out, field, sx, wx, sy, wy, sz, wz, keep):  # type: ignore[no-untyped-def]
    """out <- keep out + (Tx x Ty x Tz) field, each T given by first index and weights, (rows, taps)."""
    na, nb, nc = out.shape
    for a in numba.prange(1, na - 1):
        row = np.empty(field.shape[2], field.dtype)
        for b in range(1, nb - 1):
            row[:] = 0
            for p in range(wx.shape[1]):
                for q in range(wy.shape[1]):
                    weight = wx[a, p] * wy[b, q]
                    if weight != 0:
                        source = field[sx[a] + p, sy[b] + q]
                        for c in range(row.size):
                            row[c] += weight * source[c]
            t = out[a, b]
            for c in range(1, nc - 1):
                value = keep * t[c]
                first = sz[c]
                for p in range(wz.shape[1]):
                    value += wz[c, p] * row[first + p]
                t[c] = value


def _start(scale, r, weight, out, zero):  # type: ignore[no-untyped-def]
    """out <- weight scale r; zero <- 0."""
    for a in numba.prange(r.shape[1]):
        for b in range(r.shape[2]):
            for component in range(3):
                t, d, q = out[component, a, b], scale[component, a, b], r[component, a, b]
                for c in range(t.size):
                    t[c] = weight * d[c] * q[c]
                zero[component, a, b] = 0


def _push(out, p, ix, iy, iz):  # type: ignore[no-untyped-def]
    """out <- -grad p at faces that aren't on the wall, from a cell field without margin."""
    for a in numba.prange(p.shape[0]):
        for b in range(p.shape[1]):
            row = p[a, b]
            if a > 0:
                before, t = p[a - 1, b], out[0, a + 1, b + 1, 1:-1]
                for c in range(row.size):
                    t[c] = (before[c] - row[c]) * ix
            if b > 0:
                before, t = p[a, b - 1], out[1, a + 1, b + 1, 1:-1]
                for c in range(row.size):
                    t[c] = (before[c] - row[c]) * iy
            left, right, t = row[:-1], row[1:], out[2, a + 1, b + 1, 2:-1]
            for c in range(right.size):
                t[c] = (left[c] - right[c]) * iz


def _dot(u, v):  # type: ignore[no-untyped-def]
    """<u, v>; rows are summed in their own precision, their sums in double precision."""
    total = 0.0
    for a in numba.prange(u.shape[1]):
        for component in range(3):
            for b in range(u.shape[2]):
                x, y = u[component, a, b], v[component, a, b]
                part = u.dtype.type(0)
                for c in range(x.size):
                    part += x[c] * y[c]
                total += part
    return total


def _advance(u, r, p, q, alpha):  # type: ignore[no-untyped-def]
    """u <- u + alpha p, r <- r - alpha q; returns <r, r>."""
    total = 0.0
    for a in numba.prange(u.shape[1]):
        for component in range(3):
            for b in range(u.shape[2]):
                x, y = u[component, a, b], p[component, a, b]
                for c in range(x.size):
                    x[c] += alpha * y[c]
                x, y = r[component, a, b], q[component, a, b]
                part = u.dtype.type(0)
                for c in range(x.size):
                    x[c] -= alpha * y[c]
                    part += x[c] * x[c]
                total += part
    return total


def _direction(p, z, beta):  # type: ignore[no-untyped-def]
    """p <- z + beta p."""
    for a in numba.prange(p.shape[1]):
        for component in range(3):
            for b in range(p.shape[2]):
                x, y = p[component, a, b], z[component, a, b]
                for c in range(x.size):
                    x[c] = y[c] + beta * x[c]


_LOOPS = (_edges, _inverse_diagonal, _gather, _push, _start, _dot, _advance, _direction)
SHARED = compile_loops(*_LOOPS, parallel=True, reorder=True)
SINGLE = compile_loops(*_LOOPS, parallel=False, reorder=True)
