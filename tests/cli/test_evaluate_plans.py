"""What plans cover of recurrences, through the real command."""

import re
import shutil

import nibabel as nib
import numpy as np
import pytest

from gliocast.core import RESEARCH_NOTICE

# The command shows warnings of Python and numpy on stderr, where only the one line belongs.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")


@pytest.fixture
def cohort(small_patient_folder, tmp_path):
    """Two patients of 1 mm (as far as the header says), one of whom has a recurrence; the published protocol's size."""
    data = tmp_path / "cohort"
    for name in ("one", "two"):
        (data / name).mkdir(parents=True)
        for path in small_patient_folder.iterdir():
            image = nib.load(path)
            fine = np.kron(np.asarray(image.dataobj), np.ones((3, 3, 3), dtype=np.int16))
            affine = image.affine @ np.diag([1 / 3, 1 / 3, 1 / 3, 1])
            nib.save(nib.Nifti1Image(fine.astype(image.get_data_dtype()), affine), data / name / path.name)
    seg = nib.load(data / "one" / "seg.nii.gz")
    labels = np.asarray(seg.dataobj)
    nib.save(nib.Nifti1Image(np.roll(labels, 12, axis=0), seg.affine), data / "one" / "one_recurrence.nii.gz")
    density = nib.Nifti1Image(np.where(labels > 0, 0.5, 0).astype(np.float32), seg.affine)
    nib.save(density, data / "one" / "density.nii.gz")
    return data


def test_the_published_protocol_prints_its_table_and_who_is_left_out(cohort, tmp_path, gliocast):
    out = tmp_path / "out"
    outcome = gliocast(
        "evaluate", "plans", cohort, "--out", out, "--protocol", "published", "--density", "density.nii.gz"
    )
    assert outcome.code == 0, outcome.err
    assert outcome.out.startswith("1 patient, 1 left out. Plans: published (core + 15 voxels in the brain mask).")
    assert RESEARCH_NOTICE in outcome.out
    for plan in ("guideline", "edema", "model"):
        assert re.search(rf"^\| {plan} \| \d+\.\d \(", outcome.out, re.MULTILINE)
    assert "absent recurrence taken for covered" in outcome.out
    assert "\n- two: recurrence visit: expected a later visit, or a file *_recurrence.nii.gz" in outcome.out
    assert "warning: labels 1, 2, 4 taken as brats-2021" in outcome.err
    assert (out / "coverage.png").read_bytes().startswith(b"\x89PNG")


def test_two_sources_of_densities_are_refused(cohort, tmp_path, gliocast):
    outcome = gliocast("evaluate", "plans", cohort, "--out", tmp_path / "out", "--truth", "--density-folder", tmp_path)
    assert outcome.code == 2
    assert outcome.err == (
        "gliocast: density: expected one source, got several; give --density, --density-folder or --truth\n"
    )


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--truth", "--method", "laplace"], "--method: expected none beside --density, --density-folder or --truth"),
        (["--density", "density.nii.gz", "--growth", "mass-effect"], "--growth: expected none beside --density"),
        (["--density", "density.nii.gz", "--seed", "3"], "--seed: expected none beside --density"),
        (["--density-folder", ".", "--pressure", "3"], "--pressure: expected none beside --density"),
        (["--pressure", "3"], "--pressure: expected none beside --growth fisher-kolmogorov, got 3.0"),
    ],
)
def test_options_that_nothing_would_read_are_refused(options, said, cohort, tmp_path, refused):
    assert said in refused("evaluate", "plans", cohort, "--out", tmp_path / "out", *options)


def test_a_cohort_that_nobody_can_be_evaluated_of_ends_in_one_line(cohort, tmp_path, gliocast):
    shutil.rmtree(cohort / "one")
    outcome = gliocast("evaluate", "plans", cohort, "--out", tmp_path / "out", "--quiet")
    assert outcome.code == 2
    assert re.fullmatch(r"gliocast: folder cohort: expected patients .+ got none, for .+\n", outcome.err)
