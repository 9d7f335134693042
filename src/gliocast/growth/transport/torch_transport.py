"""Transport in plain torch operations: on any device, over a batch, and differentiable."""

import torch

from gliocast.growth.elasticity import Displacement
from gliocast.growth.transport.courant import check_transport, num_substeps


def torch_transport(
    fields: torch.Tensor, displacement: Displacement, spacing: tuple[float, float, float]
) -> torch.Tensor:
    """Fields after their tissue was displaced; the tensor twin of `transport`, with gradients for both arguments.

    Args:
        fields: amounts per volume, shape (k, nx, ny, nz) or (batch, k, nx, ny, nz), float32 or float64.
        displacement: v tau over the step, normal to faces and zero on the walls [mm], batched like the fields.
        spacing: cell size along the axes [mm].

    Raises:
        InputError: fields and displacement that don't belong together.
        ConvergenceError: a displacement of so many cells that units must be wrong.
    """
    check_transport(fields, displacement, spacing)
    courant = [part.unsqueeze(-4) / h for part, h in zip(displacement.faces, spacing, strict=True)]
    with torch.no_grad():
        substeps = num_substeps(float(_outflow(courant).max()))
    courant = [part / substeps for part in courant]
    for _ in range(substeps):
        stage = fields - _net_outflow(fields, courant)
        fields = (fields + stage - _net_outflow(stage, courant)) / 2
    return fields


def _net_outflow(m: torch.Tensor, courant: list[torch.Tensor]) -> torch.Tensor:
    """What leaves each cell in one explicit Euler step less what enters."""
    total = torch.zeros_like(m)
    for axis, f in zip((-3, -2, -1), courant, strict=True):
        n = m.shape[axis]
        difference = m.diff(dim=axis)
        wall = torch.zeros_like(m.narrow(axis, 0, 1))
        tilt = _half_slope(torch.cat([wall, difference], axis), torch.cat([difference, wall], axis))
        left, right = (m + tilt).narrow(axis, 0, n - 1), (m - tilt).narrow(axis, 1, n - 1)
        inner = f.narrow(axis, 1, n - 1)
        flux = torch.cat([wall, inner.clamp(min=0) * left + inner.clamp(max=0) * right, wall], axis)
        total = total + flux.diff(dim=axis)
    return total


def _half_slope(before: torch.Tensor, after: torch.Tensor) -> torch.Tensor:
    """Half of van Leer's slope; the inner `where` keeps the gradient of the unused branch finite."""
    product = before * after
    return torch.where(product > 0, product / torch.where(product > 0, before + after, 1), 0)


def _outflow(courant: list[torch.Tensor]) -> torch.Tensor:
    """Outflow of cells: the larger of two sides, summed over the axes."""
    total: torch.Tensor | float = 0.0
    for axis, f in zip((-3, -2, -1), courant, strict=True):
        n = f.shape[axis] - 1
        total = total + torch.maximum(-f.narrow(axis, 0, n), f.narrow(axis, 1, n)).clamp(min=0)
    return torch.as_tensor(total)
