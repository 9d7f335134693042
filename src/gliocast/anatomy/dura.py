"""Falx and tentorium of the atlas, and where they lie in a patient.

No atlas file holds them, so they are derived from the MNI152 brain. Its frame says where to look: millimeters, the
anterior commissure at the origin, hemispheres apart at x = 0.

**Tentorium.** The border between cerebellum with brain stem and cerebrum, found by flooding: from seeds in the white
matter of both, voxels are taken in order of brightness on T1, so that the two meet at the darkest sheet between them
(a watershed; Meyer, Signal Processing 38, 1994). It is open at the notch, an ellipse seen from above.

**Falx.** The plane x = 0 above the tentorium, open where tissue crosses: inside of the convex hull, within that plane,
of all white matter that lies in it (corpus callosum, fornix, brain stem), which holds the thalami and the third
ventricle, too. This is the fissure down to the corpus callosum; the dura itself ends some millimeters above it, most
of all in front, where arachnoid and pia go on without it. No tissue crosses there either.

A sheet is kept not as voxels, which would tear when they are carried to another grid, but as what lies on its two
sides; in the patient it is the layer of voxels whose neighbors lie on the other side. That layer can't be crossed even
diagonally. The falx of the cerebellum isn't there, nor what a tumor pushes aside beyond what the registration sees.
"""

import heapq
from dataclasses import dataclass

import numpy as np
from numba import njit
from scipy import ndimage
from scipy.spatial import ConvexHull

from gliocast.anatomy.correspondence import Correspondence
from gliocast.core import Grid, Volume
from gliocast.core.volume import require_shape
from gliocast.data.atlas import Atlas
from gliocast.data.cache import content_key, load_arrays, store_arrays

#: Part of the cache key: changes with the derivation.
_VERSION = "dura, 1"

#: White matter for certain [1].
_WHITE = 0.6
#: Seeds of the flood, corners of boxes in which white matter is taken [mm]. Those below: both hemispheres of the
#: cerebellum and the pons. Those above: cerebrum above the splenium, and frontal and temporal lobes.
_SEEDS_BELOW = (((-40, -75, -48), (-8, -50, -30)), ((8, -75, -48), (40, -50, -30)), ((-8, -45, -72), (8, -15, -25)))
_SEEDS_ABOVE = (((-98, -134, 10), (98, 98, 116)), ((-98, -5, -20), (98, 98, 10)))
#: Smoothing of T1 before the flood, and of the border behind it [mm]; both below the sheet's distance to its seeds.
_T1_BLUR_MM, _BORDER_BLUR_MM = 0.7, 1.0

#: Middle of the notch (x, y) [mm]: its apex then lies behind the splenium, where the straight sinus begins on T1.
_NOTCH_CENTER = (0.0, -17.0)
#: Half of its width and length [mm]: means of 29.6 and 57.7 mm (Adler & Milhorat, J. Neurosurg. 96, 2002), times 1.1,
#: for MNI152 is longer than an average head by that.
_NOTCH_HALF_AXES = (16.3, 31.7)

#: Share of white matter in the middle plane that counts as crossing [1]: where brains differ and in the brain stem,
#: which is gray by half, the atlas has little of it.
_CROSSING = 0.2
#: Connected parts of it smaller than this share of the largest are noise [1].
_SMALLEST_PART = 0.1


@dataclass(frozen=True, eq=False)
class Dura:
    """Two sheets of dura by what lies on their sides, in the atlas' world.

    Args:
        below: share of the voxel that belongs to cerebellum and brain stem, smoothed, in [0, 1]; the tentorium is its
            level 0.5.
        crossing: half planes (n_y, n_z, offset) of the middle plane, (num_planes, 3); tissue crosses where
            n_y y + n_z z + offset <= 0 for all of them.
    """

    below: Volume
    crossing: np.ndarray

    def on_patient(self, correspondence: Correspondence, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
        """Falx and tentorium as layers of voxels, a voxel thick and closed under diagonal neighbors, bool.

        Both go on outside of the brain, to the end of the atlas, so that no short way leads around them there.

        Args:
            correspondence: the patient's.
            grid: the patient's.
        """
        known, atlas = correspondence.completed(), self.below.grid
        nodes = atlas.voxel_from_world(np.moveaxis(known.coordinates, 0, -1)).astype(np.float32)
        index = np.stack([known.upsampled(nodes[..., axis], grid) for axis in range(3)])
        below = ndimage.map_coordinates(self.below.data, index.reshape(3, -1), order=1, mode="nearest")
        below = below.reshape(grid.shape) - np.float32(0.5)
        # beyond the atlas' field of view nothing is known, two centimeters or more outside of the brain
        seen = known.upsampled(correspondence.known.astype(np.float32), grid) > 0.5
        falx, tentorium = between(known.upsampled(known.coordinates[0], grid)), between(below)
        _, y, z = _places(falx, known, grid)
        planes = self.crossing[:, :2] @ np.stack([y, z]) + self.crossing[:, 2:]
        falx[falx] = (planes.max(axis=0) > 0) & (below[falx] <= 0)
        falx &= seen
        x, y, _ = _places(tentorium, known, grid)
        from_center = np.stack([x, y], axis=-1) - _NOTCH_CENTER
        tentorium[tentorium] = np.linalg.norm(from_center / _NOTCH_HALF_AXES, axis=-1) > 1
        return falx, tentorium & seen


def dura_of(atlas: Atlas) -> Dura:
    """Falx and tentorium of an atlas in MNI's frame; cached by content."""
    key = content_key(_VERSION, atlas.t1.data, atlas.white_matter.data, atlas.t1.grid.affine)
    stored = load_arrays(key)
    if stored is None:
        stored = {"below": _below(atlas), "crossing": _crossing(atlas.white_matter)}
        store_arrays(key, **stored)
    return Dura(Volume(stored["below"], atlas.t1.grid), stored["crossing"])


def _places(mask: np.ndarray, correspondence: Correspondence, grid: Grid) -> np.ndarray:
    """Atlas coordinates of a mask's voxels, (3, num_voxels) [mm]."""
    return correspondence.in_atlas(grid.world_from_voxel(np.argwhere(mask))).T


def between(signed: np.ndarray) -> np.ndarray:
    """The layer of voxels where a field changes its sign: of each such pair of neighbors the one nearer to zero, bool.

    Neighbors are the 26 around a voxel, so that no path of them changes the sign outside of the layer.

    Args:
        signed: negative on one side, and zero or positive on the other, 3-D.
    """
    return _between(np.ascontiguousarray(signed, dtype=np.float32))


@njit(cache=True)
def _between(signed: np.ndarray) -> np.ndarray:
    layer = np.zeros(signed.shape, np.bool_)
    rows, columns, _ = signed.shape
    for i in range(rows):
        for j in range(columns):
            here = signed[i, j]
            for a in range(i, min(i + 2, rows)):  # of two neighbors the first looks at the second
                for b in range(j if a == i else max(j - 1, 0), min(j + 2, columns)):
                    _mark(here, signed[a, b], layer[i, j], layer[a, b])
    return layer


@njit(cache=True)
def _mark(here: np.ndarray, there: np.ndarray, layer_here: np.ndarray, layer_there: np.ndarray) -> None:
    """Mark where two rows differ in sign, of voxels straight and diagonally across."""
    num = len(here)
    for k in range(num):
        side, near = here[k] < 0, abs(here[k])
        for c in range(max(k - 1, 0), min(k + 2, num)):
            if side != (there[c] < 0):
                if near <= abs(there[c]):
                    layer_here[k] = True
                else:
                    layer_there[c] = True


def _below(atlas: Atlas) -> np.ndarray:
    """Share of cerebellum and brain stem, by flooding, everywhere: outside of the brain that of the nearest voxel."""
    t1, white = atlas.t1, atlas.white_matter.data
    label = np.zeros(t1.grid.shape, np.uint8)
    for value, boxes in ((1, _SEEDS_ABOVE), (2, _SEEDS_BELOW)):
        for box in boxes:
            low, high = np.sort(np.rint(t1.grid.voxel_from_world(np.array(box, float))).astype(int), axis=0)
            where = tuple(slice(max(a, 0), b) for a, b in zip(low, high, strict=True))
            label[where][white[where] > _WHITE] = value
    brain = t1.data > 0
    blur = [_T1_BLUR_MM / h for h in t1.grid.spacing]
    brightness = np.clip(ndimage.gaussian_filter(t1.data, blur), 0, 1)
    flooded = _flood(np.rint(255 * (1 - brightness)).astype(np.int64), label, brain)
    nearest = ndimage.distance_transform_edt(
        flooded == 0, sampling=t1.grid.spacing, return_distances=False, return_indices=True
    )
    below = (flooded[tuple(nearest)] == 2).astype(np.float32)
    return ndimage.gaussian_filter(below, [_BORDER_BLUR_MM / h for h in t1.grid.spacing])


@njit(cache=True)
def _flood(depth: np.ndarray, seeds: np.ndarray, within: np.ndarray) -> np.ndarray:
    """Labels grown from seeds over `within`, the least deep voxels first; of equally deep ones the first to be seen."""
    label = seeds.copy()
    rows, columns, layers = depth.shape
    size = columns * layers
    queue = [(np.int64(0), np.int64(0), np.int64(0))]
    queue.pop()
    count = np.int64(0)
    for i in range(rows):
        for j in range(columns):
            for k in range(layers):
                if label[i, j, k] > 0:
                    heapq.heappush(queue, (depth[i, j, k], count, np.int64(i * size + j * layers + k)))
                    count += 1
    while len(queue) > 0:
        level, _, place = heapq.heappop(queue)
        i, j, k = place // size, place // layers % columns, place % layers
        for face in range(6):
            step = 2 * (face % 2) - 1
            a, b, c = i + step * (face // 2 == 0), j + step * (face // 2 == 1), k + step * (face // 2 == 2)
            if 0 <= a < rows and 0 <= b < columns and 0 <= c < layers and within[a, b, c] and label[a, b, c] == 0:
                label[a, b, c] = label[i, j, k]
                heapq.heappush(queue, (max(level, depth[a, b, c]), count, a * size + b * layers + c))
                count += 1
    return label


def _crossing(white: Volume) -> np.ndarray:
    """Half planes of the convex hull of white matter in the plane x = 0, (num_planes, 3)."""
    require_shape(white.data, white.grid, "white matter")
    middle = round(float(white.grid.voxel_from_world(np.zeros(3))[0]))
    parts, num_parts = ndimage.label(white.data[middle] > _CROSSING)
    sizes = np.bincount(parts.ravel(), minlength=num_parts + 1)
    sizes[0] = 0
    place = np.argwhere(sizes[parts] > _SMALLEST_PART * sizes.max())
    points = white.grid.world_from_voxel(np.insert(place, 0, middle, axis=1))[:, 1:]
    return np.asarray(ConvexHull(points).equations)
