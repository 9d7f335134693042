"""Volumes between the contours of a structure set, read back by matplotlib's point-in-polygon test.

The file is parsed here, its coordinates are brought to pixels by ITK's geometry, and `matplotlib.path` tells which of
the centers of parts of pixels lie inside of each polygon: nothing of gliocast, nor of the other test rasterizer.
"""

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from matplotlib.path import Path as Polygon
from tests.data.dicom_phantom import ORIENTATIONS, Phantom, write_phantom

from gliocast.core import Volume
from gliocast.data.dicom import read_series
from gliocast.planning.rtstruct import write_rtstruct

#: Parts of a pixel's edge; odd, so that no line that cuts off a corner passes through their centers.
FINE = 5

#: Pixels and images, square and not.
GRIDS = {
    "square pixels and image": {"shape": (52, 52, 14), "spacing": (1.0, 1.0, 2.0)},
    "oblong pixels": {"shape": (52, 52, 14), "spacing": (1.6, 0.9, 2.5)},
    "oblong image": {"shape": (66, 46, 14), "spacing": (1.0, 1.0, 3.3)},
    "oblong pixels and image": {"shape": (46, 66, 14), "spacing": (0.8, 1.3, 1.1)},
}


def ball(grid, center, radius):
    """Distances in pixels of the plane, so that every shape has its size in pixels on every grid."""
    x, y, z = np.moveaxis(np.moveaxis(np.indices(grid.shape), 0, -1) - (np.array(grid.shape) - 1) / 2, -1, 0)
    a, b, c = center
    return (x - a) ** 2 + (y - b) ** 2 + (2 * (z - c)) ** 2 < radius**2


SHAPES = {
    "solid": lambda grid: ball(grid, (2, -1, 0), 17),
    "hole": lambda grid: ball(grid, (0, 0, 0), 19) & ~ball(grid, (4, 3, 0), 8),
    "several holes": lambda grid: (
        ball(grid, (0, 0, 0), 20)
        & ~ball(grid, (9, 1, 0), 6)
        & ~ball(grid, (-8, 6, 1), 5)
        & ~ball(grid, (-6, -9, -1), 5)
    ),
    "components": lambda grid: ball(grid, (-11, -8, 1), 10) | ball(grid, (11, 9, -1), 11) | ball(grid, (13, -13, 0), 8),
    "island in a hole": lambda grid: (
        (ball(grid, (0, 0, 0), 21) & ~ball(grid, (1, 1, 0), 16)) | (ball(grid, (1, 1, 0), 12))
    ),
    "hole in an island in a hole": lambda grid: (
        (ball(grid, (0, 0, 0), 22) & ~ball(grid, (0, 1, 0), 18))
        | (ball(grid, (0, 1, 0), 14) & ~ball(grid, (-1, 0, 0), 6))
    ),
}


def covered(path, folder, fine):
    """Pixels of each slice split into `fine` by `fine` parts, (columns, rows, slices), by the name of the structure."""
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(folder)))
    image = reader.Execute()
    columns, rows, slices = image.GetSize()
    x, y = (-0.5 + (np.arange(n * fine) + 0.5) / fine for n in (columns, rows))
    centers = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
    found = pydicom.dcmread(path)
    names = {item.ROINumber: item.ROIName for item in found.StructureSetROISequence}
    masks = {}
    for item in found.ROIContourSequence:
        mask = np.zeros((len(x), len(y), slices), dtype=bool)
        for contour in item.ContourSequence:
            points = np.array(contour.ContourData, dtype=float).reshape(-1, 3).tolist()
            index = np.array([image.TransformPhysicalPointToContinuousIndex(point) for point in points])
            inside = Polygon(index[:, :2]).contains_points(centers)
            mask[:, :, round(float(index[0, 2]))] ^= inside.reshape(len(x), len(y))
        masks[names[item.ReferencedROINumber]] = mask
    return masks


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_volume_ratio_is_within_one_percent_for_every_shape(tmp_path, orientation, grid):
    folder = write_phantom(tmp_path / "scan", Phantom(orientation=orientation, **GRIDS[grid]))
    series = read_series(folder)
    masks = {f"CTVp_{number}": SHAPES[name](series.grid) for number, name in enumerate(SHAPES)}
    write_rtstruct(tmp_path / "plan.dcm", {n: Volume(mask, series.grid) for n, mask in masks.items()}, series)
    centers, parts = (covered(tmp_path / "plan.dcm", folder, fine) for fine in (1, FINE))
    for (name, mask), shape in zip(masks.items(), SHAPES, strict=True):
        np.testing.assert_array_equal(centers[name], mask, err_msg=shape)
        ratio = parts[name].sum() / FINE**2 / mask.sum()
        assert 0.99 <= ratio <= 1.01, f"{shape}: {ratio:.4f}"


TINY = {
    "one voxel": [(9, 9, 5)],
    "two in a row": [(9, 9, 5), (10, 9, 5)],
    "two that touch by a corner": [(9, 9, 5), (10, 10, 5)],
    "diagonal": [(7 + k, 7 + k, 5) for k in range(6)],
    "two that touch by a corner across slices": [(9, 9, 5), (10, 10, 6)],
    "one column through all slices": [(9, 9, k) for k in range(14)],
    "the image's corners": [(0, 0, 0), (19, 17, 13)],
    "ring around one voxel": [(8 + a, 8 + b, 5) for a in range(3) for b in range(3) if (a, b) != (1, 1)],
    "ring of corners alone": [(9, 8, 5), (8, 9, 5), (10, 9, 5), (9, 10, 5)],
}


@pytest.mark.parametrize("orientation", ["axial", "oblique"])
@pytest.mark.parametrize("shape", TINY)
def test_tiny_targets_hold_the_centers_of_exactly_their_voxels(tmp_path, shape, orientation):
    folder = write_phantom(
        tmp_path / "scan", Phantom(orientation=orientation, shape=(20, 18, 14), spacing=(1.4, 1.0, 2.0))
    )
    series = read_series(folder)
    mask = np.zeros(series.grid.shape, dtype=bool)
    mask[tuple(np.array(TINY[shape]).T)] = True
    (drawn,) = write_rtstruct(tmp_path / "plan.dcm", {"GTVp": Volume(mask, series.grid)}, series)
    centers, parts = (covered(tmp_path / "plan.dcm", folder, fine)["GTVp"] for fine in (1, 9))
    np.testing.assert_array_equal(centers, mask)
    # what is lost by cut corners is in the reported volume, which a warning compares with the mask's
    assert drawn.contour_ml / drawn.mask_ml == pytest.approx(parts.sum() / 81 / mask.sum(), abs=0.06)
    assert drawn.num_slices == mask.any(axis=(0, 1)).sum()
