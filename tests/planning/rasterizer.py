"""A structure set read back by the even-odd rule, with ITK's geometry; nothing of gliocast is used."""

from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk


def read_structures(path: Path, folder: Path, *, fine: int = 1) -> dict[str, np.ndarray]:
    """Masks by name on the series' voxels, each split into `fine` by `fine` in its plane; (columns, rows, slices)."""
    structure_set = pydicom.dcmread(path)
    reader = sitk.ImageSeriesReader()
    files = reader.GetGDCMSeriesFileNames(str(folder))
    reader.SetFileNames(files)
    image = reader.Execute()
    uids = [pydicom.dcmread(file, stop_before_pixels=True).SOPInstanceUID for file in files]
    names = {item.ROINumber: item.ROIName for item in structure_set.StructureSetROISequence}
    found = {}
    for item in structure_set.ROIContourSequence:
        columns, rows, slices = image.GetSize()
        mask = np.zeros((columns * fine, rows * fine, slices), dtype=bool)
        for contour in item.ContourSequence:
            points = np.array(contour.ContourData, dtype=float).reshape(-1, 3)
            assert contour.ContourGeometricType == "CLOSED_PLANAR"
            assert len(points) == contour.NumberOfContourPoints
            index = np.array([image.TransformPhysicalPointToContinuousIndex(point) for point in points.tolist()])
            (position,) = set(np.rint(index[:, 2]).astype(int).tolist())
            # coordinates have four decimals
            np.testing.assert_allclose(index[:, 2], position, atol=1e-3)
            assert contour.ContourImageSequence[0].ReferencedSOPInstanceUID == uids[position]
            mask[:, :, position] ^= even_odd(index[:, :2], (columns, rows), fine)
        found[names[item.ReferencedROINumber]] = mask
    return found


def even_odd(points: np.ndarray, shape: tuple[int, int], fine: int) -> np.ndarray:
    """Which centers of `fine` by `fine` parts of pixels lie inside of a polygon: a ray to the left crosses it oddly."""
    x, y = points.T
    next_x, next_y = np.roll(x, -1), np.roll(y, -1)
    at_x, at_y = (-0.5 + (np.arange(n * fine) + 0.5) / fine for n in shape)
    inside = np.zeros((len(at_x), len(at_y)), dtype=bool)
    for row, height in enumerate(at_y):
        crossed = np.flatnonzero((y > height) != (next_y > height))
        share = (height - y[crossed]) / (next_y[crossed] - y[crossed])
        for edge in x[crossed] + share * (next_x[crossed] - x[crossed]):
            inside[:, row] ^= at_x > edge
    return inside
