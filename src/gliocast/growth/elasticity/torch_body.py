"""The elastic body in torch operations: on any device, over a batch, and differentiable."""

from typing import Any

import torch
from torch.autograd.function import once_differentiable

from gliocast.growth.elasticity import torch_operator
from gliocast.growth.elasticity.body import ElasticBody
from gliocast.growth.elasticity.checks import check_moduli
from gliocast.growth.elasticity.displacement import Displacement
from gliocast.growth.elasticity.torch_level import TorchLevel


class TorchElasticity(ElasticBody):
    """Linear elastic tissue in a rigid box, in torch operations; the package gives the equations.

    A displacement has gradients with respect to the pressure and to the moduli that the body was made of, if those
    want them; they cost a second solve, at the same tolerance, and have no gradients of their own.

    Args:
        lam: first Lamé modulus lambda >= 0 [kPa], shape (nx, ny, nz) or (batch, nx, ny, nz), float32 or float64.
        mu: shear modulus > 0 [kPa], likewise.
        spacing: cell size along the axes [mm].

    Raises:
        InputError: moduli or a spacing that make no elastic body.
    """

    def __init__(self, lam: torch.Tensor, mu: torch.Tensor, spacing: tuple[float, float, float]) -> None:
        check_moduli(lam, mu, spacing)
        self._lam, self._mu, self._spacing = lam, mu, spacing
        batch = (1,) * (4 - lam.ndim)
        with torch.no_grad():
            first, second = (modulus.detach().reshape(batch + lam.shape) for modulus in (lam, mu))
            super().__init__(TorchLevel(first, second, spacing), lam)

    def _solve(
        self, pressure: torch.Tensor, start: Displacement | None, tolerance: float, max_iterations: int
    ) -> Displacement:
        guess = None if start is None else self._levels[0].pack(start).detach()
        options = guess, tolerance, max_iterations
        return self._unpack(_Equilibrium.apply(pressure, self._lam, self._mu, self, options))


class _Equilibrium(torch.autograd.Function):
    """u = A^-1 (-grad p). With w = A^-1 (gradient of u), the gradient of a parameter is that of -<w, A u + grad p>."""

    @staticmethod
    def forward(ctx: Any, pressure: torch.Tensor, lam: torch.Tensor, mu: torch.Tensor, body: Any, options: Any) -> Any:
        guess, tolerance, max_iterations = options
        solution = body._iterate(body._levels[0].push(pressure), guess, tolerance, max_iterations)
        ctx.body, ctx.limits = body, (tolerance, max_iterations)
        ctx.save_for_backward(pressure, lam, mu, solution)
        return solution

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> Any:
        pressure, lam, mu, solution = ctx.saved_tensors
        finest = ctx.body._levels[0]
        adjoint = ctx.body._iterate(finest.held(gradient), None, *ctx.limits)
        inputs = pressure, lam, mu = tuple(part.detach().requires_grad_(True) for part in (pressure, lam, mu))
        with torch.enable_grad():
            moduli = torch_operator.moduli_in_slots(lam, mu, ctx.body._spacing)
            work = (adjoint * finest.push(pressure)).sum()
            lagrangian = work - torch_operator.energy_product(solution, adjoint, moduli)
        return (*torch.autograd.grad(lagrangian, inputs), None, None)
