"""What isn't one patient's, or nothing to plan on, through ``gliocast plan``; options that nothing would read."""

import json
import re
import shutil
from hashlib import sha256

import nibabel as nib
import numpy as np
import pytest

from gliocast.core import Grid, Volume
from gliocast.data.likeness import fingerprint

from .small_brain import SEED, SHAPE, affine_of_grid, plan_arguments, save


def relabel(brain, change):
    data = np.asarray(nib.load(brain.seg).dataobj)
    save(brain.seg, np.asarray(change(data)).astype(np.uint8))


def rewrite(path, change):
    save(path, np.asarray(change(nib.load(path).get_fdata())).astype(np.float32))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda data: 0 * data, "got only background"),
        (lambda data: np.where(data == 4, 9, data), "also 9"),
        (lambda data: np.roll(data, -16, axis=0), "a tumor inside the brain, got only 24% of it there"),
        (lambda data: np.where(np.indices(SHAPE).max(axis=0) < 3, 4, 0), "a tumor inside the brain, got only 0%"),
        (lambda data: np.ones(SHAPE), "a tumor that covers less than 50% of the brain"),
    ],
    ids=["background", "unknown label", "beside the brain", "in the air", "everything"],
)
def test_segmentation_that_leaves_nothing_to_plan_is_refused(change, said, brain, density, tmp_path, refused):
    relabel(brain, change)
    assert said in refused(*plan_arguments(brain, tmp_path / "plan"), "--quiet")


def test_edema_alone_is_planned_on_with_a_warning_that_stays_with_the_plan(brain, density, tmp_path, gliocast):
    relabel(brain, lambda data: np.where(data > 0, 2, 0))
    outcome = gliocast(*plan_arguments(brain, tmp_path / "plan"))
    assert outcome.code == 0
    assert "WARNING: No tumor core is segmented" in outcome.err
    assert any(
        "No tumor core" in each for each in json.loads((tmp_path / "plan" / "plan.json").read_text())["warnings"]
    )


def test_cavity_alone_is_planned_on(brain, density, tmp_path, gliocast):
    relabel(brain, lambda data: np.where(np.isin(data, (1, 4)), 4, 0))
    rewrite(density, lambda data: np.where(brain.distance < 14, 0, data))  # there are no cells in a cavity
    outcome = gliocast(*plan_arguments(brain, tmp_path / "plan"), "--labels", "brats-2024")
    assert outcome.code == 0
    gtv = nib.load(tmp_path / "plan" / "gtv.nii.gz").get_fdata() > 0
    assert (gtv == (nib.load(brain.seg).get_fdata() == 4)).all()


def test_density_of_another_patient_is_refused(brain, density, tmp_path, refused):
    rewrite(density, lambda data: np.where(brain.distance < 60, 0, 0.5 * brain.tissue))
    message = refused(*plan_arguments(brain, tmp_path / "plan"), "--quiet")
    assert "density: expected tumor cells where the tumor is segmented, got none within 10 mm" in message


@pytest.mark.parametrize("case", ["one map twice", "faint maps"])
def test_tissue_maps_that_are_no_brain_together_are_refused(case, brain, density, tmp_path, refused):
    if case == "one map twice":
        brain.gray = brain.white
    else:
        for path in (brain.white, brain.gray, brain.csf):
            rewrite(path, lambda data: 0.1 * data)
    assert "add up to 1 in the brain" in refused(*plan_arguments(brain, tmp_path / "plan"), "--quiet")


@pytest.mark.parametrize("name", ["--falx", "--tentorium"])
def test_barrier_that_is_no_sheet_is_refused(name, brain, density, tmp_path, refused):
    block = save(tmp_path / "block.nii.gz", np.ones(SHAPE, np.uint8))
    message = refused(*plan_arguments(brain, tmp_path / "plan"), name, block, "--quiet")
    assert "a sheet, a few percent of the brain, got 100% of it" in message


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--margin", "500"], "margin: expected a length in (0, 50] mm"),
        (["--ptv", "500"], "PTV margin: expected a length in (0, 10] mm"),
        (["--model", "fixed-volume", "--value", "5000"], "and 1271 ml, the brain, got 5000 ml"),
        (["--model", "fixed-volume", "--value", "nan"], "target volume: expected a volume in ml, got nan"),
        (["--model", "fixed-volume", "--value", "-3"], "target volume: expected a volume in ml, got -3"),
        (["--model", "isodensity", "--value", "0"], "isodensity level: expected a number in (0, 1)"),
        (["--model", "isodensity", "--value", "nan"], "isodensity level: expected a number in (0, 1)"),
        (["--model", "coverage", "--value", "1.0"], "share to cover: expected a number in (0, 1)"),
        (["--model", "coverage", "--value", "0.9", "--samples", "DENSITY"], "several samples of the posterior"),
        (["--samples", "DENSITY"], "density samples: expected none with --model iso-volume"),
        (["--samples", "absent.nii.gz"], "density samples: expected none with --model iso-volume"),
        (["--probability", "0.5"], "probability: expected none with --model iso-volume, got 0.5"),
        (["--model", "isodensity", "--value", "0.1", "--probability", "0.5"], "none with --model isodensity"),
    ],
)
def test_plan_beyond_reason_or_with_an_option_that_nothing_reads_is_refused(
    options, said, brain, density, tmp_path, refused
):
    options = [density if option == "DENSITY" else option for option in options]
    assert said in refused(*plan_arguments(brain, tmp_path / "plan"), *options, "--quiet")


def test_smaller_target_is_said_however_quiet(brain, density, tmp_path, gliocast):
    options = ["--model", "isodensity", "--value", 0.4, "--margin", 16, "--ptv", 4, "--quiet"]
    outcome = gliocast(*plan_arguments(brain, tmp_path / "plan"), *options)
    assert (outcome.code, outcome.out) == (0, "")
    assert outcome.err.startswith("WARNING: THE MODEL'S TARGET IS SMALLER THAN THE GUIDELINE'S")
    assert outcome.err.count("\n") == 1


def test_margins_that_voxels_cut_short_are_said_however_quiet_and_stay_with_the_plan(
    brain, density, tmp_path, gliocast
):
    said = "on voxels of 4 mm the CTV's margin of 15 mm ends at 16 mm, the PTV's of 3 mm at 4 mm: plan on a finer scan"
    assert f"WARNING: {said}" in gliocast(*plan_arguments(brain, tmp_path / "plan"), "--quiet").err
    assert any(text.startswith(said) for text in json.loads((tmp_path / "plan" / "plan.json").read_text())["warnings"])
    fitting = ["--margin", 16, "--ptv", 4, "--quiet"]
    assert gliocast(*plan_arguments(brain, tmp_path / "plan"), *fitting).err == ""


def test_target_that_the_image_cuts_off_is_said(brain, density, tmp_path, gliocast):
    affine = affine_of_grid()
    for path in (brain.white, brain.gray, brain.csf, brain.seg, density):
        data = np.asarray(nib.load(path).dataobj)
        edge = int(np.argwhere(np.isin(np.asarray(nib.load(brain.seg).dataobj), (1, 4)))[:, 2].max()) + 2
        save(path, np.ascontiguousarray(data[:, :, :edge]) if path != brain.seg else data, affine)
    save(brain.seg, np.ascontiguousarray(np.asarray(nib.load(brain.seg).dataobj)[:, :, :edge]), affine)
    outcome = gliocast(*plan_arguments(brain, tmp_path / "plan"), "--ptv", 4)
    assert outcome.code == 0, outcome.err
    assert "WARNING: the edge of the image cuts off ctv_standard, ptv_standard, ctv_model, ptv_model" in outcome.err


def test_tumor_partly_outside_of_the_brain_is_said_however_quiet_and_stays_with_the_plan(
    brain, density, tmp_path, gliocast
):
    relabel(brain, lambda data: np.roll(data, -7, axis=0))
    outside = (nib.load(brain.seg).get_fdata() > 0) & ~brain.tissue
    assert outside.any()
    rewrite(density, lambda data: np.roll(data, -7, axis=0) * brain.tissue)
    for quiet in ([], ["--quiet"]):
        outcome = gliocast(*plan_arguments(brain, tmp_path / "plan"), "--ptv", 5, *quiet)
        assert outcome.code == 0, outcome.err
        assert re.search(
            r"^WARNING: [\d.]+% of the segmented tumor lies outside of the brain$", outcome.err, re.MULTILINE
        )
        assert ("\nwarning: labels 1, 2, 4 taken as brats-2021" in "\n" + outcome.err) == (not quiet)
    said = json.loads((tmp_path / "plan" / "plan.json").read_text())["warnings"]
    assert sum("lies outside of the brain" in sentence for sentence in said) == 1
    assert sum("taken as brats-2021" in sentence for sentence in said) == 1
    assert outcome.err.count("\n") == len(said) - 1  # the guess of the labels is no alarm


@pytest.mark.parametrize("bids", [False, True])
def test_plan_into_the_results_of_a_run_is_refused(bids, brain, density, tmp_path, gliocast, refused):
    options = ["--bids", "--subject", "01"] if bids else []
    arguments = [*plan_arguments(brain, tmp_path / "results"), *options, "--quiet"]
    assert gliocast(*arguments).code == 0  # a plan may be made again
    assert gliocast(*arguments).code == 0
    (tmp_path / "results" / ("sub-01/sub-01_provenance.json" if bids else "provenance.json")).write_text("{}")
    message = refused(*arguments)
    name = "sub-01" if bids else "results"
    assert f"output {name}: expected a folder for this plan, got one with the results of a run" in message
    if bids:
        assert gliocast(*plan_arguments(brain, tmp_path / "results"), "--bids", "--subject", "02", "-q").code == 0


def digest(path):
    return sha256(path.read_bytes()).hexdigest()


def test_plan_keeps_the_traces_of_scans_that_belong_to_its_density_and_segmentation(brain, density, tmp_path, gliocast):
    def planned_scans():
        assert gliocast(*plan_arguments(brain, tmp_path / "plan"), "--quiet").code == 0
        said = json.loads((tmp_path / "plan" / "plan.json").read_text())
        assert said["density"] == digest(density)
        assert said["segmentation"] == digest(brain.seg)
        return said["scans"]

    assert planned_scans() == {}
    image = nib.load(brain.white)
    scans = {"t1": fingerprint(Volume(image.get_fdata(dtype=np.float32), Grid(image.shape, image.affine)))}
    content = {"density": digest(density), "segmentation": digest(brain.seg), "scans": scans}
    (tmp_path / "plan.json").write_text(json.dumps(content))
    assert planned_scans() == scans
    for other in ({"density": "of another"}, {"segmentation": "of another"}, {"segmentation": None}):
        (tmp_path / "plan.json").write_text(json.dumps({**content, **other}))
        assert planned_scans() == {}
    (tmp_path / "plan.json").write_text(json.dumps(content))
    relabel(brain, lambda data: np.roll(data, 1, axis=0))  # of another patient, on the same grid
    assert planned_scans() == {}


def test_segmentation_that_the_density_was_not_fitted_to_is_said_and_stays_with_the_plan(
    brain, density, tmp_path, gliocast
):
    fitting = ["--margin", 16, "--ptv", 4, "--quiet"]
    said = "the segmentation isn't the one that the density was fitted to: "

    def planned():
        outcome = gliocast(*plan_arguments(brain, tmp_path / "plan"), *fitting)
        assert outcome.code == 0, outcome.err
        kept = json.loads((tmp_path / "plan" / "plan.json").read_text())["warnings"]
        assert (f"WARNING: {said}" in outcome.err) == any(text.startswith(said) for text in kept)
        return outcome.err

    content = {"density": digest(density), "segmentation": digest(brain.seg), "scans": {}}
    (tmp_path / "plan.json").write_text(json.dumps(content))
    assert planned() == ""
    relabel(brain, lambda data: np.roll(data, 1, axis=0))  # of another patient, on the same grid
    assert said in planned()
    for other in ({"density": "of another"}, {"segmentation": None}):  # nothing is known of this density
        (tmp_path / "plan.json").write_text(json.dumps({**content, **other}))
        assert planned() == ""


def test_tissue_maps_that_are_not_those_beside_the_density_are_said(brain, density, tmp_path, gliocast):
    fitting = ["--margin", 16, "--ptv", 4, "--quiet"]
    for name in ("white", "gray"):
        shutil.copy(getattr(brain, name), tmp_path / f"{name}_matter.nii.gz")
    assert gliocast(*plan_arguments(brain, tmp_path / "plan"), *fitting).err == ""
    rewrite(brain.white, lambda data: 0.99 * data)
    one = "WARNING: white_matter isn't the one that lies beside the density: make sure that all are of one patient\n"
    assert gliocast(*plan_arguments(brain, tmp_path / "plan"), *fitting).err == one
    rewrite(brain.gray, lambda data: 0.99 * data)
    outcome = gliocast(*plan_arguments(brain, tmp_path / "plan"), *fitting)
    assert (outcome.code, outcome.err.count("\n")) == (0, 1)
    said = "white_matter, gray_matter aren't those that lie beside the density"
    assert outcome.err.startswith(f"WARNING: {said}")
    kept = json.loads((tmp_path / "plan" / "plan.json").read_text())["warnings"]
    assert sum(text.startswith(said) for text in kept) == 1


def test_dose_on_another_grid_is_refused(brain, tmp_path, refused):
    affine = affine_of_grid()
    affine[0, 3] += 1.0
    save(tmp_path / "dose.nii.gz", np.random.default_rng(0).uniform(0, 2, SHAPE).astype(np.float32), affine)
    entry = {"kind": "radiotherapy", "start_day": 10, "num_fractions": 3, "dose": "dose.nii.gz", "alpha": 0.06}
    (tmp_path / "treatments.json").write_text(json.dumps({"treatments": [entry]}))
    maps = ["--white-matter", brain.white, "--gray-matter", brain.gray, "--days", 60, "--frames", 0, "--quiet"]
    treated = ["--treatments", tmp_path / "treatments.json"]
    message = refused("simulate", "--out", tmp_path / "grown", "--seed", *SEED, *maps, *treated)
    assert "radiotherapy on days 10 to 12: expected the grid of its companions" in message
