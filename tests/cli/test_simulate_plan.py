"""The stages on their own, from files to files."""

import json

import nibabel as nib
import numpy as np
import pytest

from .small_brain import CENTER, SEED, SHAPE, SPACING, affine_of_grid, assert_aligned, plan_arguments, save


def simulate_arguments(brain, out, seed=SEED):
    growth = ["--days", 200, "--diffusivity", 0.1, "--proliferation-rate", 0.05]
    maps = ["--white-matter", brain.white, "--gray-matter", brain.gray]
    return ["simulate", "--out", out, "--seed", *seed, *maps, *growth]


def test_simulate_writes_a_density_on_the_grid_of_the_tissue_maps(brain, tmp_path, gliocast):
    out = tmp_path / "new" / "grown.nii.gz"
    outcome = gliocast(*simulate_arguments(brain, out), "--quiet")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert_aligned(out, brain.white)
    data = nib.load(out).get_fdata()
    assert data.min() == 0
    assert 0.9 < data.max() <= 1
    assert not data[~brain.tissue].any()


def test_simulated_tumor_grows_around_its_seed_in_world_coordinates(brain, tmp_path, gliocast):
    out = tmp_path / "grown.nii.gz"
    gliocast(*simulate_arguments(brain, out), "--quiet")
    data = nib.load(out).get_fdata()
    # nearer than the cortex and the ventricles white matter is all the same, and growth is round
    near = np.where(brain.distance < 14, data, 0)
    points = nib.affines.apply_affine(affine_of_grid(), np.moveaxis(np.indices(SHAPE), 0, -1))
    middle = (points * near[..., None]).sum(axis=(0, 1, 2)) / near.sum()
    assert np.linalg.norm(middle - SEED) < SPACING / 2


def test_simulated_growth_repeats_to_the_byte(brain, tmp_path, gliocast):
    for name in ("one.nii.gz", "two.nii.gz"):
        gliocast(*simulate_arguments(brain, tmp_path / name), "--quiet")
    assert (tmp_path / "one.nii.gz").read_bytes() == (tmp_path / "two.nii.gz").read_bytes()


def test_simulate_says_where_the_density_is(brain, tmp_path, gliocast):
    out = tmp_path / "grown.nii.gz"
    outcome = gliocast(*simulate_arguments(brain, out))
    assert outcome.out.startswith(f"density: {out}\n")
    assert "research only" in outcome.out


@pytest.mark.parametrize(
    "seed", [CENTER, (0, 0, 200), (np.nan, 0, 0), (1e300, 0, 0)], ids=["ventricle", "air", "nan", "far"]
)
def test_seed_outside_tissue_is_refused(seed, brain, tmp_path, refused):
    assert "seed" in refused(*simulate_arguments(brain, tmp_path / "new" / "grown.nii.gz", seed=seed), "--quiet")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        *(("--days", value, "days") for value in ("0", "-1", "nan", "inf")),
        *(("--diffusivity", value, "diffusivity") for value in ("-0.1", "nan", "inf")),
        *(("--proliferation-rate", value, "proliferation_rate") for value in ("-0.1", "nan", "inf")),
        *(("--diffusivity-ratio", value, "diffusivity ratio") for value in ("0", "nan")),
        ("--white-matter", "absent.nii.gz", "no such file"),
        ("--out", "grown.nii", ".nii.gz"),
        ("--out", ".nii", "ending in .nii.gz"),
        ("--out", "/proc/gliocast.nii.gz", "a place that can be written"),
    ],
)
def test_wrong_growth_option_is_refused(option, value, said, brain, tmp_path, refused):
    assert said in refused(*simulate_arguments(brain, tmp_path / "grown.nii.gz"), option, value, "--quiet")


def test_one_tissue_map_without_the_other_is_refused(brain, tmp_path, refused):
    arguments = ["--out", tmp_path / "grown.nii.gz", "--seed", *SEED, "--gray-matter", brain.gray, "-q"]
    assert "both --white-matter and --gray-matter" in refused("simulate", *arguments)


def test_plan_writes_targets_on_the_grid_of_the_density(brain, density, tmp_path, gliocast):
    out = tmp_path / "plan"
    outcome = gliocast(*plan_arguments(brain, out))
    assert (outcome.code, outcome.err.count("warning: labels 1, 2, 4 taken as brats-2021")) == (0, 1)
    assert f"target volumes: {out}" in outcome.out
    assert (out / "figures" / "plan.png").stat().st_size > 10_000
    assert {path.name for path in out.iterdir()} == {
        "figures",
        "gtv.nii.gz",
        "ctv_standard.nii.gz",
        "ctv_model.nii.gz",
        "ptv_standard.nii.gz",
        "ptv_model.nii.gz",
        "plan.json",
    }
    for path in out.glob("*.nii.gz"):
        assert_aligned(path, density)


def read_plan(out):
    masks = {path.name.removesuffix(".nii.gz"): nib.load(path).get_fdata() for path in out.glob("*.nii.gz")}
    assert all(set(np.unique(mask)) == {0, 1} for mask in masks.values())
    return {name: mask > 0 for name, mask in masks.items()}


def test_planned_targets_have_equal_volume_and_respect_the_anatomy(brain, density, tmp_path, gliocast):
    out = tmp_path / "plan"
    gliocast(*plan_arguments(brain, out), "--margin", 12, "--quiet")
    targets = read_plan(out)
    core = np.isin(nib.load(brain.seg).get_fdata(), (1, 4))
    assert (targets["gtv"] == core).all()
    assert (targets["gtv"] <= targets["ctv_standard"]).all()
    assert targets["ctv_standard"].sum() == targets["ctv_model"].sum()
    assert (targets["ctv_standard"] != targets["ctv_model"]).any()
    # the core is a ball of 13 mm around the tumor's center; half a voxel's diagonal of room on both sides
    assert brain.distance[targets["ctv_standard"]].max() <= 13 + 12
    assert targets["ctv_standard"][brain.tissue & (brain.distance < 13 + 12 - 2 * SPACING)].all()


def test_plan_json_says_what_the_images_show(brain, density, tmp_path, gliocast):
    out = tmp_path / "plan"
    gliocast(*plan_arguments(brain, out), "--margin", 12, "--quiet")
    said, targets = json.loads((out / "plan.json").read_text()), read_plan(out)
    cells = nib.load(density).get_fdata()
    milliliters = SPACING**3 / 1000
    assert said["margin_mm"] == 12
    assert said["gtv_ml"] == pytest.approx(targets["gtv"].sum() * milliliters)
    assert said["standard_ml"] == pytest.approx(targets["ctv_standard"].sum() * milliliters)
    assert said["model_ml"] == said["standard_ml"]
    assert said["burden_ml"] == pytest.approx(cells.sum() * milliliters, rel=1e-5)
    for plan in ("standard", "model"):
        covered = cells[targets[f"ctv_{plan}"]].sum() / cells.sum()
        assert said[f"covered_by_{plan}"] == pytest.approx(covered, rel=1e-5)
    # the densest voxels of that number cover most, whatever else they are
    assert said["covered_by_model"] > said["covered_by_standard"]
    both = (targets["ctv_standard"] & targets["ctv_model"]).sum()
    assert said["overlap"] == pytest.approx(both / targets["ctv_standard"].sum())


def rescaled(path, factor):
    image = nib.load(path)
    save(path, (image.get_fdata() * factor).astype(np.float32))


@pytest.mark.parametrize("factor", [100, 2, -1], ids=["percent", "above one", "negative"])
def test_density_outside_0_to_1_is_refused(factor, brain, density, tmp_path, refused):
    rescaled(density, factor)
    message = refused(*plan_arguments(brain, tmp_path / "plan"), "--quiet")
    assert "density: expected values in [0, 1]" in message


@pytest.mark.parametrize("name", ["white", "gray", "csf"])
def test_tissue_map_in_percent_is_refused(name, brain, density, tmp_path, refused):
    rescaled(getattr(brain, name), 100)
    assert "expected values in [0, 1]" in refused(*plan_arguments(brain, tmp_path / "plan"), "--quiet")


@pytest.mark.parametrize("name", ["white", "gray", "csf", "seg", "density"])
def test_plan_on_grids_that_differ_is_refused(name, brain, density, tmp_path, refused):
    path = density if name == "density" else getattr(brain, name)
    affine = affine_of_grid()
    affine[0, 3] += 1.0
    image = nib.load(path)
    save(path, np.asarray(image.dataobj), affine)
    assert "the grid of its companions" in refused(*plan_arguments(brain, tmp_path / "plan"), "--quiet")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--margin", "nan"], "margin"),
        (["--margin", "0"], "margin"),
        (["--labels", "nonsense"], "one of brats-2021"),
        (["--labels", "brats-2023"], "also 4"),
        (["--density", "absent.nii.gz"], "no such file"),
        (["--out", "/proc/gliocast"], "a place that can be written"),
    ],
)
def test_wrong_plan_option_is_refused(options, said, brain, density, tmp_path, refused):
    assert said in refused(*plan_arguments(brain, tmp_path / "plan"), *options, "--quiet")


def test_density_that_is_no_number_somewhere_is_refused(brain, density, tmp_path, refused):
    values = nib.load(density).get_fdata(dtype=np.float32)
    values[20, 20, 20] = np.nan
    save(density, values)
    assert "NaN" in refused(*plan_arguments(brain, tmp_path / "plan"), "--quiet")


def test_plan_of_what_simulate_wrote_needs_nothing_in_between(brain, tmp_path, gliocast):
    grown, out = tmp_path / "density.nii.gz", tmp_path / "plan"
    assert gliocast(*simulate_arguments(brain, grown), "--quiet").code == 0
    assert gliocast(*plan_arguments(brain, out), "--quiet").code == 0
    said = json.loads((out / "plan.json").read_text())
    assert 0.9 < said["covered_by_model"] <= 1


def test_rtog_writes_both_phases(brain, density, tmp_path, gliocast):
    out = tmp_path / "plan"
    outcome = gliocast(*plan_arguments(brain, out), "--guideline", "rtog", "--ptv", 5)
    assert outcome.code == 0
    assert "CTV by RTOG, two phases" in outcome.out
    targets, said = read_plan(out), json.loads((out / "plan.json").read_text())
    phases = ("standard", "boost", "model")
    assert set(targets) == {"gtv", "gtv_edema", *(f"{kind}_{name}" for kind in ("ctv", "ptv") for name in phases)}
    assert (targets["ctv_boost"] <= targets["ctv_standard"]).all()
    assert [(phase["name"], phase["dose_gy"], phase["num_fractions"]) for phase in said["phases"]] == [
        ("standard", 46, 23),
        ("boost", 14, 7),
    ]
    assert said["ptv_margin_mm"] == 5
    assert said["phases"][0]["ptv_ml"] == pytest.approx(targets["ptv_standard"].sum() * SPACING**3 / 1000)


@pytest.mark.parametrize(("options", "smaller"), [(("isodensity", 0.4), True), (("fixed-volume", 400), False)])
def test_smaller_model_target_is_said_in_print_and_in_the_record(options, smaller, brain, density, tmp_path, gliocast):
    out = tmp_path / "plan"
    kind, value = options
    outcome = gliocast(*plan_arguments(brain, out), "--model", kind, "--value", value)
    assert outcome.code == 0
    said = json.loads((out / "plan.json").read_text())
    assert (said["model_ml"] < said["standard_ml"]) == smaller
    assert ("WARNING: THE MODEL'S TARGET IS SMALLER" in outcome.err) == smaller
    assert any("SMALLER THAN THE GUIDELINE'S" in sentence for sentence in said["warnings"]) == smaller
    assert said["model_target"]["kind"] == kind
    assert said["model_target"]["value"] == value


@pytest.fixture
def samples(density, tmp_path):
    """Two densities of the posterior on voxels twice as wide, in a file."""
    cells = nib.load(density).get_fdata()
    blocks = [n // 2 for n in SHAPE]
    inner = cells[: 2 * blocks[0], : 2 * blocks[1], : 2 * blocks[2]]
    coarse = inner.reshape(blocks[0], 2, blocks[1], 2, blocks[2], 2).mean(axis=(1, 3, 5))
    affine = affine_of_grid()
    affine[:3, 3] += affine[:3, :3] @ [0.5, 0.5, 0.5]
    affine[:3, :3] *= 2
    path = tmp_path / "samples.nii.gz"
    return save(path, np.stack([coarse, coarse**2], axis=-1).astype(np.float32), affine)


def test_coverage_target_reads_samples_on_a_coarser_grid(brain, samples, tmp_path, gliocast):
    out = tmp_path / "plan"
    options = ["--model", "coverage", "--value", 0.8, "--probability", 0.9, "--samples", samples, "--smooth", 2]
    assert gliocast(*plan_arguments(brain, out), *options, "--quiet").code == 0
    said = json.loads((out / "plan.json").read_text())
    assert said["model_target"]["probability"] == 0.9
    assert 0 <= said["model_target"]["reached_probability"] <= 1
    assert said["model_target"]["smoothing_mm"] == 2
    assert said["covered_by_model"] >= 0.78  # of the mean density's, on the fine grid, after smoothing


def test_certainty_that_smoothing_costs_is_said_however_quiet_and_stays_with_the_plan(
    brain, samples, tmp_path, gliocast
):
    options = ["--model", "coverage", "--value", 0.8, "--probability", 0.9, "--samples", samples]
    alarm = "the model's target covers its share of the tumor cells with a probability of 0.5 instead of 0.9"
    for smooth, reached in (([], 1), (["--smooth", 8], 0.5)):
        outcome = gliocast(*plan_arguments(brain, tmp_path / "plan"), *options, *smooth)
        said = json.loads((tmp_path / "plan" / "plan.json").read_text())
        assert said["model_target"]["reached_probability"] == reached
        words = f"covers 80 % of the tumor cells with a probability of {reached:g} (0.9 asked for)"
        assert words in outcome.out
        assert (f"WARNING: {alarm}" in outcome.err) == (reached < 0.9)
        assert any(text.startswith(alarm) for text in said["warnings"]) == (reached < 0.9)
    assert alarm in gliocast(*plan_arguments(brain, tmp_path / "plan"), *options, *smooth, "--quiet").err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ([], "CTV by ESTRO-EANO 2023 "),
        (["--margin", 15], "CTV by ESTRO-EANO 2023 "),
        (["--margin", 30], "CTV (GTV + 30 mm) "),
        (["--guideline", "rtog"], "CTV by RTOG, two phases "),
        (["--guideline", "rtog", "--margin", 20], "CTV (GTV + 20 mm) "),
    ],
)
def test_guideline_is_named_where_the_margin_is_its_own(options, said, brain, density, tmp_path, gliocast):
    assert gliocast(*plan_arguments(brain, tmp_path / "plan"), *options).out.startswith(said)


def test_masks_of_barriers_keep_the_plan_on_its_side(brain, density, tmp_path, gliocast):
    targets = {}
    wall = np.zeros(SHAPE, np.uint8)
    core = np.isin(nib.load(brain.seg).get_fdata(), (1, 4))
    plane = int(np.argwhere(core)[:, 0].max()) + 2
    wall[plane] = 1
    falx = save(tmp_path / "falx.nii.gz", wall)
    for name, options in (("straight", []), ("kept", ["--falx", falx])):
        out = tmp_path / name
        assert gliocast(*plan_arguments(brain, out), *options, "--quiet").code == 0
        targets[name] = read_plan(out)
    assert not targets["kept"]["ctv_standard"][plane:].any()
    assert targets["straight"]["ctv_standard"][plane:].any()
    said = json.loads((tmp_path / "kept" / "plan.json").read_text())
    assert said["barriers"] == ["falx"]
    lost = (targets["straight"]["ctv_standard"] & ~targets["kept"]["ctv_standard"]).sum() * SPACING**3 / 1000
    assert said["barriers_ml"] == pytest.approx(lost)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--guideline", "estro"], "one of estro-eano-2023"),
        (["--ptv", "0"], "PTV margin"),
        (["--model", "nonsense"], "one of iso-volume"),
        (["--model", "isodensity"], "a density in (0, 1) with --model isodensity, got none"),
        (["--value", "3"], "none with --model iso-volume"),
        (["--model", "isodensity", "--value", "0.999"], "one that some voxel reaches"),
        (["--model", "isodensity", "--value", "1.5"], "a number in (0, 1)"),
        (["--model", "fixed-volume", "--value", "99999"], "the brain"),
        (["--model", "fixed-volume", "--value", "0.1"], "the gross tumor volume"),
        (["--model", "coverage", "--value", "1"], "share to cover"),
        (["--model", "coverage", "--value", "0.9", "--probability", "1"], "probability to cover it"),
        (["--model", "coverage", "--value", "0.9"], "pass --samples"),
        (["--smooth", "0"], "smoothing"),
        (["--falx", "absent.nii.gz"], "no such file"),
    ],
)
def test_wrong_target_is_refused(options, said, brain, density, tmp_path, refused):
    assert said in refused(*plan_arguments(brain, tmp_path / "plan"), *options, "--quiet")


def test_empty_or_shifted_barrier_is_refused(brain, density, tmp_path, refused):
    empty = save(tmp_path / "empty.nii.gz", np.zeros(SHAPE, np.uint8))
    assert "at least one voxel" in refused(*plan_arguments(brain, tmp_path / "plan"), "--falx", empty, "--quiet")
    affine = affine_of_grid()
    affine[0, 3] += 1.0
    wall = np.zeros(SHAPE, np.uint8)
    wall[5] = 1
    shifted = save(tmp_path / "shifted.nii.gz", wall, affine)
    message = refused(*plan_arguments(brain, tmp_path / "plan"), "--tentorium", shifted, "--quiet")
    assert "the grid of its companions" in message
