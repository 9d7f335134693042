"""Which point of the atlas lies where in a patient, and how fields are carried from the one to the other."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliocast.core import Grid, InputError
from gliocast.core.volume import require_shape

#: Fractions of a voxel from whose middles voxels are carried into the atlas [1]; eight points fill coarser voxels.
_PARTS = (-0.25, 0.25)


@dataclass(frozen=True, eq=False)
class Correspondence:
    """A map from a patient's world to the atlas'.

    Args:
        coordinates: world coordinates in the atlas of each voxel's center [mm, RAS], float32 (3, x, y, z).
        grid: the patient's grid that they are known on; coarse, for the map is smooth.
    """

    coordinates: np.ndarray
    grid: Grid

    def __post_init__(self) -> None:
        for part in self.coordinates:
            require_shape(part, self.grid, "coordinates in the atlas")

    def in_atlas(self, points: np.ndarray) -> np.ndarray:
        """Atlas coordinates of points in the patient's world, both (num_points, 3) [mm, RAS]."""
        index = self.grid.voxel_from_world(points).T
        return np.stack([ndimage.map_coordinates(part, index, order=1, mode="nearest") for part in self.coordinates], 1)

    @property
    def known(self) -> np.ndarray:
        """Nodes that the map leads into the atlas' field of view from, bool; a registration leaves zeros elsewhere."""
        return (self.coordinates != 0).any(axis=0)

    def completed(self) -> "Correspondence":
        """The same map; where it leads out of the atlas' field of view, as the nearest node that it leads into."""
        if self.known.all() or not self.known.any():
            return self
        nearest = ndimage.distance_transform_edt(~self.known, return_distances=False, return_indices=True)
        return Correspondence(self.coordinates[(slice(None), *nearest)], self.grid)

    def upsampled(self, nodes: np.ndarray, grid: Grid) -> np.ndarray:
        """What is known at the nodes on a grid with the same axes, linear, float32.

        Args:
            nodes: a field on this map's nodes.
            grid: the patient's, of whose voxels the nodes are every few.
        """
        index_map = np.linalg.inv(self.grid.affine) @ grid.affine
        scale, offset = np.diag(index_map[:3, :3]), index_map[:3, 3]
        return ndimage.affine_transform(
            nodes, scale, offset, output_shape=grid.shape, output=np.float32, order=1, mode="nearest"
        )

    def in_patient(self, point: np.ndarray) -> np.ndarray:
        """Point of the patient's world that lies at a point of the atlas, (3,) [mm, RAS]; Newton's method.

        Raises:
            InputError: the atlas' point lies outside of the patient's field of view.
        """
        distance = np.sum((self.coordinates - np.reshape(point, (3, 1, 1, 1))) ** 2, axis=0)
        found = self.grid.world_from_voxel(np.array(np.unravel_index(np.argmin(distance), distance.shape)))
        step = np.eye(3)
        for _ in range(10):
            around = self.in_atlas(np.concatenate([found[None], found + step, found - step]))
            slope = (around[1:4] - around[4:]).T / 2
            found = found - np.linalg.lstsq(slope, around[0] - point, rcond=None)[0]
        if np.linalg.norm(self.in_atlas(found[None])[0] - point) > min(self.grid.spacing):
            raise InputError(
                "point of the atlas", expected="one inside of the patient's brain", got=f"{point}", advice="check it"
            )
        return found

    def carried_to_atlas(self, mask: np.ndarray, grid: Grid, atlas: Grid) -> np.ndarray:
        """A mask of the patient's, as shares of the atlas' voxels in [0, 1].

        Args:
            mask: bool, shape of `grid`.
            grid: the patient's.
            atlas: where it is wanted, voxels no finer than the patient's.
        """
        require_shape(mask, grid, "mask")
        inside, total = np.zeros(atlas.shape), np.zeros(atlas.shape)
        near = np.argwhere(ndimage.binary_dilation(mask, iterations=3))
        offsets = np.stack(np.meshgrid(_PARTS, _PARTS, _PARTS, indexing="ij"), axis=-1).reshape(-1, 3)
        labeled = mask[tuple(near.T)].astype(float)
        for offset in offsets:
            places = self.in_atlas(grid.world_from_voxel(near + offset))
            index = np.rint(atlas.voxel_from_world(places)).astype(int)
            within = ((index >= 0) & (index < atlas.shape)).all(axis=1)
            where = tuple(index[within].T)
            np.add.at(inside, where, labeled[within])
            np.add.at(total, where, 1.0)
        return np.divide(inside, total, out=np.zeros_like(inside), where=total > 0).astype(np.float32)

    def carried_to_patient(self, field: np.ndarray, atlas: Grid, grid: Grid) -> np.ndarray:
        """A field of the atlas on a grid of the patient's, linear, float32.

        Args:
            field: shape of `atlas`.
            atlas: where it is.
            grid: where it is wanted.
        """
        require_shape(field, atlas, "field of the atlas")
        carried = np.empty(grid.shape, np.float32)
        for plane in range(grid.shape[0]):  # all at once would take gigabytes
            index = np.stack(np.meshgrid([plane], *(np.arange(n) for n in grid.shape[1:]), indexing="ij"), axis=-1)
            places = atlas.voxel_from_world(self.in_atlas(grid.world_from_voxel(index.reshape(-1, 3))))
            carried[plane] = ndimage.map_coordinates(field, places.T, order=1).reshape(grid.shape[1:])
        return carried
