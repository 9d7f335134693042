"""One grid of the hierarchy in torch operations, over a batch and on any device."""

import numpy as np
import torch

from gliocast.growth.elasticity import torch_operator
from gliocast.growth.elasticity.coarsening import cell_average, cell_interpolation, coarse_shape, face_interpolation
from gliocast.growth.elasticity.displacement import Displacement
from gliocast.growth.elasticity.multigrid import spectral_bound
from gliocast.growth.elasticity.slots import face_views, fill

_SPACE = (-4, -3, -2, -1)


class TorchLevel:
    """The operator on one grid, and its way to the next coarser one.

    Vectors are tensors (batch, 3, nx + 2, ny + 2, nz + 2), scalars tensors (batch, 1, 1, 1, 1).

    Args:
        lam: lambda [kPa], shape (batch, nx, ny, nz).
        mu: shear modulus [kPa], likewise.
        spacing: cell size along the axes [mm].
    """

    def __init__(self, lam: torch.Tensor, mu: torch.Tensor, spacing: tuple[float, float, float]) -> None:
        self._lam, self._mu, self._spacing = lam, mu, spacing
        self.bound = spectral_bound(lam, mu)
        self._moduli = torch_operator.moduli_in_slots(lam, mu, spacing)
        self._inside = torch_operator.inner_faces(lam)
        diagonal = torch_operator.diagonal(self._moduli)
        self._scale = self._inside / torch.where(self._inside > 0, diagonal, 1)
        self._down: list[list[torch.Tensor]] = []
        self._up: list[list[torch.Tensor]] = []

    def coarsened(self) -> "TorchLevel | None":
        """The next coarser level, to which this one restricts from now on; None where there is none."""
        fine = tuple(self._lam.shape[-3:])
        coarse = coarse_shape(fine, self._spacing)
        if coarse is None:
            return None
        sizes = list(zip(fine, coarse, strict=True))
        for component in range(3):
            matrices = [(face_interpolation if a == component else cell_interpolation)(*n) for a, n in enumerate(sizes)]
            self._up.append([self._tensor(m) for m in matrices])
            self._down.append([self._tensor(m.T * (c / f)) for m, (f, c) in zip(matrices, sizes, strict=True)])
        average = [self._tensor(cell_average(*size)[1:-1, 1:-1]) for size in sizes]
        spacing = tuple(h * f / c for h, (f, c) in zip(self._spacing, sizes, strict=True))
        return TorchLevel(_product(self._lam, average), _product(self._mu, average), spacing)  # type: ignore[arg-type]

    def zeros(self) -> torch.Tensor:
        """A vector of zeros."""
        return torch.zeros_like(self._scale)

    def push(self, pressure: torch.Tensor) -> torch.Tensor:
        """The right-hand side of a pressure, -grad p."""
        return torch_operator.push(pressure, self._spacing, self._inside)

    def pack(self, displacement: Displacement) -> torch.Tensor:
        """A vector from the components on faces."""
        return fill(self.zeros(), displacement)

    def held(self, u: torch.Tensor) -> torch.Tensor:
        """A vector without what it has on walls and margins."""
        return u * self._inside

    def unpack(self, u: torch.Tensor) -> Displacement:
        """The components on faces."""
        return Displacement(*(part.clone(memory_format=torch.contiguous_format) for part in face_views(u)))

    def start(self, rhs: torch.Tensor, weight: float) -> tuple[torch.Tensor, torch.Tensor]:
        """(weight D^-1 rhs, 0)."""
        return weight * self._scale * rhs, self.zeros()

    def relax(
        self, u: torch.Tensor, before: torch.Tensor, rhs: torch.Tensor, momentum: float, weight: float
    ) -> torch.Tensor:
        """u + momentum (u - before) + weight D^-1 (rhs - A u)."""
        return u + momentum * (u - before) + weight * self._scale * self.residual(u, rhs)

    def residual(self, u: torch.Tensor, rhs: torch.Tensor) -> torch.Tensor:
        """Rhs - A u."""
        return rhs - torch_operator.apply(u, self._moduli, self._inside)

    def restrict(self, residual: torch.Tensor) -> torch.Tensor:
        """The residual on the next coarser grid."""
        parts = zip(residual.unbind(-4), self._down, strict=True)
        return torch.stack([_product(part, matrices) for part, matrices in parts], dim=-4)

    def correct(self, u: torch.Tensor, coarse: torch.Tensor) -> torch.Tensor:
        """U + the interpolated coarse vector."""
        parts = zip(coarse.unbind(-4), self._up, strict=True)
        return u + torch.stack([_product(part, matrices) for part, matrices in parts], dim=-4)

    def apply(self, p: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """A p, and <p, A p>."""
        q = torch_operator.apply(p, self._moduli, self._inside)
        return q, self.dot(p, q)

    def dot(self, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        """<u, v>."""
        return (u * v).sum(dim=_SPACE, keepdim=True)

    def ratio(self, numerator: torch.Tensor, denominator: torch.Tensor) -> torch.Tensor:
        """The quotient, zero where the denominator is."""
        return torch.where(denominator == 0, 0, numerator / torch.where(denominator == 0, 1, denominator))

    def worst(self, scalar: torch.Tensor) -> float:
        """The largest over the batch, NaN if there is one."""
        return float(scalar.max())

    def begin(
        self, rhs: torch.Tensor, start: torch.Tensor | None, factor: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """U = factor start, r = rhs - A u, and zeros."""
        if start is None:
            return self.zeros(), rhs, self.zeros()
        u = factor * start
        return u, self.residual(u, rhs), self.zeros()

    def advance(
        self, u: torch.Tensor, r: torch.Tensor, p: torch.Tensor, q: torch.Tensor, alpha: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """U + alpha p, r - alpha q, and <r, r>."""
        r = r - alpha * q
        return u + alpha * p, r, self.dot(r, r)

    def direction(self, p: torch.Tensor, z: torch.Tensor, beta: torch.Tensor | float) -> torch.Tensor:
        """Z + beta p."""
        return z + beta * p

    def _tensor(self, matrix: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(matrix).to(self._lam)


def _product(field: torch.Tensor, matrices: list[torch.Tensor]) -> torch.Tensor:
    """The matrices along the last three axes."""
    for axis, matrix in zip((-3, -2, -1), matrices, strict=True):
        field = torch.movedim(torch.movedim(field, axis, -1) @ matrix.T, -1, axis)
    return field
