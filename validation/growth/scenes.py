"""Anatomies, models and solves that the checks share."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from gliocast.core import Anatomy, DiffusionTensor, Grid, GrowthModel, Treatments
from gliocast.core.box import Box
from gliocast.growth.evolve import Tempo, evolve
from gliocast.growth.kernels import NumbaSweeps
from gliocast.growth.models import FisherKolmogorov, ProliferativeNecrotic, TensorFisherKolmogorov

Spacing = tuple[float, float, float]
UNIT: Spacing = (1.0, 1.0, 1.0)
#: Voxels of a clinical scan [mm].
CLINICAL: Spacing = (1.0, 1.0, 3.0)

#: Values of each equation's own parameters in the middle of their ranges, and the model made for a grid.
OWN = {
    "Fisher-Kolmogorov": (0.2, 0.08),
    "tensor": (0.2, 0.08),
    "proliferative-necrotic": (0.2, 0.08, 0.1, 0.4, 2.0, 0.4, 0.3),
}


def model(name: str, grid: Grid) -> GrowthModel:
    """An equation by name; the tensor's fibers turn with place."""
    if name == "tensor":
        return TensorFisherKolmogorov(turning_fibers(grid))
    return FisherKolmogorov() if name == "Fisher-Kolmogorov" else ProliferativeNecrotic()


def anatomy_of(
    white: np.ndarray, gray: np.ndarray, spacing: Spacing = UNIT, affine: np.ndarray | None = None
) -> Anatomy:
    """Tissue with fluid for the rest, all of it brain."""
    affine = np.diag([*spacing, 1.0]) if affine is None else affine
    white, gray = np.ascontiguousarray(white, np.float32), np.ascontiguousarray(gray, np.float32)
    csf = np.clip(1 - white - gray, 0, 1)
    return Anatomy(white, gray, csf, np.ones(white.shape, bool), Grid(white.shape, affine))


def uniform(shape: tuple[int, int, int], spacing: Spacing = UNIT) -> Anatomy:
    """White matter only."""
    return anatomy_of(np.ones(shape), np.zeros(shape), spacing)


def patchy(shape: tuple[int, int, int], spacing: Spacing = UNIT, seed: int = 0) -> Anatomy:
    """White and gray matter mixed at random, a tenth of the voxels fluid."""
    generator = np.random.default_rng(seed)
    white, tissue = generator.uniform(0, 1, shape), generator.uniform(0, 1, shape) > 0.1
    return anatomy_of(white * tissue, (1 - white) * tissue, spacing)


def smooth(shape: tuple[int, int, int], extent: float) -> Anatomy:
    """The same smooth mixture of white and gray matter in a cube of this size [mm], on any grid."""
    spacing = tuple(extent / n for n in shape)
    x, y, z = (points + 0.5 * h for points, h in zip(places(shape, spacing), spacing, strict=True))
    white = 0.6 + 0.3 * np.sin(2 * np.pi * x / extent) * np.cos(2 * np.pi * (y - z / 2) / extent)
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = np.array(spacing) / 2
    return anatomy_of(white, 1 - white, affine=affine)


def places(shape: Sequence[int], spacing: Sequence[float]) -> np.ndarray:
    """Distance of cells from the first one along the axes [mm], (3, x, y, z)."""
    return np.indices(shape) * np.reshape(spacing, (3, 1, 1, 1))


def turning_fibers(grid: Grid, anisotropy: float = 6.0) -> DiffusionTensor:
    """Needles whose direction turns smoothly with place in the world."""
    x, y, z = np.moveaxis(grid.world_from_voxel(np.moveaxis(np.indices(grid.shape), 0, -1)), -1, 0) / 9.0
    angle = x + y
    fiber = np.stack([np.cos(angle) * np.cos(z), np.sin(angle) * np.cos(z), np.sin(z)], axis=-1)
    return DiffusionTensor.from_matrices(np.eye(3) + (anisotropy - 1) * fiber[..., :, None] * fiber[..., None, :], grid)


def gaussian(
    shape: Sequence[int], spacing: Sequence[float], center: Sequence[float], width: float, peak: float
) -> np.ndarray:
    """A Gaussian density, its center given from the first cell [mm]."""
    distance = places(shape, spacing) - np.reshape(center, (3, 1, 1, 1))
    return peak * np.exp(-(distance**2).sum(axis=0) / (2 * width**2))


def solve(
    equation: GrowthModel,
    own: Sequence[float],
    anatomy: Anatomy,
    first: np.ndarray,
    days: Sequence[float],
    *,
    accuracy: float = 5e-3,
    dtype: str = "float64",
    width: float | None = None,
    treatments: Treatments | None = None,
) -> list[dict[str, np.ndarray]]:
    """`density` and the equation's other fields on each day, as they are: not clipped, not cropped, not rounded.

    The whole grid is swept, where the simulator follows the tumor with a box and hands out float32 in [0, 1].
    """
    spacing = anatomy.grid.spacing
    sweeps = NumbaSweeps(anatomy.grid.shape, spacing, dtype=dtype, parallel=False)
    dynamics: Any = equation.bind(own, equation.medium(anatomy, np.dtype(dtype).type), sweeps)
    cells = np.where(equation.tissue(anatomy), first, 0)
    state = dynamics.begin(sweeps.begin(cells, Box((0, 0, 0), anatomy.grid.shape)))
    tempo = Tempo(*equation.speeds(own), min(spacing) if width is None else width, accuracy)
    found = []
    for _, now in evolve(dynamics, state, days, tempo=tempo, spacing=spacing, treatments=treatments):
        fields = {"density": dynamics.density(now), **dynamics.fields(now)}
        found.append({name: np.array(sweeps.unload(field), dtype=np.float64) for name, field in fields.items()})
    return found


def relative(ours: np.ndarray, reference: np.ndarray) -> float:
    """Relative L2 distance [1]."""
    return float(np.linalg.norm(ours - reference) / np.linalg.norm(reference))


def block_mean(field: np.ndarray) -> np.ndarray:
    """Means over blocks of two cells along each axis."""
    x, y, z = field.shape
    return field.reshape(x // 2, 2, y // 2, 2, z // 2, 2).mean(axis=(1, 3, 5))
