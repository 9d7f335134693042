"""Series to NIfTI and targets to DICOM, through the real command."""

import json
import re
import sys
from hashlib import sha256
from pathlib import Path
from shutil import copy2

import nibabel as nib
import numpy as np
import pydicom
import pytest
from tests.data.dicom_phantom import PATIENT, SECRETS, Phantom, write_phantom
from tests.planning.rasterizer import read_structures

#: The first column of the table of the sidecar's keys.
PAGE = Path(__file__).resolve().parents[2] / "docs" / "dicom.md"
DOCUMENTED = "".join(re.findall(r"^\|(.*?)\|", PAGE.read_text().split("| key |")[1].split("\n\n")[0], re.MULTILINE))

#: A series whose every axis differs, in number and spacing.
PHANTOM = Phantom(orientation="oblique", shape=(44, 36, 20), spacing=(1.5, 2.0, 3.0))


def ball(radius, shape=PHANTOM.shape, center=(20, 18, 10), spacing=(2.0, 1.5, 3.0)):
    offset = (np.moveaxis(np.indices(shape), 0, -1) - center) * spacing
    return np.linalg.norm(offset, axis=-1) < radius


@pytest.fixture
def scan(tmp_path, gliocast):
    """A series and what it was converted to."""
    folder = write_phantom(tmp_path / "series", PHANTOM)
    assert gliocast("convert", folder, "--out", tmp_path / "t1.nii.gz", "--quiet").code == 0
    return folder, tmp_path / "t1.nii.gz"


@pytest.fixture
def plan(scan, tmp_path):
    """A folder as `plan` writes it, on the grid of the converted series."""
    folder = tmp_path / "plan"
    folder.mkdir()
    affine = nib.load(scan[1]).affine
    for name, mask in (("gtv", ball(9)), ("ctv_standard", ball(17)), ("ctv_model", ball(17, center=(21, 18, 11)))):
        nib.save(nib.Nifti1Image(mask.astype(np.uint8), affine), folder / f"{name}.nii.gz")
    density = (0.8 * ball(17)).astype(np.float32)
    nib.save(nib.Nifti1Image(density, affine), folder / "density.nii.gz")
    (folder / "other.json").write_text("{}")
    return folder


@pytest.fixture
def listed(plan):
    """The same with the list of its targets, and what an earlier plan left."""
    files = {path.name: sha256(path.read_bytes()).hexdigest() for path in sorted(plan.glob("?tv*.nii.gz"))}
    (plan / "plan.json").write_text(json.dumps({"files": files}))
    copy2(plan / "ctv_standard.nii.gz", plan / "ctv_boost.nii.gz")
    return plan


def masks_of(folder):
    return {path.name.removesuffix(".nii.gz"): nib.load(path).get_fdata() > 0 for path in folder.glob("?tv*.nii.gz")}


def test_targets_of_an_earlier_plan_are_left_where_they_are(scan, listed, tmp_path, gliocast):
    outcome = gliocast("export", "rtstruct", listed, "--series", scan[0], "--out", tmp_path / "plan.dcm")
    assert outcome.code == 0
    names = {item.ROIName for item in pydicom.dcmread(tmp_path / "plan.dcm").StructureSetROISequence}
    assert names == {"GTVp", "CTVp", "CTVp_MODEL"}


def test_a_target_that_isnt_as_the_plan_wrote_it_is_refused(scan, listed, tmp_path, refused):
    copy2(listed / "ctv_standard.nii.gz", listed / "ctv_model.nii.gz")
    said = refused("export", "rtstruct", listed, "--series", scan[0], "--out", tmp_path / "plan.dcm", "-q")
    assert "ctv_model.nii.gz as plan.json has it" in said
    (listed / "plan.json").write_text("{}")
    assert "a list of files" in refused("export", "rtstruct", listed, "--series", scan[0], "--out", tmp_path / "p.dcm")


def test_convert_writes_a_scan_and_a_sidecar_that_names_nobody(tmp_path, gliocast):
    folder, out = write_phantom(tmp_path / "series", PHANTOM), tmp_path / "new" / "t1.nii.gz"
    outcome = gliocast("convert", folder, "--out", out)
    assert (outcome.code, outcome.err.count("warning")) == (0, 0)
    assert f"scan: {out} (MR, 44x36x20 at 2x1.5x3 mm" in outcome.out
    assert {path.name for path in out.parent.iterdir()} == {"t1.nii.gz", "t1.json"}
    said = json.loads((out.parent / "t1.json").read_text())
    assert (said["modality"], said["shape"], said["frame_of_reference_uid"]) == ("MR", [44, 36, 20], PHANTOM.frame_uid)
    np.testing.assert_allclose(said["spacing_mm"], (2.0, 1.5, 3.0))
    np.testing.assert_allclose(said["affine"], nib.load(out).affine, atol=1e-4)
    written = (out.parent / "t1.json").read_text() + outcome.out
    assert not any(secret in written for secret in SECRETS)
    assert pydicom.dcmread(next(folder.iterdir())).StudyInstanceUID not in written
    np.testing.assert_array_equal(nib.load(out).get_fdata(), PHANTOM.values())
    assert {*said, "identity"} == set(re.findall(r"`(\w+)`", DOCUMENTED))


def test_identity_is_in_the_sidecar_on_request(tmp_path, gliocast):
    folder = write_phantom(tmp_path / "series", PHANTOM)
    gliocast("convert", folder, "--out", tmp_path / "t1.nii.gz", "--keep-identity", "--quiet")
    said = json.loads((tmp_path / "t1.json").read_text())["identity"]
    assert {name: said[name] for name in PATIENT} == PATIENT
    assert "ST ELSEWHERE" not in json.dumps(said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["absent", "--out", "t1.nii.gz"], "no such folder"),
        (["series", "--out", "t1.nii"], "ends in .nii.gz"),
        (["series", "--out", "/proc/t1.nii.gz"], "a place that can be written"),
    ],
)
def test_wrong_conversion_is_refused(tmp_path, refused, monkeypatch, arguments, said):
    write_phantom(tmp_path / "series", PHANTOM)
    monkeypatch.chdir(tmp_path)
    assert said in refused("convert", *arguments, "--quiet")


def test_incomplete_series_is_refused_and_nothing_written(tmp_path, refused):
    folder = write_phantom(tmp_path / "series", PHANTOM, lambda datasets: datasets[:7] + datasets[8:])
    assert "without gaps" in refused("convert", folder, "--out", tmp_path / "t1.nii.gz")


def test_invalid_value_in_a_header_is_one_line(tmp_path, refused):
    def change(datasets):
        for image in datasets:
            image["PixelSpacing"]._value = "one and two"

    folder = write_phantom(tmp_path / "series", PHANTOM, change)
    assert "readable DICOM" in refused("convert", folder, "--out", tmp_path / "t1.nii.gz")


def test_structure_set_holds_the_targets_of_the_plan(scan, plan, tmp_path, gliocast):
    out = tmp_path / "new" / "plan.dcm"
    outcome = gliocast("export", "rtstruct", plan, "--series", scan[0], "--out", out)
    assert outcome.code == 0, outcome.err
    assert f"structure set: {out}" in outcome.out
    assert "research only" in outcome.out
    assert "CTVp_MODEL: " in outcome.out
    found, masks = read_structures(out, scan[0]), masks_of(plan)
    assert list(found) == ["GTVp", "CTVp_MODEL", "CTVp"]
    for name, target in (("GTVp", "gtv"), ("CTVp", "ctv_standard"), ("CTVp_MODEL", "ctv_model")):
        np.testing.assert_array_equal(found[name], masks[target])
    assert not any(secret.encode() in out.read_bytes() for secret in SECRETS)


def test_identity_is_in_the_structure_set_on_request(scan, plan, tmp_path, gliocast):
    out = tmp_path / "plan.dcm"
    gliocast("export", "rtstruct", plan, "--series", scan[0], "--out", out, "--keep-identity", "--quiet")
    assert pydicom.dcmread(out).PatientID == PATIENT["PatientID"]


def test_segmentation_and_density_are_written_and_hold_what_was_planned(scan, plan, tmp_path, gliocast):
    highdicom = pytest.importorskip("highdicom")
    for kind in ("seg", "density"):
        outcome = gliocast("export", kind, plan, "--series", scan[0], "--out", tmp_path / f"{kind}.dcm")
        assert (outcome.code, outcome.err.count("arning")) == (0, 0), outcome.err
        assert str(tmp_path / f"{kind}.dcm") in outcome.out
    segmentation = highdicom.seg.segread(tmp_path / "seg.dcm")
    masks = masks_of(plan)
    totals = segmentation.get_volume(combine_segments=False).array.sum(axis=(0, 1, 2))
    assert totals.tolist() == [masks[name].sum() for name in ("gtv", "ctv_model", "ctv_standard")]
    density = highdicom.imread(tmp_path / "density.dcm").get_volume().array
    assert density.sum() == pytest.approx(nib.load(plan / "density.nii.gz").get_fdata().sum(), rel=1e-6)


def test_missing_extra_is_one_line(scan, plan, tmp_path, refused, monkeypatch):
    monkeypatch.setitem(sys.modules, "highdicom", None)
    for kind in ("seg", "density"):
        message = refused("export", kind, plan, "--series", scan[0], "--out", tmp_path / "x.dcm", "--quiet")
        assert "pip install 'gliocast[dicom]'" in message


@pytest.fixture
def other(tmp_path, gliocast):
    """Another scan of the same frame of reference, axial and finer, with a plan on it; and its sidecar."""
    phantom = Phantom(shape=(70, 70, 60), spacing=(1, 1, 1), origin=tuple(PHANTOM.world(20, 18, 10) - (35, 35, 30)))
    folder = write_phantom(tmp_path / "other", phantom)
    gliocast("convert", folder, "--out", tmp_path / "flair.nii.gz", "--quiet")
    plan = tmp_path / "fine-plan"
    plan.mkdir()
    mask = ball(14, phantom.shape, (35, 35, 30), (1, 1, 1)).astype(np.uint8)
    nib.save(nib.Nifti1Image(mask, nib.load(tmp_path / "flair.nii.gz").affine), plan / "ctv_model.nii.gz")
    return plan, tmp_path / "flair.json"


def test_plan_on_another_scan_of_the_frame_is_interpolated_where_its_sidecar_says_so(
    scan, other, tmp_path, gliocast, refused
):
    plan, beside = other
    arguments = ["export", "rtstruct", plan, "--series", scan[0], "--out", tmp_path / "plan.dcm", "--quiet"]
    assert "expected the grid of the series" in refused(*arguments)
    assert gliocast(*arguments, "--planned-on", beside).code == 0
    parts = read_structures(tmp_path / "plan.dcm", scan[0], fine=5)["CTVp_MODEL"]
    volume = parts.sum() / 25 * np.prod(PHANTOM.spacing)
    # slices of 3 mm through a ball of 14 mm
    assert volume == pytest.approx(nib.load(plan / "ctv_model.nii.gz").get_fdata().sum(), rel=0.02)


@pytest.mark.parametrize("kind", ["rtstruct", "seg"])
@pytest.mark.parametrize("fewer", [0, 500])
def test_targets_are_compared_as_they_were_planned_not_as_another_grid_has_them(
    kind, fewer, scan, other, tmp_path, gliocast
):
    """Of two targets of one volume interpolation makes one the smaller."""
    highdicom = pytest.importorskip("highdicom")
    plan, beside = other
    image = nib.load(plan / "ctv_model.nii.gz")
    standard = image.get_fdata() > 0
    model = np.roll(standard, (2, 1, 1), axis=(0, 1, 2))
    model[tuple(np.argwhere(model)[:fewer].T)] = False
    assert np.count_nonzero(standard) - np.count_nonzero(model) == fewer
    for name, mask in (("ctv_standard", standard), ("ctv_model", model)):
        nib.save(nib.Nifti1Image(mask.astype(np.uint8), image.affine), plan / f"{name}.nii.gz")
    out = tmp_path / "out.dcm"
    outcome = gliocast("export", kind, plan, "--series", scan[0], "--out", out, "--planned-on", beside, "-q")
    assert outcome.code == 0, outcome.err
    if kind == "rtstruct":
        described = {item.ROIName: item.ROIDescription for item in pydicom.dcmread(out).StructureSetROISequence}
    else:
        segments = highdicom.seg.segread(out)
        described = {item.SegmentLabel: item.SegmentDescription for item in segments.SegmentSequence}
        sizes = segments.get_volume(combine_segments=False).array.sum(axis=(0, 1, 2))
        assert sizes[0] < sizes[1]
    volumes = [np.count_nonzero(mask) / 1000 for mask in (model, standard)]
    said = "RESEARCH ONLY, SMALLER THAN CTVp ({:.1f} ml instead of {:.1f} ml)".format(*volumes)
    assert described == {"CTVp": "RESEARCH ONLY", "CTVp_MODEL": said if fewer else "RESEARCH ONLY"}


def test_plan_on_a_scan_of_another_frame_is_refused(scan, other, tmp_path, refused):
    plan, beside = other
    beside.write_text(beside.read_text().replace(PHANTOM.frame_uid, "1.2.3"))
    message = refused(
        *("export", "rtstruct", plan, "--series", scan[0], "--out", tmp_path / "plan.dcm", "--planned-on", beside)
    )
    assert "frame of reference of the series" in message


def spoiled(name, values):
    def change(plan):
        image = nib.load(plan / f"{name}.nii.gz")
        nib.save(nib.Nifti1Image(values(image.get_fdata()).astype(np.uint8), image.affine), plan / f"{name}.nii.gz")

    return change


def copied(plan):
    (plan / "ctv.nii.gz").write_bytes((plan / "ctv_standard.nii.gz").read_bytes())


def renamed(plan):
    (plan / "ctv_model.nii.gz").rename(plan / "ctv_of_the_model_and_more.nii.gz")


def emptied(plan):
    for path in plan.glob("?tv*"):
        path.unlink()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (spoiled("gtv", np.zeros_like), "gtv: expected a target, got an empty mask"),
        (spoiled("gtv", lambda data: data * 4), "a mask of 0 and 1, got 0 to 4"),
        (spoiled("gtv", lambda data: data[:-1]), "the grid of the series"),
        (copied, "two CTVp"),
        (renamed, "at most 16 characters"),
        (emptied, "targets such as gtv.nii.gz"),
    ],
)
def test_plan_that_is_none_is_refused(scan, plan, tmp_path, refused, change, said):
    change(plan)
    out = ["--out", tmp_path / "plan.dcm", "--quiet"]
    assert said in refused("export", "rtstruct", plan, "--series", scan[0], *out)


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--out", "plan.nii.gz", "ends in .dcm"),
        ("--series", "absent", "no such folder"),
        ("--planned-on", "absent.json", "no such file"),
        ("--planned-on", "plan/other.json", "no frame_of_reference_uid"),
    ],
)
def test_wrong_export_option_is_refused(scan, plan, tmp_path, refused, monkeypatch, option, value, said):
    monkeypatch.chdir(tmp_path)
    arguments = ["export", "rtstruct", plan, "--series", scan[0], "--out", tmp_path / "plan.dcm", "--quiet"]
    assert said in refused(*arguments, option, value)


def test_series_that_is_too_coarse_for_a_target_brings_a_warning(scan, plan, tmp_path, gliocast):
    for path in plan.glob("ctv*"):
        path.unlink()
    spoiled("gtv", lambda data: ball(2.5))(plan)
    outcome = gliocast("export", "rtstruct", plan, "--series", scan[0], "--out", tmp_path / "plan.dcm")
    assert outcome.code == 0
    assert "WARNING: GTVp measures" in outcome.err
