"""One grid of the hierarchy on the CPU, with compiled sweeps."""

from types import SimpleNamespace
from typing import Any

import numpy as np

from gliocast.growth.elasticity import numba_algebra, numba_stencil
from gliocast.growth.elasticity.coarsening import (
    Taps,
    cell_average,
    cell_interpolation,
    coarse_shape,
    face_interpolation,
)
from gliocast.growth.elasticity.displacement import Displacement
from gliocast.growth.elasticity.multigrid import spectral_bound
from gliocast.growth.elasticity.slots import face_views, fill
from gliocast.growth.kernels.compiled import threads_share

_SHARED = SimpleNamespace(**vars(numba_stencil.SHARED), **vars(numba_algebra.SHARED))
_SINGLE = SimpleNamespace(**vars(numba_stencil.SINGLE), **vars(numba_algebra.SINGLE))

#: Grids of fewer cells are swept by one thread [1]: a sweep takes less than a millisecond, and where others use the
#: machine too, threads wait for each other longer than that.
MIN_SHARED_CELLS = 100_000


class NumbaLevel:
    """The operator on one grid, its work arrays and its way to the next coarser one.

    Vectors are arrays (3, nx + 2, ny + 2, nz + 2) in slots (see numba_stencil); what a method returns is one of the
    level's two iterates `_a` and `_b`, or its residual `_c`.

    Args:
        lam: lambda [kPa], shape (nx, ny, nz).
        mu: shear modulus [kPa], likewise.
        spacing: cell size along the axes [mm].
        parallel: whether threads share a sweep.
    """

    def __init__(
        self, lam: np.ndarray, mu: np.ndarray, spacing: tuple[float, float, float], *, parallel: bool = True
    ) -> None:
        self._lam, self._mu, self._spacing, self._parallel = lam, mu, spacing, parallel
        self._loops = _SHARED if parallel and threads_share(lam.size, MIN_SHARED_CELLS) else _SINGLE
        self._float = lam.dtype.type
        self.bound = spectral_bound(lam, mu)
        slots = tuple(n + 2 for n in lam.shape)
        shears = [np.zeros(slots, lam.dtype) for _ in range(3)]
        self._loops.edges(np.pad(1 / mu, 1), *shears)
        inverse = [self._float(1 / step) for step in spacing]
        self._moduli = (np.pad(lam, 1), np.pad(2 * mu, 1), *shears, *inverse)
        self._scale, self._a, self._b, self._c = (np.zeros((3, *slots), lam.dtype) for _ in range(4))
        self._loops.inverse_diagonal(self._scale, *self._moduli)
        self._down: list[list[np.ndarray]] = []
        self._up: list[list[np.ndarray]] = []
        self._coarse_rhs: np.ndarray

    def coarsened(self) -> "NumbaLevel | None":
        """The next coarser level, to which this one restricts from now on; None where there is none."""
        fine = self._lam.shape
        coarse = coarse_shape(fine, self._spacing)
        if coarse is None:
            return None
        sizes = list(zip(fine, coarse, strict=True))
        average = self._taps([cell_average(*size) for size in sizes])
        for component in range(3):
            matrices = [(face_interpolation if a == component else cell_interpolation)(*n) for a, n in enumerate(sizes)]
            self._up.append(self._taps(matrices))
            self._down.append(self._taps([m.T * (c / f) for m, (f, c) in zip(matrices, sizes, strict=True)]))
        lam, mu = (self._averaged(modulus, coarse, average) for modulus in (self._lam, self._mu))
        spacing = tuple(h * f / c for h, (f, c) in zip(self._spacing, sizes, strict=True))
        level = NumbaLevel(lam, mu, spacing, parallel=self._parallel)
        self._coarse_rhs = level.zeros()
        return level

    def zeros(self) -> np.ndarray:
        """A vector of zeros in memory of its own."""
        return np.zeros_like(self._scale)

    def push(self, pressure: np.ndarray) -> np.ndarray:
        """The right-hand side of a pressure, -grad p, in memory of its own."""
        rhs = self.zeros()
        self._loops.push(rhs, pressure, *self._moduli[-3:])
        return rhs

    def pack(self, displacement: Displacement) -> np.ndarray:
        """A vector from the components on faces."""
        return fill(self.zeros(), displacement)

    def unpack(self, u: np.ndarray) -> Displacement:
        """The components on faces, each in memory of its own."""
        return Displacement(*(part.copy() for part in face_views(u)))

    def start(self, rhs: np.ndarray, weight: float) -> tuple[np.ndarray, np.ndarray]:
        """(weight D^-1 rhs, 0)."""
        self._loops.start(self._scale, rhs, self._float(weight), self._a, self._b)
        return self._a, self._b

    def relax(self, u: np.ndarray, before: np.ndarray, rhs: np.ndarray, momentum: float, weight: float) -> np.ndarray:
        """u + momentum (u - before) + weight D^-1 (rhs - A u)."""
        out = self._b if u is self._a else self._a
        steps = self._float(momentum), self._float(weight)
        self._loops.relax(u, before, rhs, self._scale, out, *steps, *self._moduli)
        return out

    def residual(self, u: np.ndarray, rhs: np.ndarray) -> np.ndarray:
        """Rhs - A u."""
        self._loops.residual(u, rhs, self._c, *self._moduli)
        return self._c

    def restrict(self, residual: np.ndarray) -> np.ndarray:
        """The residual on the next coarser grid."""
        for out, part, taps in zip(self._coarse_rhs, residual, self._down, strict=True):
            self._loops.gather(out, part, *taps, self._float(0))
        return self._coarse_rhs

    def correct(self, u: np.ndarray, coarse: np.ndarray) -> np.ndarray:
        """U + the interpolated coarse vector, in place."""
        for out, part, taps in zip(u, coarse, self._up, strict=True):
            self._loops.gather(out, part, *taps, self._float(1))
        return u

    def apply(self, p: np.ndarray) -> tuple[np.ndarray, float]:
        """A p, and <p, A p>."""
        return self._c, self._loops.apply(p, self._c, *self._moduli)

    def dot(self, u: np.ndarray, v: np.ndarray) -> float:
        """<u, v>."""
        return self._loops.dot(u, v)

    def ratio(self, numerator: float, denominator: float) -> float:
        """The quotient, zero where the denominator is."""
        return numerator / denominator if denominator else 0.0

    def worst(self, scalar: float) -> float:
        """The scalar itself: there is one member."""
        return scalar

    def begin(
        self, rhs: np.ndarray, start: np.ndarray | None, factor: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """U = factor start, r = rhs - A u in the memory of rhs, and zeros."""
        u = self.zeros()
        if start is not None and factor:
            u[:] = start
            rhs[:] = self.residual(u, rhs)
        return u, rhs, self.zeros()

    def advance(
        self, u: np.ndarray, r: np.ndarray, p: np.ndarray, q: np.ndarray, alpha: float
    ) -> tuple[np.ndarray, np.ndarray, float]:
        """U + alpha p and r - alpha q, in place, and <r, r>."""
        return u, r, self._loops.advance(u, r, p, q, self._float(alpha))

    def direction(self, p: np.ndarray, z: np.ndarray, beta: float) -> np.ndarray:
        """Z + beta p, in place of p."""
        self._loops.direction(p, z, self._float(beta))
        return p

    def _averaged(self, modulus: np.ndarray, shape: tuple[int, ...], average: list[np.ndarray]) -> np.ndarray:
        """The mean of a modulus over the cells of a coarser grid."""
        mean = np.zeros([n + 2 for n in shape], modulus.dtype)
        self._loops.gather(mean, np.pad(modulus, 1), *average, self._float(0))
        return np.ascontiguousarray(mean[1:-1, 1:-1, 1:-1])

    def _taps(self, matrices: list[np.ndarray]) -> list[Any]:
        """First columns and weights of the matrices along the three axes, in the order that the sweeps take."""
        taps = [Taps.of(matrix, self._float) for matrix in matrices]
        return [array for t in taps for array in (t.first, t.weights)]
