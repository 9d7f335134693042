"""What is measured of two outlines before anything grows: points of their surfaces, sizes, tissue inside."""

from dataclasses import dataclass

import numpy as np

from gliocast.core import Anatomy, bounding_box
from gliocast.inference.morph_infer.window import require_outlines

#: Points of a surface that are looked at, at most, and fewer than which show nothing [1].
_MOST_POINTS, _FEWEST_POINTS = 1500, 30

#: Radius that radii are taken relative to [mm].
_RADIUS_MM = 20.0


@dataclass(frozen=True, eq=False)
class Surface:
    """The surface of an outline, where it lies inside tissue.

    Args:
        points: on it, world coordinates [mm, RAS], (num, 3).
        center: middle of the volume inside [mm, RAS], (3,).
        radius: of the ball that is as large [mm].
        measures: shares of white and gray matter inside [1], log of the area relative to that of the ball, share of the
            area that lies inside tissue.
    """

    points: np.ndarray
    center: np.ndarray
    radius: float
    measures: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Outlines:
    """Both outlines of a tumor: its core, and the whole of it."""

    core: Surface
    whole: Surface

    @property
    def shift(self) -> np.ndarray:
        """From the middle of the core to that of the whole tumor, in radii of the latter, (3,)."""
        return (self.whole.center - self.core.center) / self.whole.radius

    @property
    def scalars(self) -> list[float]:
        """Measures that stay the same however a head is turned."""
        radii = np.log(self.whole.radius / _RADIUS_MM), np.log(self.core.radius / self.whole.radius)
        return [*radii, float(np.linalg.norm(self.shift)), *self.whole.measures, *self.core.measures]


#: Measures of two outlines that stay the same however a head is turned.
NUM_MEASURES = 3 + 2 * 4


def outlines_of(core: np.ndarray, whole: np.ndarray, anatomy: Anatomy) -> Outlines:
    """Measure two outlines in an anatomy.

    Surfaces that border on fluid or on the skull show the anatomy and not the front; they are left out.

    Args:
        core: tumor core, bool, shape of the anatomy's grid.
        whole: whole tumor, the same.
        anatomy: tissue, on voxels of about 2 mm.

    Raises:
        InputError: an outline is empty.
    """
    require_outlines(core, whole)
    return Outlines(_surface_of(core, anatomy), _surface_of(whole, anatomy))


def _surface_of(mask: np.ndarray, anatomy: Anatomy) -> Surface:
    grid, box = anatomy.grid, bounding_box(mask).grown((1, 1, 1), mask.shape)
    mask, white, gray, brain = (
        part[box.slices] for part in (mask, anatomy.white_matter, anatomy.gray_matter, anatomy.brain)
    )
    every = _faces(mask, np.ones_like(mask))
    shown = _faces(mask, (white + gray > 0.5) & brain)
    points = shown if len(shown) >= _FEWEST_POINTS else every
    points = points[:: -(-len(points) // _MOST_POINTS)]
    radius = (3 * np.count_nonzero(mask) * grid.voxel_volume / (4 * np.pi)) ** (1 / 3)
    area = len(every) * grid.voxel_volume ** (2 / 3)
    measures = (
        float(white[mask].mean()),
        float(gray[mask].mean()),
        float(np.log(area / (4 * np.pi * radius**2))),
        len(shown) / len(every),
    )
    center = np.argwhere(mask).mean(axis=0, keepdims=True)
    middle, *places = grid.world_from_voxel(np.array(box.lower) + np.concatenate([center, points]))
    return Surface(np.array(places), middle, float(radius), measures)


def _faces(mask: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Middles of the faces between a labeled voxel and another one, both allowed, in voxel coordinates, (num, 3)."""
    points = []
    for axis in range(3):
        lower, upper = (np.moveaxis(part, axis, 0) for part in (mask, allowed))
        faces = (lower[:-1] != lower[1:]) & upper[:-1] & upper[1:]
        middles = np.argwhere(np.moveaxis(faces, 0, axis)).astype(np.float32)
        middles[:, axis] += 0.5
        points.append(middles)
    return np.concatenate(points)
