"""``--bids`` through the real command, and commands that read what it wrote."""

import json
import shutil
from hashlib import sha256

import nibabel as nib
import numpy as np
import pydicom
import pytest
import torch
from tests.data.dicom_phantom import Phantom, write_phantom

from gliocast.data import Subject, find_results, lay_out
from gliocast.segmentation.unet import UNet, UNetConfig
from gliocast.segmentation.weights import SegmentationWeights, save_segmentation

from .small_brain import SHAPE, assert_aligned, save

PHANTOM = Phantom(orientation="oblique", shape=(44, 36, 20), spacing=(1.5, 2.0, 3.0))


@pytest.fixture
def planning(brain, tmp_path):
    """Arguments of `plan` but for where to."""
    values = brain.tissue / (1 + np.exp((brain.distance - 12) / 4)) * np.linspace(0.5, 1, SHAPE[0])[:, None, None]
    density = save(tmp_path / "density.nii.gz", values.astype(np.float32))
    maps = ["--white-matter", brain.white, "--gray-matter", brain.gray, "--csf", brain.csf]
    return ["plan", "--density", density, "--seg", brain.seg, *maps, "--labels", "brats-2021", "--quiet"]


def test_plans_of_two_subjects_and_a_session_share_a_dataset(planning, brain, tmp_path, gliocast):
    out = tmp_path / "derivatives"
    for options in ((), ("--subject", "02"), ("--subject", "02", "--session", "post")):
        assert gliocast(*planning, "--bids", "--out", out, *options).code == 0
    assert gliocast(*planning, "--out", tmp_path / "plain").code == 0
    names = [path.name for path in (tmp_path / "plain").glob("*.nii.gz")]
    for subject in (Subject("01"), Subject("02"), Subject("02", "post")):
        results = find_results(out / subject.folder)
        assert results == lay_out(out, subject)
        for name in names:
            assert_aligned(results.path(name), brain.white)
            assert results.path(name).read_bytes() == (tmp_path / "plain" / name).read_bytes()
        files = json.loads(results.path("plan.json").read_text())["files"]
        assert {results.plain(name) for name in files} == set(names)


def test_who_comes_second_has_to_be_named(planning, tmp_path, gliocast, refused):
    """Or two patients would become one subject."""
    assert gliocast(*planning, "--bids", "--out", tmp_path / "out", "--session", "a").code == 0
    for options in ((), ("--session", "a"), ("--session", "b")):
        said = refused(*planning, "--bids", "--out", tmp_path / "out", *options)
        assert "expected a label, for there are results of sub-01 already, got none" in said
    for options in (("--subject", "01"), ("--subject", "01", "--session", "b"), ("--subject", "02")):
        assert gliocast(*planning, "--bids", "--out", tmp_path / "out", *options).code == 0


@pytest.fixture
def unreadable(tmp_path):
    """A folder with scans that nobody can read, and without a segmentation: the network would have to make one."""
    (tmp_path / "scans").mkdir()
    for name in ("t1", "t1c", "t2", "flair"):
        (tmp_path / "scans" / f"{name}.nii.gz").write_text("no image")
    return tmp_path / "scans"


@pytest.mark.parametrize("verb", ["run", "segment"])
def test_where_there_is_no_room_nothing_is_read(verb, unreadable, tmp_path, refused):
    place = tmp_path / "out" / "sub-01"
    place.mkdir(parents=True)
    assert "there are results of sub-01 already" in refused(verb, unreadable, "--bids", "--out", place.parent)
    (place.parent / "dataset_description.json").write_text('{"Name": "x", "DatasetType": "raw"}')
    said = refused(verb, unreadable, "--bids", "--subject", "02", "--out", place.parent)
    assert "the derivatives dataset of an earlier run, got another dataset" in said


def test_a_plan_is_named_as_the_density_is(planning, tmp_path, gliocast):
    density = tmp_path / "sub-09_ses-a_space-orig_desc-mode_density.nii.gz"
    shutil.copy(planning[2], density)
    assert gliocast("plan", "--density", density, *planning[3:], "--bids", "--out", tmp_path / "out").code == 0
    assert find_results(tmp_path / "out").folder == tmp_path / "out" / "sub-09" / "ses-a"


def test_sessions_of_the_files_stay_apart_where_the_subject_is_named_anew(planning, tmp_path, gliocast):
    for session in ("pre", "post"):
        density = tmp_path / f"sub-07_ses-{session}_density.nii.gz"
        shutil.copy(planning[2], density)
        options = ("--bids", "--subject", "P5", "--out", tmp_path / "out")
        assert gliocast("plan", "--density", density, *planning[3:], *options).code == 0
    assert {path.name for path in (tmp_path / "out" / "sub-P5").iterdir()} == {"ses-pre", "ses-post"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--bids", "--subject", "DOE-JANE"), "subject: expected a label of letters and digits, got DOE-JANE"),
        (("--bids", "--session", ""), "session: expected a label of letters and digits, got nothing"),
        (("--subject", "01"), "expected --subject with --bids alone"),
        (("--session", "a"), "expected --session with --bids alone"),
    ],
)
@pytest.mark.parametrize("verb", ["plan", "run", "segment"])
def test_labels_that_cant_be_used_are_refused_before_anything_is_read(verb, options, said, planning, tmp_path, refused):
    arguments = {"plan": planning, "run": ["run", tmp_path / "absent"], "segment": ["segment", tmp_path / "absent"]}
    assert said in refused(*arguments[verb], "--out", tmp_path / "out", *options)


def test_a_dataset_of_something_else_is_refused(planning, tmp_path, refused):
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "dataset_description.json").write_text('{"Name": "x", "DatasetType": "raw"}')
    said = refused(*planning, "--bids", "--out", tmp_path / "raw")
    assert "the derivatives dataset of an earlier run, got another dataset" in said


@pytest.fixture
def subject(tmp_path, gliocast):
    """A DICOM series, and results on its grid of a subject in a dataset with another one."""
    series = write_phantom(tmp_path / "series", PHANTOM)
    assert gliocast("convert", series, "--out", tmp_path / "t1.nii.gz", "--quiet").code == 0
    affine = nib.load(tmp_path / "t1.nii.gz").affine
    for label in ("01", "02"):
        results = lay_out(tmp_path / "out", Subject(label))
        (results.folder / "anat").mkdir(parents=True)
        offset = (np.moveaxis(np.indices(PHANTOM.shape), 0, -1) - (20, 18, 10)) * (2.0, 1.5, 3.0)
        ball = np.linalg.norm(offset, axis=-1)
        for name, data in {
            "gtv": np.uint8(ball < 9),
            "ctv_standard": np.uint8(ball < 17),
            "ctv_model": np.uint8(ball < 16),
            "density": np.float32(0.8 * (ball < 17)),
        }.items():
            nib.save(nib.Nifti1Image(data, affine), results.path(f"{name}.nii.gz"))
        listed = [results.name(f"{name}.nii.gz") for name in ("gtv", "ctv_standard")]
        files = {name: sha256((results.folder / name).read_bytes()).hexdigest() for name in listed}
        results.path("plan.json").write_text(json.dumps({"files": files}))
    (tmp_path / "out" / "dataset_description.json").write_text("{}")
    return series, results


def test_export_takes_the_targets_that_the_plan_of_the_subject_lists(subject, tmp_path, gliocast):
    series, results = subject
    outcome = gliocast("export", "rtstruct", results.folder, "--series", series, "--out", tmp_path / "plan.dcm")
    assert outcome.code == 0, outcome.err
    names = {item.ROIName for item in pydicom.dcmread(tmp_path / "plan.dcm").StructureSetROISequence}
    assert names == {"GTVp", "CTVp"}
    results.path("plan.json").unlink()
    gliocast("export", "rtstruct", results.folder, "--series", series, "--out", tmp_path / "all.dcm")
    assert len(pydicom.dcmread(tmp_path / "all.dcm").StructureSetROISequence) == 3


def test_export_refuses_what_the_plan_didnt_write_and_asks_which_subject(subject, tmp_path, refused):
    series, results = subject
    to = ("--series", series, "--out", tmp_path / "plan.dcm", "--quiet")
    assert "got sub-01, sub-02; name the folder of one" in refused("export", "rtstruct", tmp_path / "out", *to)
    shutil.copy(results.path("ctv_model.nii.gz"), results.path("ctv_standard.nii.gz"))
    assert "as plan.json has it" in refused("export", "rtstruct", results.folder, *to)
    other = lay_out(tmp_path / "out", Subject("01"))
    files = {f"../sub-01/{other.name('gtv.nii.gz')}": sha256(other.path("gtv.nii.gz").read_bytes()).hexdigest()}
    results.path("plan.json").write_text(json.dumps({"files": files}))
    assert "as plan.json has it" in refused("export", "rtstruct", results.folder, *to)


def test_export_of_a_segmentation_and_of_the_density(subject, tmp_path, gliocast):
    pytest.importorskip("highdicom")
    series, results = subject
    for kind in ("seg", "density"):
        out = tmp_path / f"{kind}.dcm"
        outcome = gliocast("export", kind, results.folder, "--series", series, "--out", out)
        assert outcome.code == 0, outcome.err
        assert out.is_file()


def test_segment_writes_labels_and_their_table(small_patient_folder, tmp_path, gliocast, refused):
    torch.manual_seed(2)
    network = UNet(UNetConfig(channels=(8,), patch=4))
    torch.nn.init.normal_(network.head.weight, std=1.0)
    save_segmentation(tmp_path / "tiny.safetensors", SegmentationWeights(network, 64))
    options = ("--weights", tmp_path / "tiny.safetensors", "--labels", "brats-2023", "--plain", "--bids")
    assert "the folder of a dataset, got seg.nii.gz" in refused("segment", small_patient_folder, *options)
    outcome = gliocast("segment", small_patient_folder, *options, "--out", tmp_path / "out", "--subject", "5")
    assert outcome.code == 0, outcome.err
    path = tmp_path / "out" / "sub-5" / "anat" / "sub-5_space-orig_desc-tumor_dseg.nii.gz"
    assert outcome.out.startswith(f"segmentation: {path} (")
    assert_aligned(path, small_patient_folder / "t1.nii.gz")
    table = path.with_name("sub-5_space-orig_desc-tumor_dseg.tsv").read_text()
    assert "3\tenhancing\tET\t7\n" in table
