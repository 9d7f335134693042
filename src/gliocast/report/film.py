"""What a picture of growth is drawn from: a background, the density on some days, the burden on more."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import ndimage

from gliocast.core import Box, Density, Grid, Resection, Treatments, bounding_box
from gliocast.core.grid import MM3_PER_ML
from gliocast.core.volume import require_mask, require_shape
from gliocast.report.slices import Frame, Plane

#: What is thinner than this isn't kept [1]; a picture shows nothing of it.
FAINTEST = 2e-3

#: Where there are fewer cells than this [1], it doesn't matter which of them are dead.
_SPARSE = 0.05

#: Displacement is kept at every second voxel along each axis: it is smooth.
_STRIDE = 2

#: Grays of the brightest tissue and of a cavity, which fills with fluid [1].
BRIGHTEST, FLUID = 0.82, 0.14

#: Pictures cut where the last day has its largest cross-section, unless it has less than this share of the largest
#: burden [1]: a treated tumor may be all but gone by then.
_SHRUNK = 0.1


@dataclass(frozen=True, eq=False)
class Shot:
    """The tumor on one day, without the empty part of the grid, in half precision.

    Args:
        day: when [d].
        burden_ml: integral of the density [ml].
        box: where the density is more than `FAINTEST`; None where it is nowhere.
        density: inside the box, float16.
        displacement: (3, x, y, z) at every second voxel of the grid [mm, RAS], float16; None without mass effect.
        necrotic: dead cells inside the box, float16; None where the equation knows of none.
    """

    day: float
    burden_ml: float
    box: Box | None
    density: np.ndarray
    displacement: np.ndarray | None = None
    necrotic: np.ndarray | None = None

    @classmethod
    def of(cls, density: Density, displacement: np.ndarray | None = None, necrotic: np.ndarray | None = None) -> "Shot":
        """Keep of a day what pictures need.

        Args:
            density: on that day.
            displacement: of the tissue (3, x, y, z), from where it was to where it is [mm, RAS], or None.
            necrotic: dead cells, a part of the density, or None.
        """
        dense = density.data > FAINTEST
        box = bounding_box(dense) if dense.any() else None

        def keep(data: np.ndarray) -> np.ndarray:
            return (data[box.slices] if box else np.zeros((0, 0, 0))).astype(np.float16)

        moved = None if displacement is None else displacement[:, ::_STRIDE, ::_STRIDE, ::_STRIDE].astype(np.float16)
        dead = None if necrotic is None else keep(necrotic)
        return cls(float(density.day or 0), density.burden() / MM3_PER_ML, box, keep(density.data), moved, dead)

    def on(self, grid: Grid) -> np.ndarray:
        """The density on the whole grid, float32."""
        return self._embed(self.density, grid)

    def dead_share(self, grid: Grid) -> np.ndarray:
        """Share of the cells that is dead [1], on the whole grid; 0 where there are hardly any cells."""
        if self.necrotic is None:
            return np.zeros(grid.shape, dtype=np.float32)
        cells = self.density.astype(np.float32)
        return self._embed(np.where(cells > _SPARSE, self.necrotic / np.maximum(cells, _SPARSE), 0), grid)

    def _embed(self, data: np.ndarray, grid: Grid) -> np.ndarray:
        full = np.zeros(grid.shape, dtype=np.float32)
        if self.box is not None:
            full[self.box.slices] = data
        return full


@dataclass(frozen=True, eq=False)
class Film:
    """Growth, ready to be drawn.

    Args:
        title: what grew.
        grid: of all arrays.
        background: anatomy on day 0 in [0, 1].
        brain: the part of the grid worth showing, bool.
        shots: ascending in time, at least two.
        curve: days [d] and burden [ml], (2, num_points), ascending in time.
        treatments: what was done.
    """

    title: str
    grid: Grid
    background: np.ndarray
    brain: np.ndarray
    shots: Sequence[Shot]
    curve: np.ndarray
    treatments: Treatments

    def __post_init__(self) -> None:
        require_shape(self.background, self.grid, "background")
        require_mask(self.brain, self.grid, "brain mask")

    @cached_property
    def frame(self) -> Frame:
        """How arrays of the grid are turned."""
        return Frame.of(self.grid)

    @cached_property
    def index(self) -> tuple[int, int, int]:
        """RAS index of the planes with the largest cross-section, weighted by density."""
        largest = max(self.shots, key=lambda shot: shot.burden_ml)
        shot = self.shots[-1] if self.shots[-1].burden_ml >= _SHRUNK * largest.burden_ml else largest
        turned = self.frame.turn(shot.on(self.grid))
        x, y, z = (int(turned.sum(axis=others).argmax()) for others in ((1, 2), (0, 2), (0, 1)))
        return x, y, z

    @cached_property
    def white(self) -> float:
        """Background value that pictures show as white: brighter than tissue, so that color on top stands out."""
        inside = self.background[self.brain]
        return float(np.percentile(inside, 99.8)) / BRIGHTEST if len(inside) else 1.0

    def density(self, shot: Shot, plane: Plane) -> np.ndarray:
        """Slice of a day's density, (vertical, horizontal)."""
        return self.frame.cut(shot.on(self.grid), plane, self.index[plane.normal])

    @cached_property
    def has_necrosis(self) -> bool:
        """Whether dead cells are told apart."""
        return any(shot.necrotic is not None for shot in self.shots)

    def dead_share(self, shot: Shot, plane: Plane) -> np.ndarray:
        """Slice of the share of cells that is dead on a day, (vertical, horizontal)."""
        return self.frame.cut(shot.dead_share(self.grid), plane, self.index[plane.normal])

    def origin(self, shot: Shot, plane: Plane) -> np.ndarray:
        """Where the tissue in a slice was on day 0: world coordinates (3, vertical, horizontal) [mm, RAS]."""
        voxels = self._voxels(plane)
        place = np.moveaxis(self.grid.world_from_voxel(np.moveaxis(voxels, 0, -1)), -1, 0)
        if shot.displacement is None:
            return place
        sampled = [
            ndimage.map_coordinates(part.astype(np.float32), voxels / _STRIDE, order=1, mode="nearest")
            for part in shot.displacement
        ]
        return place - np.stack(sampled)

    def anatomy(self, shot: Shot, plane: Plane) -> np.ndarray:
        """Slice of the background on a day, (vertical, horizontal), moved with the tissue."""
        if shot.displacement is None:
            image = self.frame.cut(self.background, plane, self.index[plane.normal])
        else:
            voxels = self.grid.voxel_from_world(np.moveaxis(self.origin(shot, plane), 0, -1))
            image = ndimage.map_coordinates(self.background, np.moveaxis(voxels, -1, 0), order=1)
        for entry, cavity in self.cavities(shot, plane):
            if entry.residual_fraction == 0:
                image = np.where(cavity, FLUID * self.white, image)
        return np.asarray(image)

    def cavities(self, shot: Shot, plane: Plane) -> list[tuple[Resection, np.ndarray]]:
        """What was taken out before a day, and its slice, bool (vertical, horizontal)."""
        done = [entry for entry in self.treatments if isinstance(entry, Resection) and entry.day < shot.day]
        return [(entry, self.frame.cut(entry.cavity.data, plane, self.index[plane.normal])) for entry in done]

    def _voxels(self, plane: Plane) -> np.ndarray:
        """Array indices of the voxels of a slice, (3, vertical, horizontal)."""
        cuts = []
        for axis, size in enumerate(self.grid.shape):
            line = np.arange(size, dtype=float).reshape([-1 if axis == k else 1 for k in range(3)])
            cuts.append(self.frame.cut(np.broadcast_to(line, self.grid.shape), plane, self.index[plane.normal]))
        return np.stack(cuts)
