r"""What reference tumors say of two outlines.

Where a tumor began, how far its front went and how wide it is can be read off the ways in which the outlines differ
from those of tumors that are known. So a few references, of widths lambda = sqrt(D_w / rho) from narrow to wide, grow
in the patient's own tissue, on coarse voxels, from the middle of the core until the densest of them fill the volume of
the whole tumor. On the surfaces of both outlines the logit of a reference's density would be one number, were the
reference right. It is regressed on position,

.. math:: \mathrm{logit}\,u_k(x) = a_k + b_k \cdot (x - x_c) / R + r_k(x)

The slope b tells to which side the seed lies; the scatter of the residuals r how ragged the surface is against one of
that width, least where the width is right; the two levels a how far apart the outlines are in the reference's front.
Surfaces that border on fluid or on the skull show the anatomy and not the front, and are left out. A few plain
measures of the outlines (sizes, areas, tissue inside) are added.

Four solves on voxels of 4 mm, some 40 ms. The numbers fall into scalars and vectors, so that a network that reads them
may be taught with mirrored and turned tumors at no cost.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.special import logit

from gliocast.core import Anatomy, Density, Forward, InputError, Parameter
from gliocast.inference.morph_infer.window import require_outlines

#: Widths of the references' fronts, lambda = sqrt(D_w / rho) [mm].
REFERENCE_WIDTHS_MM = (1.0, 1.8, 3.2, 5.6)

#: Voxels that references grow on have about this edge [mm].
_SPACING_MM = 4.0

#: A reference is compared when the volume above this density is the whole tumor's [1].
_LEVEL = 0.2

#: References are looked at when their fronts have gone these shares of the farthest way that can be needed: of so many
#: radii of the whole tumor, and widths [1].
_LOOKS = np.geomspace(0.25, 1.0, 6)
_FARTHEST_RADII, _FARTHEST_WIDTHS = 2.6, 4.0

#: Points of a surface that are looked at, at most, and fewer than which show nothing [1].
_MOST_POINTS, _FEWEST_POINTS = 1500, 30

#: Densities nearer than this to 0 and 1 have no logit, logits beyond that are far inside or outside [1]; scatter below
#: the last is none.
_FAINTEST, _FARTHEST_LOGIT, _LEAST_SCATTER = 1e-5, 8.0, 1e-3

#: Radius that radii are taken relative to [mm].
_RADIUS_MM = 20.0

#: Scalars and vectors of an impression: plain ones, and those of each reference.
NUM_SCALARS = 3 + 2 * 4 + len(REFERENCE_WIDTHS_MM) * (1 + 2 * 3)
NUM_VECTORS = 2 + len(REFERENCE_WIDTHS_MM) * 2


@dataclass(frozen=True, eq=False)
class Impression:
    """What references say of two outlines.

    Args:
        scalars: (NUM_SCALARS,), float32.
        vectors: along R, A and S, (NUM_VECTORS, 3), float32.
        center: middle of the core, world coordinates [mm, RAS], (3,).
        radius: of the ball that is as large as the whole tumor [mm].
    """

    scalars: np.ndarray
    vectors: np.ndarray
    center: np.ndarray
    radius: float


@dataclass(frozen=True, eq=False)
class _Outline:
    """An outline: points on its surface in the world, (num, 3), its middle, (3,), its radius, and plain measures."""

    points: np.ndarray
    center: np.ndarray
    radius: float
    measures: tuple[float, ...]


class References:
    """Reference tumors in one anatomy.

    Args:
        forward: Fisher-Kolmogorov growth, (sqrt(D_w T), sqrt(rho T), seed) -> densities at shares of the age.
        anatomy: tissue, on voxels of about 2 mm.
    """

    def __init__(self, forward: Forward, anatomy: Anatomy) -> None:
        _require_growth(forward.parameters)
        self._forward, self._anatomy = forward, anatomy
        x, y, z = (max(1, round(_SPACING_MM / h)) for h in anatomy.grid.spacing)
        self._coarse = anatomy.coarsen((x, y, z))
        self._tissue = (anatomy.white_matter + anatomy.gray_matter > 0.5) & anatomy.brain
        self._voxel_from_world = np.linalg.inv(self._coarse.grid.affine)

    def look(self, core: np.ndarray, whole: np.ndarray) -> Impression:
        """What the references say of outlines in the anatomy.

        Args:
            core: tumor core, bool, shape of the anatomy's grid.
            whole: whole tumor, the same.

        Raises:
            InputError: an outline is empty, or there is no tissue.
            OutsideTissueError: growth can't begin next to the middle of the core.
        """
        require_outlines(core, whole)
        outer, inner = (self._outline(mask) for mask in (whole, core))
        seed = self._nearest_tissue(inner.center)
        shift = (outer.center - inner.center) / outer.radius
        scalars = [np.log(outer.radius / _RADIUS_MM), np.log(inner.radius / outer.radius), float(np.linalg.norm(shift))]
        scalars += [*outer.measures, *inner.measures]
        vectors = [shift, (seed - inner.center) / outer.radius]
        for width in REFERENCE_WIDTHS_MM:
            logits, travel = self._grow(width, seed, outer.radius)
            scalars.append(travel)
            for outline in (outer, inner):
                level, slope, scatter = self._compare(logits, outline, inner.center)
                scalars += [level, *scatter]
                vectors.append(slope)
        return Impression(np.array(scalars, np.float32), np.array(vectors, np.float32), inner.center, outer.radius)

    def _outline(self, mask: np.ndarray) -> _Outline:
        grid, inside = self._anatomy.grid, np.count_nonzero(mask)
        every = _surface(mask, np.ones_like(mask))
        shown = _surface(mask, self._tissue)
        points = shown if len(shown) >= _FEWEST_POINTS else every
        points = points[:: -(-len(points) // _MOST_POINTS)]
        radius = (3 * inside * grid.voxel_volume / (4 * np.pi)) ** (1 / 3)
        area = len(every) * grid.voxel_volume ** (2 / 3)
        measures = (
            float(self._anatomy.white_matter[mask].mean()),
            float(self._anatomy.gray_matter[mask].mean()),
            float(np.log(area / (4 * np.pi * radius**2))),
            len(shown) / len(every),
        )
        center = grid.world_from_voxel(np.argwhere(mask).mean(axis=0))
        return _Outline(points @ grid.affine[:3, :3].T + grid.affine[:3, 3], center, float(radius), measures)

    def _grow(self, width: float, seed: np.ndarray, radius: float) -> tuple[np.ndarray, float]:
        """Logit of a reference as large as the whole tumor, on coarse voxels, and log of its travel in radii."""
        farthest = _FARTHEST_RADII * radius + _FARTHEST_WIDTHS * width
        number = np.sqrt(farthest / (2 * width))
        densities = self._forward((number * width, number, *seed), self._coarse, days=_LOOKS.tolist())
        volumes = np.maximum.accumulate([density.volume_above(_LEVEL) for density in densities])
        wanted = 4 / 3 * np.pi * radius**3
        after = int(np.clip(np.searchsorted(volumes, wanted), 1, len(volumes) - 1))
        before = after - 1
        share = (wanted - volumes[before]) / max(volumes[after] - volumes[before], 1e-9)
        share = float(np.clip(share, -0.5, 1.5))
        time = _LOOKS[before] + share * (_LOOKS[after] - _LOOKS[before])
        logits = (1 - share) * _logit(densities[before]) + share * _logit(densities[after])
        return logits, float(np.log(max(time, _LOOKS[0] / 10) * farthest / radius))

    def _compare(
        self, logits: np.ndarray, outline: _Outline, center: np.ndarray
    ) -> tuple[float, np.ndarray, tuple[float, float]]:
        """Level, slope and log-scatter (standard deviation, median) of a reference on the surface of an outline."""
        places = outline.points @ self._voxel_from_world[:3, :3].T + self._voxel_from_world[:3, 3]
        values = ndimage.map_coordinates(logits, places.T, order=1, mode="nearest")
        values = values.clip(-_FARTHEST_LOGIT, _FARTHEST_LOGIT)
        design = np.concatenate([np.ones((len(values), 1)), (outline.points - center) / outline.radius], axis=1)
        fitted, *_ = np.linalg.lstsq(design, values, rcond=None)
        residuals = values - design @ fitted
        scatter = (residuals.std(), np.median(np.abs(residuals)))
        deviation, median = (float(np.log(size + _LEAST_SCATTER)) for size in scatter)
        return float(fitted[0]), fitted[1:], (deviation, median)

    def _nearest_tissue(self, point: np.ndarray) -> np.ndarray:
        """The point itself, or the nearest coarse voxel that is more tissue than fluid."""
        tissue = self._coarse.white_matter + self._coarse.gray_matter > 0.5
        place = self._voxel_from_world[:3, :3] @ point + self._voxel_from_world[:3, 3]
        here = tuple(np.clip(np.round(place).astype(int), 0, np.array(tissue.shape) - 1))
        if tissue[here] or not tissue.any():
            return point
        there = np.argwhere(tissue)
        return self._coarse.grid.world_from_voxel(there[np.argmin(((there - place) ** 2).sum(axis=1))])


def _surface(mask: np.ndarray, allowed: np.ndarray) -> np.ndarray:
    """Middles of the faces between a labeled voxel and another one, both allowed, in voxel coordinates, (num, 3)."""
    points = []
    for axis in range(3):
        lower, upper = (np.moveaxis(part, axis, 0) for part in (mask, allowed))
        faces = (lower[:-1] != lower[1:]) & upper[:-1] & upper[1:]
        middles = np.argwhere(np.moveaxis(faces, 0, axis)).astype(np.float32)
        middles[:, axis] += 0.5
        points.append(middles)
    return np.concatenate(points)


def _logit(density: Density) -> np.ndarray:
    return logit(np.clip(density.data, np.float32(_FAINTEST), np.float32(1 - _FAINTEST)))


def _require_growth(parameters: tuple[Parameter, ...]) -> None:
    names = [parameter.name for parameter in parameters]
    if names != ["diffusion_length", "growth_number", "seed_x", "seed_y", "seed_z"]:
        raise InputError(
            "references",
            expected="growth that depends on diffusion length, growth number and seed",
            got=", ".join(names),
            advice="let Fisher-Kolmogorov growth, seen through one scan, make them",
        )
