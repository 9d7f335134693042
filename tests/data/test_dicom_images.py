"""DICOM Segmentation and Parametric Map, read back by highdicom."""

import sys

import numpy as np
import pydicom
import pytest
from tests.data.dicom_phantom import ORIENTATIONS, PATIENT, SECRETS, Phantom, write_phantom

from gliocast.core import InputError, Volume
from gliocast.data.dicom import read_series
from gliocast.data.dicom_images import Segment, write_parametric_map, write_segmentation

highdicom = pytest.importorskip("highdicom")


@pytest.fixture(params=["axial", "oblique", "sagittal"])
def series(request, tmp_path):
    assert request.param in ORIENTATIONS
    return read_series(write_phantom(tmp_path / "scan", Phantom(orientation=request.param, shape=(24, 20, 18))))


@pytest.fixture
def segments(series):
    whole = np.zeros(series.grid.shape, dtype=bool)
    whole[3:20, 5:17, 4:15] = True
    part = whole.copy()
    part[:9], part[:, :, 10] = False, False
    return [Segment("GTVp", "GTV", Volume(part, series.grid)), Segment("CTVp_MODEL", "CTV", Volume(whole, series.grid))]


def on_grid(volume, grid):
    """What highdicom read, on a grid in which it lies; (columns, rows, slices)."""
    index = np.moveaxis(np.indices(volume.spatial_shape), 0, -1)
    world = (index @ volume.affine[:3, :3].T + volume.affine[:3, 3]) * [-1, -1, 1]
    there = grid.voxel_from_world(world)
    np.testing.assert_allclose(there, np.rint(there), atol=1e-3)
    found = np.zeros((*grid.shape, *volume.array.shape[3:]), dtype=volume.array.dtype)
    found[tuple(np.moveaxis(np.rint(there).astype(int), -1, 0))] = volume.array
    return found


def test_segments_read_back_are_the_masks_that_overlap(series, segments, tmp_path):
    write_segmentation(tmp_path / "seg.dcm", segments, series)
    found = highdicom.seg.segread(tmp_path / "seg.dcm")
    masks = on_grid(found.get_volume(combine_segments=False), series.grid)
    for number, segment in enumerate(segments):
        np.testing.assert_array_equal(masks[..., number], segment.mask.data)
        description = found.get_segment_description(number + 1)
        assert description.segment_label == segment.name
        assert description.segmented_property_type.meaning.startswith(
            {"GTV": "Gross tumor", "CTV": "Clinical target"}[segment.kind]
        )
    assert found.FrameOfReferenceUID == series.frame_uid
    assert found.ReferencedSeriesSequence[0].SeriesInstanceUID == series.series_uid
    assert found.SeriesDescription.startswith("RESEARCH ONLY")


def test_density_read_back_is_the_density_to_the_bit(series, tmp_path):
    density = np.random.default_rng(2).random(series.grid.shape, dtype=np.float32)
    write_parametric_map(tmp_path / "map.dcm", Volume(density, series.grid), series)
    found = highdicom.imread(tmp_path / "map.dcm")
    np.testing.assert_array_equal(on_grid(found.get_volume(), series.grid).astype(np.float32), density)
    assert found.FrameOfReferenceUID == series.frame_uid
    assert found.ContentQualification == "RESEARCH"


@pytest.mark.parametrize("keep", [False, True])
def test_identity_is_copied_on_request_only(series, segments, tmp_path, keep):
    paths = (tmp_path / "seg.dcm", tmp_path / "map.dcm")
    write_segmentation(paths[0], segments, series, keep_identity=keep)
    write_parametric_map(paths[1], Volume(np.ones(series.grid.shape, "f4"), series.grid), series, keep_identity=keep)
    for path in paths:
        found = pydicom.dcmread(path)
        assert found.StudyInstanceUID == series.study_uid
        if keep:
            assert {name: str(found[name].value) for name in PATIENT} == PATIENT
        else:
            assert found.PatientName == "ANONYMOUS^"
            assert not any(secret.encode() in path.read_bytes() for secret in SECRETS)


def test_what_cannot_be_written_is_refused(series, segments, tmp_path):
    empty = Segment("CTVp", "CTV", Volume(np.zeros(series.grid.shape, dtype=bool), series.grid))
    for bad, said in (([], "at least one target"), ([*segments, empty], "segment CTVp: expected a target")):
        with pytest.raises(InputError, match=said):
            write_segmentation(tmp_path / "seg.dcm", bad, series)
    with pytest.raises(InputError, match=r"values in \[0, 1\], got 0 to 2"):
        write_parametric_map(tmp_path / "seg.dcm", Volume(2.0 * segments[0].mask.data, series.grid), series)
    assert not (tmp_path / "seg.dcm").exists()


def test_missing_extra_is_named(series, segments, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    with pytest.raises(InputError, match=r"expected highdicom, got none installed; pip install 'gliocast\[dicom\]'"):
        write_segmentation(tmp_path / "seg.dcm", segments, series)
