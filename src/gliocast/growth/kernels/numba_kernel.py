"""Sweeps over the active box, compiled for the CPU.

Arrays are C-contiguous. Rows along the last axis are indexed whole, and each row is swept by several short loops
that touch few arrays each: with more than eight pointers in one loop the compiler gives up proving that they don't
overlap and falls back to scalar code, which costs a factor of three.

Symbols: u, y density; L the finite-volume operator div(D grad .)/D_w; fx, fy, fz face coefficients.
"""

import numba
import numpy as np

from gliocast.core.box import Box
from gliocast.growth.kernels.compiled import compile_loops
from gliocast.growth.kernels.conductance import Conductance


@numba.njit(inline="always")
def _laplacian_row(row, y, fx, fy, fz, i, j, low, high):  # type: ignore[no-untyped-def]
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
    f, left, right = fz[i, j, k0 + 1 : k1], u[: n - 1], u[1:]
    row_left, row_right = row[: n - 1], row[1:n]
    for k in range(n - 1):
        row_left[k] += f[k] * (right[k] - left[k])
    for k in range(n - 1):
        row_right[k] -= f[k] * (right[k] - left[k])


def _first_stage(y0, lap, out, fx, fy, fz, low, high, scale):  # type: ignore[no-untyped-def]
    """lap <- L y0, out <- y0 + scale lap."""
    for i in numba.prange(low[0], high[0]):
        row = np.empty(high[2] - low[2], y0.dtype)
        for j in range(low[1], high[1]):
            _laplacian_row(row, y0, fx, fy, fz, i, j, low, high)
            u, t, v = y0[i, j, low[2] : high[2]], lap[i, j, low[2] : high[2]], out[i, j, low[2] : high[2]]
            for k in range(row.size):
                t[k] = row[k]
                v[k] = u[k] + scale * row[k]


def _stage(y0, lap, y, previous, out, fx, fy, fz, low, high, mu, nu, mu_scale, gamma_scale):  # type: ignore[no-untyped-def]
    """out <- mu y + nu previous + (1 - mu - nu) y0 + mu_scale L y + gamma_scale lap; out may be previous."""
    rest = y0.dtype.type(1) - mu - nu
    for i in numba.prange(low[0], high[0]):
        row = np.empty(high[2] - low[2], y.dtype)
        for j in range(low[1], high[1]):
            _laplacian_row(row, y, fx, fy, fz, i, j, low, high)
            u, w, v = y[i, j, low[2] : high[2]], previous[i, j, low[2] : high[2]], out[i, j, low[2] : high[2]]
            a, b = y0[i, j, low[2] : high[2]], lap[i, j, low[2] : high[2]]
            for k in range(row.size):
                v[k] = mu * u[k] + nu * w[k] + rest * a[k] + mu_scale * row[k] + gamma_scale * b[k]


def _logistic(u, low, high, growth):  # type: ignore[no-untyped-def]
    """u <- exact solution of u' = rho u (1 - u) after a time t with growth = exp(rho t)."""
    one = u.dtype.type(1)
    for i in numba.prange(low[0], high[0]):
        for j in range(low[1], high[1]):
            row = u[i, j, low[2] : high[2]]
            for k in range(row.size):
                grown = growth * row[k]
                row[k] = grown / (one - row[k] + grown)


@numba.njit(nogil=True, cache=True)
def _support(u, low, high, level):  # type: ignore[no-untyped-def]
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


#: The same loops twice: threads share one solve, or each solve of a batch has one thread to itself.
_SHARED = compile_loops(_first_stage, _stage, _logistic, parallel=True)
_SINGLE = compile_loops(_first_stage, _stage, _logistic, parallel=False)


class NumbaKernel:
    """The sweeps of one solve on the CPU.

    Args:
        conductance: face coefficients; they fix the floating type of the state.
        parallel: whether threads share the box. A single-threaded kernel releases the GIL and may run beside others.
    """

    def __init__(self, conductance: Conductance, *, parallel: bool = True) -> None:
        self.conductance = conductance
        self._loops = _SHARED if parallel else _SINGLE
        self._float = conductance.faces[0].dtype.type

    def load(self, density: np.ndarray) -> np.ndarray:
        """A state of the kernel's own from a density."""
        return np.array(density, dtype=self._float, order="C")

    def empty(self, state: np.ndarray) -> np.ndarray:
        """Another state, all zero."""
        return np.zeros_like(state)

    def unload(self, state: np.ndarray) -> np.ndarray:
        """The density that a state holds."""
        return state

    def logistic(self, state: np.ndarray, box: Box, growth: float) -> None:
        """Exact logistic growth by the factor exp(rho t), in place."""
        self._loops["_logistic"](state, box.lower, box.upper, self._float(growth))

    def first_stage(self, y0: np.ndarray, lap: np.ndarray, out: np.ndarray, box: Box, scale: float) -> None:
        """lap <- L y0, out <- y0 + scale lap."""
        self._loops["_first_stage"](y0, lap, out, *self.conductance.faces, box.lower, box.upper, self._float(scale))

    def stage(
        self,
        y0: np.ndarray,
        lap: np.ndarray,
        y: np.ndarray,
        previous: np.ndarray,
        out: np.ndarray,
        box: Box,
        weights: tuple[float, ...],
    ) -> None:
        """out <- the next Runge-Kutta-Legendre stage, from the weights (mu, nu, mu~ scale, gamma~ scale)."""
        mu, nu, mu_scale, gamma_scale = (self._float(w) for w in weights)
        faces, low, high = self.conductance.faces, box.lower, box.upper
        self._loops["_stage"](y0, lap, y, previous, out, *faces, low, high, mu, nu, mu_scale, gamma_scale)

    def support(self, state: np.ndarray, box: Box, level: float) -> Box:
        """The smallest box that holds every voxel above a level."""
        lower, upper = _support(state, box.lower, box.upper, self._float(level))
        return Box(tuple(int(a) for a in lower), tuple(int(b) for b in upper))  # type: ignore[arg-type]
