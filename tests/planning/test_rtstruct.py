"""Structure sets, read back by an independent rasterizer on ITK's geometry."""

import numpy as np
import pydicom
import pytest
from tests.data.dicom_phantom import ORIENTATIONS, PATIENT, SECRETS, Phantom, write_phantom
from tests.planning.rasterizer import read_structures

from gliocast.core import RESEARCH_NOTICE, Grid, InputError, Volume
from gliocast.data.dicom import read_series
from gliocast.data.placement import place, place_mask
from gliocast.planning.rtstruct import roi_kind, roi_name, write_rtstruct

#: Parts of a voxel's edge, for volumes; odd, so that no line that cuts off a corner passes through their centers.
FINE = 5

#: Square and oblong pixels, square and oblong images.
GRIDS = {
    "square": {"shape": (56, 56, 18), "spacing": (1.0, 1.0, 2.0)},
    "oblong": {"shape": (64, 44, 18), "spacing": (1.7, 1.1, 2.5)},
}


def shapes(grid):
    """Masks by what is hard about them."""
    x, y, z = np.moveaxis((np.moveaxis(np.indices(grid.shape), 0, -1) - (np.array(grid.shape) - 1) / 2), -1, 0)
    x, y, z = x * grid.spacing[0], y * grid.spacing[1], z * grid.spacing[2]
    ball = lambda a, b, c, r: (x - a) ** 2 + (y - b) ** 2 + (z - c) ** 2 < r**2  # noqa: E731
    return {
        "GTVp": ball(4, -3, 1, 9),
        "CTVp": ball(0, 0, 0, 16) & ~ball(3, 2, 0, 6) & ~ball(-7, 5, 1, 4),  # holes, closed in other slices
        "CTVp_MODEL": ball(-12, -9, 2, 8) | ball(12, 8, -3, 9) | (ball(12, 8, -3, 14) & ~ball(12, 8, -3, 12)),
    }


@pytest.fixture
def series_of(tmp_path):
    """The function `series_of(**phantom) -> (series, its folder)`."""

    def call(**options):
        folder = write_phantom(tmp_path / "scan", Phantom(**options))
        return read_series(folder), folder

    return call


@pytest.fixture
def planned(series_of, tmp_path):
    """A series, its folder, targets on it and where to write."""
    series, folder = series_of(orientation="oblique", **GRIDS["oblong"])
    masks = {name: Volume(mask, series.grid) for name, mask in shapes(series.grid).items()}
    return series, folder, masks, tmp_path / "plan.dcm"


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("grid", GRIDS)
def test_volumes_read_back_are_those_of_the_masks(series_of, tmp_path, orientation, grid):
    series, folder = series_of(orientation=orientation, **GRIDS[grid])
    masks = shapes(series.grid)
    drawn = write_rtstruct(tmp_path / "plan.dcm", {n: Volume(m, series.grid) for n, m in masks.items()}, series)
    found = read_structures(tmp_path / "plan.dcm", folder)
    parts = read_structures(tmp_path / "plan.dcm", folder, fine=FINE)
    assert list(found) == list(masks)
    for structure in drawn:
        mask = masks[structure.name]
        np.testing.assert_array_equal(found[structure.name], mask)
        ratio = parts[structure.name].sum() / FINE**2 / mask.sum()
        assert 0.99 <= ratio <= 1.01, structure.name
        assert structure.contour_ml / structure.mask_ml == pytest.approx(ratio, abs=5e-3)
        assert structure.mask_ml == pytest.approx(mask.sum() * series.grid.voxel_volume / 1000)
        assert structure.num_slices == mask.any(axis=(0, 1)).sum()
    assert [structure.kind for structure in drawn] == ["GTV", "CTV", "CTV"]


def test_set_refers_to_every_image_and_its_frame_of_reference(planned):
    series, folder, masks, path = planned
    write_rtstruct(path, masks, series)
    found, image = pydicom.dcmread(path), pydicom.dcmread(folder / "IM0000.dcm")
    (frame,) = found.ReferencedFrameOfReferenceSequence
    (study,) = frame.RTReferencedStudySequence
    (referenced,) = study.RTReferencedSeriesSequence
    assert frame.FrameOfReferenceUID == found.FrameOfReferenceUID == image.FrameOfReferenceUID
    assert study.ReferencedSOPInstanceUID == found.StudyInstanceUID == image.StudyInstanceUID
    assert referenced.SeriesInstanceUID == image.SeriesInstanceUID
    assert found.SeriesInstanceUID != image.SeriesInstanceUID
    there = {(item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID) for item in referenced.ContourImageSequence}
    files = [pydicom.dcmread(file) for file in folder.iterdir()]
    assert there == {(file.SOPClassUID, file.SOPInstanceUID) for file in files}
    assert {item.ReferencedFrameOfReferenceUID for item in found.StructureSetROISequence} == {image.FrameOfReferenceUID}


def test_set_is_unapproved_research_with_names_and_kinds(planned):
    series, _, masks, path = planned
    write_rtstruct(path, masks, series, cautions={"CTVp_MODEL": "SMALLER THAN CTVp"})
    found = pydicom.dcmread(path)
    assert (found.Modality, found.ApprovalStatus) == ("RTSTRUCT", "UNAPPROVED")
    assert found.StructureSetLabel == "RESEARCH ONLY"
    assert "RESEARCH ONLY" in found.SeriesDescription
    assert found.StructureSetDescription == RESEARCH_NOTICE
    assert [item.ROIName for item in found.StructureSetROISequence] == ["GTVp", "CTVp", "CTVp_MODEL"]
    described = [item.ROIDescription for item in found.StructureSetROISequence]
    assert described == ["RESEARCH ONLY"] * 2 + ["RESEARCH ONLY, SMALLER THAN CTVp"]
    assert described == [item.ROIObservationDescription for item in found.RTROIObservationsSequence]
    assert [item.RTROIInterpretedType for item in found.RTROIObservationsSequence] == ["GTV", "CTV", "CTV"]
    numbers = [item.ROINumber for item in found.StructureSetROISequence]
    assert numbers == [item.ReferencedROINumber for item in found.ROIContourSequence]
    assert numbers == [item.ReferencedROINumber for item in found.RTROIObservationsSequence]


def test_set_is_standard_dicom(planned):
    """Every element has a value that its type allows, and every decimal string fits."""
    series, _, masks, path = planned
    write_rtstruct(path, masks, series)
    with pydicom.config.strict_reading():
        found = pydicom.dcmread(path)
        for element in found.iterall():
            assert element.VR != "UN"
            if element.keyword == "ContourData":
                assert max(len(str(value)) for value in element.value) <= 16
    for name in ("PatientName", "PatientID", "StudyDate", "StudyID", "StructureSetDate", "ReferringPhysicianName"):
        assert name in found  # of type 2: there, if empty


def test_nothing_that_names_the_patient_is_written(planned):
    series, _, masks, path = planned
    write_rtstruct(path, masks, series)
    content, found = path.read_bytes(), pydicom.dcmread(path)
    assert not any(secret.encode() in content for secret in SECRETS)
    assert (found.PatientName, found.PatientIdentityRemoved) == ("ANONYMOUS^", "YES")
    assert found.PatientID.startswith("ANON-")
    assert (found.PatientBirthDate, found.StudyDate, found.AccessionNumber) == ("", "", "")


def test_identity_is_copied_on_request_and_nothing_else(planned):
    series, _, masks, path = planned
    write_rtstruct(path, masks, series, keep_identity=True)
    found = pydicom.dcmread(path)
    assert {name: str(found[name].value) for name in PATIENT} == PATIENT
    assert "PatientIdentityRemoved" not in found
    assert not any(secret.encode() in path.read_bytes() for secret in ("ST ELSEWHERE", "PRIVATE-PHI", "t1 for JANE"))


def test_same_targets_are_the_same_bytes_and_others_another_object(planned, tmp_path):
    series, _, masks, path = planned
    write_rtstruct(path, masks, series)
    write_rtstruct(tmp_path / "again.dcm", masks, series)
    assert path.read_bytes() == (tmp_path / "again.dcm").read_bytes()
    write_rtstruct(tmp_path / "other.dcm", {"GTVp": masks["GTVp"]}, series)
    assert pydicom.dcmread(path).SOPInstanceUID != pydicom.dcmread(tmp_path / "other.dcm").SOPInstanceUID


def test_large_contour_is_read_back_whole(series_of, tmp_path):
    """Explicit VR has room for 64 KiB of coordinates only."""
    series, folder = series_of(shape=(64, 60, 2), spacing=(1.0, 1.0, 2.0))
    comb = np.zeros(series.grid.shape, dtype=bool)
    comb[2:-2, 2:-2, 0] = np.random.default_rng(0).random((60, 56)) < 0.6
    comb[2:-2, 2:-2:2, 0] = True
    comb[2, 2:-2, 0] = True
    write_rtstruct(tmp_path / "plan.dcm", {"CTVp": Volume(comb, series.grid)}, series)
    (contour,) = pydicom.dcmread(tmp_path / "plan.dcm").ROIContourSequence[0].ContourSequence
    assert sum(len(str(value)) + 1 for value in contour.ContourData) > 2**16
    np.testing.assert_array_equal(read_structures(tmp_path / "plan.dcm", folder)["CTVp"], comb)


@pytest.mark.parametrize(
    ("target", "name", "kind"),
    [
        ("gtv", "GTVp", "GTV"),
        ("ctv_standard", "CTVp", "CTV"),
        ("ctv_model", "CTVp_MODEL", "CTV"),
        ("ptv_model", "PTVp_MODEL", "PTV"),
    ],
)
def test_targets_are_named_after_tg_263(target, name, kind):
    assert roi_name(target) == name
    assert roi_kind(name) == kind


@pytest.mark.parametrize("name", ["CTV model", "Brain", "CTVp_MODEL_AND_MORE", "", "ctv", "CTVp\n", "CTVp/1"])
def test_name_that_tg_263_does_not_allow_is_refused(planned, name):
    series, _, masks, path = planned
    with pytest.raises(InputError, match="at most 16 characters"):
        write_rtstruct(path, {name: masks["GTVp"]}, series)
    assert not path.exists()


def test_names_that_differ_by_capitals_are_refused(planned):
    series, _, masks, path = planned
    with pytest.raises(InputError, match="more than capitals, got CTVP and CTVp"):
        write_rtstruct(path, {"CTVp": masks["CTVp"], "CTVP": masks["CTVp"]}, series)


def test_no_structure_and_an_empty_one_are_refused(planned):
    series, _, masks, path = planned
    with pytest.raises(InputError, match="at least one target"):
        write_rtstruct(path, {}, series)
    empty = Volume(np.zeros(series.grid.shape, dtype=bool), series.grid)
    with pytest.raises(InputError, match="structure CTVp: expected a target"):
        write_rtstruct(path, {"GTVp": masks["GTVp"], "CTVp": empty}, series)
    assert not path.exists()


def test_mask_on_another_grid_is_refused(planned):
    series, _, masks, path = planned
    moved = series.grid.affine.copy()
    moved[0, 3] += 1
    with pytest.raises(InputError, match="structure GTVp: expected the grid of its companions"):
        write_rtstruct(path, {"GTVp": Volume(masks["GTVp"].data, Grid(series.grid.shape, moved))}, series)


def ellipsoid(grid, center, half_axes):
    points = grid.world_from_voxel(np.moveaxis(np.indices(grid.shape), 0, -1))
    return (((points - center) / half_axes) ** 2).sum(axis=-1) < 1


@pytest.fixture
def fine_target(planned):
    """An ellipsoid inside of the series on a grid of its own, 1 mm, along the world's axes."""
    series = planned[0]
    center = series.grid.world_from_voxel((np.array(series.grid.shape) - 1) / 2)
    grid = Grid((60, 64, 60), np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]]))
    affine = grid.affine.copy()
    affine[:3, 3] = center - (np.array(grid.shape) - 1) / 2 + 0.3
    grid = Grid(grid.shape, affine)
    return Volume(ellipsoid(grid, center, (14, 11, 9)), grid)


def test_mask_of_another_grid_is_outlined_where_it_lies_in_the_world(planned, fine_target):
    series, folder, _, path = planned
    placed = place_mask(fine_target, series, "ctv_model", frame_uid=series.frame_uid)
    write_rtstruct(path, {"CTVp_MODEL": placed}, series)
    parts = read_structures(path, folder, fine=FINE)["CTVp_MODEL"]
    volume = parts.sum() / FINE**2 * series.grid.voxel_volume
    # slices of 2.5 mm through an ellipsoid of half axes of 9 to 14 mm, sampled at their centers
    assert volume / (fine_target.data.sum() * fine_target.grid.voxel_volume) == pytest.approx(1, abs=0.01)
    index = (np.argwhere(parts) + 0.5) / [FINE, FINE, 1] - [0.5, 0.5, 0.5]
    middle = series.grid.world_from_voxel(index.mean(axis=0))
    own = fine_target.grid.world_from_voxel(np.argwhere(fine_target.data).mean(axis=0))
    assert np.linalg.norm(middle - own) < 0.1


def test_mask_on_the_series_own_grid_is_placed_as_it_is(planned):
    series, _, masks, _ = planned
    assert place_mask(masks["GTVp"], series, "gtv") is masks["GTVp"]
    assert place_mask(masks["GTVp"], series, "gtv", frame_uid=series.frame_uid) is masks["GTVp"]


def test_interpolation_agrees_with_the_function_that_was_sampled(planned, fine_target):
    """A linear function is interpolated exactly."""
    series, grid = planned[0], fine_target.grid
    points = grid.world_from_voxel(np.moveaxis(np.indices(grid.shape), 0, -1))
    slope, start = np.array([0.3, -0.2, 0.1]), 500.0
    placed = place(Volume(points @ slope + start, grid), series, "density", frame_uid=series.frame_uid)
    there = series.grid.world_from_voxel(np.moveaxis(np.indices(series.grid.shape), 0, -1))
    index = grid.voxel_from_world(there)
    inside = ((index >= 0) & (index <= np.array(grid.shape) - 1)).all(axis=-1)
    assert inside.sum() > 1000
    np.testing.assert_allclose(placed.data[inside], (there @ slope + start)[inside], rtol=1e-5)
    beyond = ((index < -1) | (index > np.array(grid.shape))).any(axis=-1)
    assert beyond.any()
    assert not placed.data[beyond].any()


@pytest.mark.parametrize("same_grid", [True, False])
def test_another_frame_of_reference_is_refused(planned, fine_target, same_grid):
    series, _, masks, _ = planned
    mask = masks["GTVp"] if same_grid else fine_target
    with pytest.raises(InputError, match="gtv: expected the frame of reference of the series, got another"):
        place_mask(mask, series, "gtv", frame_uid="1.2.3")


def test_another_grid_whose_frame_is_not_known_is_refused(planned, fine_target):
    with pytest.raises(InputError, match=r"ctv_model: expected the grid of the series, .* --planned-on"):
        place_mask(fine_target, planned[0], "ctv_model")


def test_target_that_the_series_cuts_off_is_refused(planned, fine_target):
    affine = fine_target.grid.affine.copy()
    affine[:3, 3] += series_normal(planned[0]) * 20
    moved = Volume(fine_target.data, Grid(fine_target.grid.shape, affine))
    with pytest.raises(InputError, match=r"expected a target inside of the series, got .* % of it outside"):
        place_mask(moved, planned[0], "ctv_model", frame_uid=planned[0].frame_uid)


def test_target_far_from_the_series_is_refused(planned, fine_target):
    affine = fine_target.grid.affine.copy()
    affine[:3, 3] += 500
    moved = Volume(fine_target.data, Grid(fine_target.grid.shape, affine))
    with pytest.raises(InputError, match="something inside of the series"):
        place_mask(moved, planned[0], "ctv_model", frame_uid=planned[0].frame_uid)


def test_empty_mask_is_refused_before_it_is_placed(planned):
    series = planned[0]
    with pytest.raises(InputError, match="ctv_model: expected a target, got an empty mask"):
        place_mask(Volume(np.zeros(series.grid.shape, dtype=bool), series.grid), series, "ctv_model")


def series_normal(series):
    column = series.grid.affine[:3, 2]
    return column / np.linalg.norm(column)
