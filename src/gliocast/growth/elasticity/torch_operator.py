"""The elastic operator in plain torch operations, on any device and over a batch; slots as in slots.py.

Symbols: u displacement, shape (..., 3, slots); lam, mu2 = lambda, 2 mu at cells, m[a][b] = mu at the edges between the
axes a and b; e normal strain, g shear.
"""

from typing import NamedTuple

import torch

_AXES = (-3, -2, -1)
_PLANES = ((0, 1), (0, 2), (1, 2))


class Moduli(NamedTuple):
    """Moduli in slots, shape (..., slots).

    Args:
        lam: lambda at cells [kPa].
        mu2: 2 mu at cells [kPa].
        shears: mu at the edges of the planes xy, xz, yz [kPa].
        spacing: cell size [mm].
    """

    lam: torch.Tensor
    mu2: torch.Tensor
    shears: tuple[torch.Tensor, torch.Tensor, torch.Tensor]
    spacing: tuple[float, float, float]


def moduli_in_slots(lam: torch.Tensor, mu: torch.Tensor, spacing: tuple[float, float, float]) -> Moduli:
    """Moduli at cells and edges from those at cells, differentiable."""
    compliance = pad(1 / mu)
    shears = []
    for a, b in _PLANES:
        pairs = compliance + compliance.roll(1, _AXES[a])
        total = pairs + pairs.roll(1, _AXES[b])
        occupied = total > 0
        shears.append(torch.where(occupied, 4 / torch.where(occupied, total, 1), 0))
    return Moduli(pad(lam), pad(2 * mu), (shears[0], shears[1], shears[2]), spacing)


def strains(u: torch.Tensor, spacing: tuple[float, float, float]) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Normal strains at cells and shears at the edges of the planes xy, xz, yz [1]; margins hold no meaning."""
    parts = u.unbind(-4)
    normal = [_ahead(parts[a], a, spacing) for a in range(3)]
    shear = [_behind(parts[a], b, spacing) + _behind(parts[b], a, spacing) for a, b in _PLANES]
    return normal, shear


def apply(u: torch.Tensor, moduli: Moduli, inside: torch.Tensor) -> torch.Tensor:
    """A u = -div sigma, at the faces that `inside` marks with one."""
    normal, shear = strains(u, moduli.spacing)
    pressure = moduli.lam * (normal[0] + normal[1] + normal[2])
    force = [-_behind(pressure + moduli.mu2 * normal[a], a, moduli.spacing) for a in range(3)]
    for (a, b), modulus, gamma in zip(_PLANES, moduli.shears, shear, strict=True):
        stress = modulus * gamma
        force[a] = force[a] - _ahead(stress, b, moduli.spacing)
        force[b] = force[b] - _ahead(stress, a, moduli.spacing)
    return torch.stack(force, dim=-4) * inside


def energy_product(u: torch.Tensor, w: torch.Tensor, moduli: Moduli) -> torch.Tensor:
    """<w, A u> as a sum over cells and edges, through which gradients reach the moduli; scalar."""
    (e, g), (f, h) = strains(u, moduli.spacing), strains(w, moduli.spacing)
    total = (moduli.lam * (e[0] + e[1] + e[2]) * (f[0] + f[1] + f[2])).sum()
    total = total + sum((moduli.mu2 * x * y).sum() for x, y in zip(e, f, strict=True))
    return total + sum((m * x * y).sum() for m, x, y in zip(moduli.shears, g, h, strict=True))


def push(pressure: torch.Tensor, spacing: tuple[float, float, float], inside: torch.Tensor) -> torch.Tensor:
    """-grad p at the faces that `inside` marks, from a pressure at cells, shape (..., nx, ny, nz)."""
    padded = pad(pressure)
    return torch.stack([-_behind(padded, a, spacing) for a in range(3)], dim=-4) * inside


def diagonal(moduli: Moduli) -> torch.Tensor:
    """The diagonal of A on all slots, shape (..., 3, slots)."""
    h = moduli.spacing
    total = []
    for a in range(3):
        normal = moduli.lam + moduli.mu2
        part = (normal + normal.roll(1, _AXES[a])) / h[a] ** 2
        for (i, j), modulus in zip(_PLANES, moduli.shears, strict=True):
            if a in (i, j):
                other = j if a == i else i
                part = part + (modulus + modulus.roll(-1, _AXES[other])) / h[other] ** 2
        total.append(part)
    return torch.stack(total, dim=-4)


def inner_faces(like: torch.Tensor) -> torch.Tensor:
    """One at faces that aren't on the wall, zero elsewhere, shape (3, slots) for cells (..., nx, ny, nz)."""
    shape = like.shape[-3:]
    masks = []
    for a in range(3):
        mask = like.new_zeros([n + 2 for n in shape])
        mask[tuple(slice(2 if b == a else 1, n + 1) for b, n in enumerate(shape))] = 1
        masks.append(mask)
    return torch.stack(masks)


def pad(field: torch.Tensor) -> torch.Tensor:
    """A field at cells with a margin of one zero slot."""
    return torch.nn.functional.pad(field, (1, 1, 1, 1, 1, 1))


def _ahead(field: torch.Tensor, a: int, spacing: tuple[float, float, float]) -> torch.Tensor:
    """Difference quotient with the next slot; margins and walls are zero, so what wraps around is too."""
    return (field.roll(-1, _AXES[a]) - field) / spacing[a]


def _behind(field: torch.Tensor, a: int, spacing: tuple[float, float, float]) -> torch.Tensor:
    """Difference quotient with the slot before."""
    return (field - field.roll(1, _AXES[a])) / spacing[a]
