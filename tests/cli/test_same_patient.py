"""Whose scans a series shows: two patients who were scanned by one protocol have one grid."""

import json
from hashlib import sha256
from types import SimpleNamespace

import nibabel as nib
import numpy as np
import pydicom
import pytest
from scipy import ndimage
from tests.data.dicom_phantom import Phantom, write_phantom

from gliocast.core import Grid, Scan, Volume
from gliocast.data.likeness import fingerprint
from gliocast.pipeline.plan_origin import origin_of

PHANTOM = Phantom(shape=(44, 40, 24), spacing=(2.0, 2.0, 3.0))
AWAY = np.linalg.norm((np.moveaxis(np.indices(PHANTOM.shape), 0, -1) - (21.5, 19.5, 11.5)) / (20, 18, 11), axis=-1)
HEAD, BRAIN = AWAY < 1, AWAY < 0.75
EXPORTS = pytest.mark.parametrize("kind", ["rtstruct", "seg", "density"])


def gray_values(number):
    generator = np.random.default_rng(number)
    smooth = ndimage.gaussian_filter(generator.standard_normal(PHANTOM.shape), 2.5)
    return np.where(HEAD, 900 + 250 * smooth / smooth.std(), generator.integers(0, 20, PHANTOM.shape)).astype(np.uint16)


def scan_of(number, folder):
    """The series of a patient; all have one frame of reference."""

    def change(datasets):
        for image in datasets:
            image.PixelData = np.ascontiguousarray(gray_values(number)[:, :, image.InstanceNumber - 1].T).tobytes()

    return write_phantom(folder, PHANTOM, change)


def write_plan(folder, affine, *, scans, warnings=(), frames=()):
    """Targets and density, as `run` leaves them."""
    folder.mkdir()
    for name, radius in (("gtv", 0.25), ("ctv_standard", 0.5), ("ctv_model", 0.48)):
        nib.save(nib.Nifti1Image((radius > AWAY).astype(np.uint8), affine), folder / f"{name}.nii.gz")
    nib.save(nib.Nifti1Image((0.8 * (AWAY < 0.5)).astype(np.float32), affine), folder / "density.nii.gz")
    digests = {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.nii.gz")}
    density = digests.pop("density.nii.gz")
    content = {"files": digests, "density": density, "scans": scans, "warnings": list(warnings), "frames": list(frames)}
    (folder / "plan.json").write_text(json.dumps(content))
    return folder


@pytest.fixture
def planned(tmp_path, gliocast):
    """A plan on a scan that was skull-stripped and rescaled after its conversion, among others; and the series."""
    series = scan_of(1, tmp_path / "series")
    gliocast("convert", series, "--out", tmp_path / "t1c.nii.gz", "-q")
    image = nib.load(tmp_path / "t1c.nii.gz")
    grid = Grid(image.shape, image.affine)
    stripped = Volume(np.asarray(image.dataobj, dtype=np.float32) / 700, grid)
    other = Volume(gray_values(7).astype(np.float32), grid)
    scans = {"t1c": fingerprint(stripped, BRAIN), "t2": fingerprint(other, BRAIN)}
    frame = json.loads((tmp_path / "t1c.json").read_text())["frame_of_reference_uid"]
    return write_plan(tmp_path / "plan", image.affine, scans=scans, frames=[frame]), series


@EXPORTS
def test_series_that_was_planned_on_is_taken_without_a_word(kind, planned, tmp_path, gliocast):
    if kind != "rtstruct":
        pytest.importorskip("highdicom")
    plan, series = planned
    outcome = gliocast("export", kind, plan, "--series", series, "--out", tmp_path / "out.dcm", "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


@EXPORTS
def test_series_of_another_patient_on_the_same_grid_is_refused(kind, planned, tmp_path, refused):
    stranger = scan_of(2, tmp_path / "stranger")
    message = refused("export", kind, planned[0], "--series", stranger, "--out", tmp_path / "out.dcm", "--quiet")
    assert "series: expected one of the scans that were planned on, got an image that looks like none" in message


@EXPORTS
@pytest.mark.parametrize("options", [(), ("--other-scan",)])
def test_series_in_another_frame_of_reference_is_refused(kind, options, planned, tmp_path, refused):
    if kind != "rtstruct":
        pytest.importorskip("highdicom")
    plan, series = planned
    for path in series.iterdir():
        image = pydicom.dcmread(path)
        image.FrameOfReferenceUID = "1.2.3.4"
        image.save_as(path)
    message = refused("export", kind, plan, "--series", series, "--out", tmp_path / "out.dcm", *options, "--quiet")
    assert "series: expected the frame of reference of the scans that were planned on, got another" in message


def test_unknown_frame_of_reference_brings_a_warning(planned, tmp_path, gliocast):
    plan, series = planned
    content = json.loads((plan / "plan.json").read_text())
    (plan / "plan.json").write_text(json.dumps({**content, "frames": []}))
    outcome = gliocast("export", "rtstruct", plan, "--series", series, "--out", tmp_path / "out.dcm", "--quiet")
    assert outcome.code == 0
    assert outcome.err.startswith("WARNING: it isn't known in which frame of reference the targets lie")
    assert outcome.err.count("\n") == 1


def test_a_run_keeps_the_frame_of_reference_that_sidecars_name(planned, tmp_path):
    image = nib.load(tmp_path / "t1c.nii.gz")
    volume = Volume(np.asarray(image.dataobj, dtype=np.float32), Grid(image.shape, image.affine))
    scans = {"t1c": Scan("t1c", volume, tmp_path / "t1c.nii.gz"), "t1": Scan("t1", volume, tmp_path / "t1.nii.gz")}
    (tmp_path / "t1.json").write_text('{"RepetitionTime": 2}')  # another program's
    visit = SimpleNamespace(scans=scans, grid=volume.grid, brain=BRAIN)
    frame = json.loads((tmp_path / "t1c.json").read_text())["frame_of_reference_uid"]
    assert origin_of(visit, planned[0] / "density.nii.gz", None).frames == (frame,)
    visit.grid = Grid(image.shape, np.diag([2.0, 2.0, 3.0, 1.0]))  # resampled since
    assert origin_of(visit, planned[0] / "density.nii.gz", None).frames == ()


def test_another_scan_is_taken_on_request_with_a_warning(planned, tmp_path, gliocast):
    other = scan_of(2, tmp_path / "ct")
    arguments = ["export", "rtstruct", planned[0], "--series", other, "--out", tmp_path / "out.dcm", "--other-scan"]
    for quiet in ([], ["--quiet"]):
        outcome = gliocast(*arguments, *quiet)
        assert outcome.code == 0
        assert outcome.err.count("WARNING: the series looks like none of the scans that were planned on") == 1


@EXPORTS
def test_plan_that_keeps_no_trace_of_its_scans_brings_a_warning(kind, planned, tmp_path, gliocast):
    if kind != "rtstruct":
        pytest.importorskip("highdicom")
    plan, series = planned
    known = json.loads((plan / "plan.json").read_text())
    for content in ({**known, "scans": {}}, {"files": known["files"]}, {**known, "scans": {"t1": "?"}}):
        (plan / "plan.json").write_text(json.dumps(content))
        outcome = gliocast("export", kind, plan, "--series", series, "--out", tmp_path / "out.dcm", "--quiet")
        assert outcome.code == 0
        assert outcome.err.startswith("WARNING: it isn't known which scans were planned on: make sure")
        assert outcome.err.count("\n") == 1


def test_density_that_is_not_the_plans_has_no_known_scans(planned, tmp_path, gliocast):
    pytest.importorskip("highdicom")
    plan, series = planned
    image = nib.load(plan / "density.nii.gz")
    nib.save(nib.Nifti1Image((0.5 * image.get_fdata()).astype(np.float32), image.affine), plan / "density.nii.gz")
    outcome = gliocast("export", "density", plan, "--series", series, "--out", tmp_path / "out.dcm", "--quiet")
    assert "it isn't known which scans were planned on" in outcome.err


def test_sidecar_of_another_patient_is_refused_though_frame_and_grid_agree(planned, tmp_path, gliocast, refused):
    plan, series = planned
    gliocast("convert", scan_of(2, tmp_path / "stranger"), "--out", tmp_path / "stranger.nii.gz", "-q")
    arguments = ["export", "rtstruct", plan, "--series", series, "--out", tmp_path / "out.dcm", "-q", "--planned-on"]
    message = refused(*arguments, tmp_path / "stranger.json")
    assert "sidecar: expected one of the scans that were planned on" in message
    outcome = gliocast(*arguments, tmp_path / "t1c.json")
    assert (outcome.code, outcome.err) == (0, "")


def test_warnings_of_the_plan_are_said_again_and_stand_in_the_objects(planned, tmp_path, gliocast):
    highdicom = pytest.importorskip("highdicom")
    plan, series = planned
    content = json.loads((plan / "plan.json").read_text())
    (plan / "plan.json").write_text(json.dumps({**content, "warnings": ["THE MODEL'S TARGET IS SMALLER"]}))
    for kind in ("rtstruct", "seg"):
        outcome = gliocast("export", kind, plan, "--series", series, "--out", tmp_path / f"{kind}.dcm", "--quiet")
        assert (outcome.code, outcome.err) == (0, "WARNING: THE MODEL'S TARGET IS SMALLER\n")
    structures = pydicom.dcmread(tmp_path / "rtstruct.dcm").StructureSetROISequence
    segments = highdicom.seg.segread(tmp_path / "seg.dcm").SegmentSequence
    for described in (
        {item.ROIName: item.ROIDescription for item in structures},
        {item.SegmentLabel: item.SegmentDescription for item in segments},
    ):
        assert described["CTVp"] == described["GTVp"] == "RESEARCH ONLY"
        assert described["CTVp_MODEL"].startswith("RESEARCH ONLY, SMALLER THAN CTVp (")
