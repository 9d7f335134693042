"""Brains that differ from each other: the atlas, deformed at random and without folds. Synthetic.

A pull-back map leads from every point of the new brain to the point of the atlas that it comes from: a stationary
velocity field, integrated by scaling and squaring, which can't fold (Arsigny et al., MICCAI 2006), behind an affine map
of size and posture. The velocity is smooth noise, finer noise near the cortex that makes gyri of its own, and a flow
into or out of the ventricles. Every other brain is mirrored.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import ndimage

from gliocast.cohort.digital import brain_of
from gliocast.core import Anatomy, Grid
from gliocast.data.atlas import Atlas, load_mni152
from gliocast.observation.correlated import correlated_noise

#: The grid of BraTS: 240 x 240 x 155 voxels of 1 mm, LPS, origin (0, 239, 0) in its own frame.
BRATS_GRID = Grid((240, 240, 155), np.array([[-1.0, 0, 0, 0], [0, -1, 0, 239], [0, 0, 1, 0], [0, 0, 0, 1]]))

#: Where brains are made: the part of that grid that a head can reach, along R, A and S, with even axes.
BRAIN_GRID = Grid((176, 208, 156), np.array([[1.0, 0, 0, -207], [0, 1, 0, 16], [0, 0, 1, 0], [0, 0, 0, 1]]))

#: Middle of a brain in there, and of the atlas' [mm, RAS].
_MIDDLE, _ATLAS_MIDDLE = np.array([-119.5, 119.5, 76.0]), np.array([0.0, -18.0, 9.0])

#: Voxels of the velocity fields [mm], squarings that integrate them [1].
_COARSE_MM, _NUM_SQUARINGS = 4.0, 6

#: How deep under the surface the cortex is deformed on its own [mm].
_CORTEX_MM = 14.0

#: Fluid farther inside than this belongs to the ventricles [mm]; width of the flow around them [mm].
_VENTRICLE_DEPTH_MM, _VENTRICLE_FLOW_MM = 26.0, 6.0

#: Maps that are means over many people are blurred; this power of the probabilities makes one person's [1].
_SHARPENING = 2.5


@dataclass(frozen=True)
class BrainVariation:
    """How brains differ.

    Args:
        size: standard deviation of the logarithm of the length of each axis [1].
        turn_degrees: standard deviation of the rotation about each axis [degrees].
        displacement_mm: standard deviation of the smooth deformation [mm] ...
        correlation_mm: ... and the length over which it is correlated [mm].
        cortex_mm: standard deviation of the deformation of the cortex [mm] ...
        cortex_correlation_mm: ... and its length [mm].
        ventricles_mm: least and largest way of the ventricles' walls, outwards [mm].
    """

    size: float = 0.04
    turn_degrees: float = 3.0
    displacement_mm: float = 3.5
    correlation_mm: float = 45.0
    cortex_mm: float = 1.8
    cortex_correlation_mm: float = 14.0
    ventricles_mm: tuple[float, float] = (-1.5, 4.0)


def random_brain(generator: np.random.Generator, variation: BrainVariation | None = None) -> Anatomy:
    """A brain on `BRAIN_GRID`.

    Args:
        generator: source of randomness.
        variation: how much brains differ.
    """
    variation = variation or BrainVariation()
    affine = _random_affine(variation, generator)
    displaced = _exponential(_velocity(variation, generator))
    atlas = load_mni152()
    places = _places(affine, displaced, atlas)
    white, gray, brain = (
        ndimage.map_coordinates(part, places, order=1, mode="constant", cval=0.0, prefilter=False)
        for part in (atlas.white_matter.data, atlas.gray_matter.data, _brain_of_atlas())
    )
    return _sharpened(white, gray, brain > 0.5)


def ventricles_of(fluid: np.ndarray, brain: np.ndarray, grid: Grid) -> np.ndarray:
    """Fluid deep inside the brain, bool.

    Args:
        fluid: probability of cerebrospinal fluid [1].
        brain: inside of the skull, bool, same shape.
        grid: where both lie.
    """
    depth = ndimage.distance_transform_edt(brain, sampling=grid.spacing)
    return np.asarray((fluid > 0.5) & (depth > _VENTRICLE_DEPTH_MM))


def _sharpened(white: np.ndarray, gray: np.ndarray, brain: np.ndarray) -> Anatomy:
    """Tissue of one person, of the probabilities of many."""
    fluid = np.clip(1 - white - gray, 0, 1)
    powers = [np.power(part, np.float32(_SHARPENING)) for part in (white, gray, fluid)]
    total = np.maximum(sum(powers), np.float32(1e-6))
    white, gray, fluid = (np.ascontiguousarray((part / total * brain).astype(np.float32)) for part in powers)
    return Anatomy(white, gray, fluid, brain, BRAIN_GRID)


def _random_affine(variation: BrainVariation, generator: np.random.Generator) -> np.ndarray:
    """From the world of brains to that of the atlas, (4, 4)."""
    scale = np.exp(variation.size * generator.standard_normal(3))
    x, y, z = np.deg2rad(variation.turn_degrees) * generator.standard_normal(3)
    mirror = 1.0 if generator.uniform() < 0.5 else -1.0
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    matrix = np.diag([mirror, 1, 1]) @ about_z @ about_y @ about_x @ np.diag(1 / scale)
    affine = np.eye(4)
    affine[:3, :3] = matrix
    affine[:3, 3] = _ATLAS_MIDDLE - matrix @ _MIDDLE
    return affine


def _velocity(variation: BrainVariation, generator: np.random.Generator) -> np.ndarray:
    """Velocity field in the atlas [mm], (3, x, y, z) on its coarse grid."""
    grid, (surface, inwards) = _coarse_grid(), _landmarks()
    noise = [
        correlated_noise(grid, length, generator)
        for length in (variation.correlation_mm, variation.cortex_correlation_mm)
        for _ in range(3)
    ]
    smooth, fine = np.stack(noise[:3]), np.stack(noise[3:])
    way = generator.uniform(*variation.ventricles_mm)
    return variation.displacement_mm * smooth + variation.cortex_mm * surface * fine + way * inwards


def _exponential(velocity: np.ndarray) -> np.ndarray:
    """Displacement of the flow of a stationary velocity after a time of one [mm], same shape."""
    moved = velocity / 2**_NUM_SQUARINGS
    index = np.indices(velocity.shape[1:], dtype=np.float32)
    for _ in range(_NUM_SQUARINGS):
        places = index + moved / np.float32(_COARSE_MM)
        moved = moved + np.stack([ndimage.map_coordinates(part, places, order=1, mode="nearest") for part in moved])
    return moved


def _places(affine: np.ndarray, displaced: np.ndarray, atlas: Atlas) -> np.ndarray:
    """Voxel coordinates of the atlas that each voxel of a brain comes from, float32 (3, *BRAIN_GRID.shape)."""
    coarse = _coarse_grid()
    first = np.linalg.inv(coarse.affine) @ affine @ BRAIN_GRID.affine  # voxels of the brain to coarse voxels
    index = [np.arange(n, dtype=np.float32) for n in BRAIN_GRID.shape]
    there = [
        sum(np.float32(first[row, axis]) * np.expand_dims(index[axis], _others(axis)) for axis in range(3))
        + np.float32(first[row, 3])
        for row in range(3)
    ]
    places = np.stack(np.broadcast_arrays(*there))
    moved = [ndimage.map_coordinates(part.astype(np.float32), places, order=1, mode="nearest") for part in displaced]
    fine = np.linalg.inv(atlas.t1.grid.affine) @ coarse.affine
    steps = 1 / np.array(atlas.t1.grid.spacing, np.float32)
    return np.stack(
        [
            np.float32(fine[axis, axis]) * places[axis] + np.float32(fine[axis, 3]) + moved[axis] * steps[axis]
            for axis in range(3)
        ]
    )


def _others(axis: int) -> tuple[int, ...]:
    return tuple(other for other in range(3) if other != axis)


@lru_cache(maxsize=1)
def _coarse_grid() -> Grid:
    """The atlas' grid on the voxels of velocities."""
    grid, factor = load_mni152().t1.grid, int(_COARSE_MM)
    shape = tuple(-(-n // factor) * factor for n in grid.shape)
    return grid.crop((0, 0, 0), shape).coarsen((factor,) * 3)


@lru_cache(maxsize=1)
def _brain_of_atlas() -> np.ndarray:
    """Inside of the skull in the atlas, float32."""
    return ndimage.binary_fill_holes(brain_of(load_mni152())).astype(np.float32)


@lru_cache(maxsize=1)
def _landmarks() -> tuple[np.ndarray, np.ndarray]:
    """Of the atlas, on the coarse grid: how far a voxel is cortex [1]; unit flow towards the ventricles, (3, ...)."""
    atlas, coarse = load_mni152(), _coarse_grid()
    brain = _brain_of_atlas() > 0.5
    depth = ndimage.distance_transform_edt(brain)
    cortex = np.exp(-((depth / _CORTEX_MM) ** 2)) * (depth > 0)
    fluid = brain * np.clip(1 - atlas.white_matter.data - atlas.gray_matter.data, 0, 1)
    ventricles = ventricles_of(fluid, brain, atlas.t1.grid).astype(np.float32)
    flow = np.stack(np.gradient(ndimage.gaussian_filter(ventricles, _VENTRICLE_FLOW_MM)))
    flow /= np.linalg.norm(flow, axis=0).max()
    matrix = np.linalg.inv(atlas.t1.grid.affine) @ coarse.affine

    def coarsened(field: np.ndarray) -> np.ndarray:
        return ndimage.affine_transform(
            ndimage.gaussian_filter(field, _COARSE_MM / 3), matrix[:3, :3], matrix[:3, 3], coarse.shape, order=1
        )

    return coarsened(cortex), np.stack([coarsened(part) for part in flow])
