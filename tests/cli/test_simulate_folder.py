"""A simulated tumor with everything that is known of it, in a folder."""

import inspect
import json

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from gliocast.cli.simulate import simulate
from gliocast.core import RESEARCH_NOTICE
from gliocast.growth import FisherKolmogorov
from gliocast.growth.models.logistic import LogisticGrowth
from gliocast.growth.start import SEED_WIDTH_MM
from gliocast.growth.stop import VISIBLE_DENSITY
from gliocast.pipeline import EQUATIONS, Choices, Equation
from gliocast.pipeline.choices import DEFAULT_DAYS

from .small_brain import CENTER, SEED, SHAPE, SPACING, TUMOR, TURN, affine_of_grid, assert_aligned, save

#: White matter of the other side.
OTHER_SEED = CENTER + TURN @ (TUMOR * [-1, 1, 1])
FORWARD = ["--diffusivity", 0.2, "--proliferation-rate", 0.05]
#: Relative L2 error that the time stepping aims at.
ACCURACY = 5e-3
ML = SPACING**3 / 1000


@pytest.fixture
def grow(brain, tmp_path, gliocast):
    """The function `grow(*options, seeds=..., name=...) -> folder`, without pictures unless they are asked for."""

    def call(*options, seeds=(SEED,), name="growth"):
        out = tmp_path / name
        places = [part for seed in seeds for part in ("--seed", *seed)]
        maps = ["--white-matter", brain.white, "--gray-matter", brain.gray, "--csf", brain.csf]
        pictures = [] if "--frames" in options else ["--frames", 0]
        outcome = gliocast("simulate", "--out", out, *places, *maps, *FORWARD, *options, *pictures, "--quiet")
        assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
        return out

    return call


def read_json(folder, name="simulation"):
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def read_image(folder, name="density"):
    return nib.load(folder / f"{name}.nii.gz").get_fdata()


def difference(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


@pytest.fixture
def fibers(brain, tmp_path):
    """Options of a diffusion tensor along the world's x axis, as MRtrix writes it."""
    tensor = np.multiply.outer(np.float32([1.5e-3, 3e-4, 3e-4, 0, 0, 0]), brain.tissue.astype(np.float32))
    save(tmp_path / "tensor.nii.gz", np.moveaxis(tensor, 0, -1))
    return ["--tensor", tmp_path / "tensor.nii.gz", "--tensor-order", "mrtrix"]


@pytest.mark.parametrize("model", EQUATIONS)
def test_every_model_writes_series_record_and_pictures(model, grow, fibers):
    needed = fibers if EQUATIONS[model].needs_tensor else []
    out = grow("--model", model, *needed, "--days", 20, "--days", 40, "--frames", 3)
    series, record = read_image(out), read_json(out)
    assert series.shape == (*SHAPE, 2)
    assert read_json(out, "series")["days"] == [20, 40]
    assert record["model"] == model
    for said, volume in zip(record["days"], np.moveaxis(series, -1, 0), strict=True):
        assert said["burden_ml"] == pytest.approx(volume.sum() * ML, rel=1e-5)
        assert said["volume_ml"] == pytest.approx({f"{c:g}": (volume > c).sum() * ML for c in (0.01, 0.1, 0.8)})
        radius = said["equivalent_radius_mm"]["0.1"]
        assert 4 / 3 * np.pi * radius**3 / 1000 == pytest.approx(said["volume_ml"]["0.1"])
    assert record["days"][0]["burden_ml"] < record["days"][1]["burden_ml"]
    parameters = EQUATIONS[model].model().parameters
    assert {p.name: p.unit for p in parameters} == {k: row["unit"] for k, row in record["parameters"].items()}
    assert Image.open(out / "growth.gif").n_frames == 3
    assert Image.open(out / "growth.png").width > 1000


def test_necrosis_is_written_beside_the_density(grow):
    out = grow("--model", "proliferative-necrotic", "--days", 30, "--days", 50)
    necrotic, density = read_image(out, "necrotic"), read_image(out)
    assert necrotic.shape == read_image(out, "nutrient_deficit").shape == (*SHAPE, 2)
    assert (necrotic <= density + 1e-6).all()
    assert necrotic[..., 1].sum() > necrotic[..., 0].sum() > 0


def test_cells_follow_fibers(brain, grow, fibers):
    density = read_image(grow("--model", "tensor", *fibers, "--anisotropy", 4, "--days", 60))
    points = nib.affines.apply_affine(affine_of_grid(), np.moveaxis(np.indices(SHAPE), 0, -1))
    spread = [((points[..., axis] - SEED[axis]) ** 2 * density).sum() for axis in range(3)]
    assert spread[0] > 2 * max(spread[1:])


def test_one_day_is_a_3d_image(brain, grow):
    out = grow("--days", 60)
    assert {path.name for path in out.iterdir()} == {"density.nii.gz", "series.json", "simulation.json"}
    assert read_json(out, "series")["days"] == [60]
    assert_aligned(out / "density.nii.gz", brain.white)


def test_record_names_the_files_of_this_simulation_and_no_older_one(grow):
    grow("--model", "proliferative-necrotic", "--days", 20)
    out = grow("--days", 20)
    assert (out / "necrotic.nii.gz").exists()
    assert read_json(out)["files"] == ["density.nii.gz", "series.json"]


def test_series_lies_where_the_tissue_maps_do_and_its_step_is_in_days(brain, grow):
    out = grow("--every", 30, "--days", 90)
    image, like = nib.load(out / "density.nii.gz"), nib.load(brain.white)
    assert image.shape == (*like.shape, 3)
    assert image.get_data_dtype() == np.float32
    for form in ("get_qform", "get_sform"):
        (matrix, code), (expected, expected_code) = (getattr(i, form)(coded=True) for i in (image, like))
        np.testing.assert_array_equal(matrix, expected)
        assert code == expected_code
    assert image.header["pixdim"][4] == 30
    assert image.header.get_xyzt_units() == (like.header.get_xyzt_units()[0], "unknown")


def test_last_day_counts_even_if_it_is_no_multiple_of_the_step(grow):
    out = grow("--every", 30, "--days", 100)
    assert read_json(out, "series")["days"] == [30, 60, 90, 100]
    assert nib.load(out / "density.nii.gz").header["pixdim"][4] == 0


def test_days_of_pictures_change_the_density_by_less_than_the_accuracy(grow):
    alone, filmed = grow("--days", 150, name="alone"), grow("--days", 150, "--frames", 12, name="filmed")
    assert difference(read_image(filmed), read_image(alone)) < ACCURACY


def test_folder_and_file_hold_the_same_density(brain, grow, gliocast, tmp_path):
    out = grow("--days", 60)
    maps = ["--white-matter", brain.white, "--gray-matter", brain.gray, "--csf", brain.csf]
    gliocast("simulate", "--out", tmp_path / "one.nii.gz", "--seed", *SEED, *maps, *FORWARD, "--days", 60, "-q")
    np.testing.assert_array_equal(nib.load(tmp_path / "one.nii.gz").get_fdata(), read_image(out))


def test_seeds_far_apart_grow_as_if_alone(grow):
    one, other = grow("--days", 30, name="one"), grow("--days", 30, seeds=(OTHER_SEED,), name="other")
    both = grow("--days", 30, seeds=(SEED, OTHER_SEED), name="both")
    np.testing.assert_allclose(read_image(both), read_image(one) + read_image(other), atol=1e-5)
    assert len(read_json(both)["start"]["seeds_mm"]) == 2


def test_growth_from_a_density_goes_on_where_it_ended(grow):
    whole, first = grow("--days", 80, name="whole"), grow("--days", 40, name="first")
    second = grow("--initial", first / "density.nii.gz", "--days", 40, seeds=(), name="second")
    # both halves have the error of the whole
    assert difference(read_image(second), read_image(whole)) < 2 * ACCURACY
    assert set(read_json(second)["inputs"]) == {"white_matter", "gray_matter", "csf", "initial"}


def test_point_seed_and_width_are_recorded(grow):
    assert read_json(grow("--point", "--days", 20, name="point"))["start"]["kind"] == "point"
    assert read_json(grow("--seed-width", 3, "--days", 20, name="wide"))["start"]["width_mm"] == 3


@pytest.mark.parametrize(
    ("options", "volume_ml"),
    [
        (["--until-volume", 20, "--level", 0.1], 20.0),
        (["--until-diameter", 30, "--level", 0.1], np.pi / 6 * 27),
    ],
)
def test_growth_ends_at_a_size(options, volume_ml, grow):
    out = grow(*options, "--every", 50)
    record = read_json(out)
    # the size is known to the voxels that a thousandth of a step adds
    assert record["days"][-1]["volume_ml"]["0.1"] == pytest.approx(volume_ml, abs=5 * ML)
    assert record["days"][-1]["volume_ml"]["0.1"] >= volume_ml
    assert [row["day"] for row in record["days"][:-1]] == list(50.0 * np.arange(1, len(record["days"])))
    assert (record["stop"]["level"], record["stop"]["volume_ml"] is None) == (0.1, "--until-diameter" in options)


def test_size_that_isnt_reached_ends_with_4_and_writes_nothing(brain, tmp_path, gliocast):
    maps = ["--white-matter", brain.white, "--gray-matter", brain.gray]
    size = ["--until-volume", 1900, "--level", 0.9, "--proliferation-rate", 1e-4, "--diffusivity", 0.01]  # few steps
    outcome = gliocast("simulate", "--out", tmp_path / "growth", "--seed", *SEED, *maps, *size, "--frames", 0, "-q")
    assert outcome.code == 4
    assert "expected a tumor that reaches" in outcome.err
    assert not (tmp_path / "growth").exists()


@pytest.fixture
def resection(brain, tmp_path):
    """A treatments file: everything within 16 mm of the seed is taken out on day 60."""
    save(tmp_path / "cavity.nii.gz", (brain.distance < 16).astype(np.uint8))
    entry = {"kind": "resection", "day": 60, "cavity": "cavity.nii.gz"}
    (tmp_path / "treatments.json").write_text(json.dumps({"treatments": [entry]}))
    return tmp_path / "treatments.json"


def test_resection_takes_burden_away_on_its_day(brain, grow, resection):
    out = grow("--treatments", resection, "--days", 60, "--days", 61, "--frames", 5)
    before, after = np.moveaxis(read_image(out), -1, 0)
    cavity = brain.distance < 16
    assert before[cavity].sum() > 0.5 * before.sum()
    assert not after[cavity].any()
    # what lies outside grows for a day
    assert after.sum() == pytest.approx(before[~cavity].sum(), rel=0.1)
    (said,) = read_json(out)["treatments"]
    assert (said["kind"], said["days"]) == ("resection", [60])
    assert said["cavity_ml"] == pytest.approx(cavity.sum() * ML)


def test_treatment_after_the_last_day_is_told(brain, resection, tmp_path, gliocast):
    maps = ["--white-matter", brain.white, "--gray-matter", brain.gray]
    options = ["--treatments", resection, "--days", 30, "--frames", 0]
    outcome = gliocast("simulate", "--out", tmp_path / "growth", "--seed", *SEED, *maps, *options)
    assert "warning: resection goes beyond day 30" in outcome.err


def test_parameter_that_is_set_counts_and_is_recorded(grow):
    options = ["--model", "proliferative-necrotic", "--days", 30]
    usual = grow(*options, name="usual")
    strong = grow(*options, "--set", "necrosis_rate=0.2", "--set", "nutrient_uptake = 1", name="strong")
    assert read_json(strong)["parameters"]["necrosis_rate"]["value"] == 0.2
    assert read_json(strong)["parameters"]["nutrient_uptake"]["value"] == 1
    assert read_image(strong, "necrotic").sum() > 2 * read_image(usual, "necrotic").sum()


@pytest.mark.parametrize("model", EQUATIONS)
def test_listed_parameters_have_unit_range_and_source(model, gliocast, tmp_path):
    outcome = gliocast("simulate", "--model", model, "--list-parameters")
    assert (outcome.code, outcome.err) == (0, "")
    for parameter in EQUATIONS[model].model().parameters:
        assert f"{parameter.name} ({parameter.symbol}) [{parameter.unit}]" in outcome.out
        assert parameter.source in outcome.out
        assert f"{parameter.typical[0]:g} to {parameter.typical[1]:g}" in outcome.out
    assert [path.name for path in tmp_path.rglob("*")] == ["work"]


def test_backends_agree(grow):
    ours, torch = grow("--days", 40, name="numba"), grow("--days", 40, "--backend", "torch", name="torch")
    # one scheme in float32, whose sums are ordered in two ways
    np.testing.assert_allclose(read_image(torch), read_image(ours), atol=1e-4)


def test_nothing_has_to_be_said_to_grow_a_tumor_in_the_atlas(gliocast, tmp_path):
    outcome = gliocast("simulate", "--days", 5, "--frames", 0)
    out = tmp_path / "work" / "gliocast-growth"
    assert (outcome.code, outcome.out.splitlines()[0]) == (0, f"density: {out / 'density.nii.gz'}")
    assert outcome.out.rstrip().endswith(RESEARCH_NOTICE)
    assert read_json(out)["anatomy"].startswith("MNI152")


def test_defaults_of_the_command_are_those_of_the_pipeline():
    shown, choices = inspect.signature(simulate).parameters, Choices()
    for name in ("model", "diffusivity", "proliferation_rate", "diffusivity_ratio", "backend", "device", "frames"):
        assert shown[name].default == getattr(choices, name)


def test_help_names_the_defaults_that_depend_on_other_options(gliocast, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    shown = " ".join(gliocast("simulate", "--help").out.split())
    for value in (DEFAULT_DAYS, SEED_WIDTH_MM, VISIBLE_DENSITY):
        assert f"{value:g} if not given" in shown


def test_seed_that_is_no_place_is_refused(gliocast, tmp_path):
    for place in (["1", "2"], ["1", "2", "--days"], ["1", "2", "here"]):
        outcome = gliocast("simulate", "--seed", *place)
        assert (outcome.code, outcome.out) == (2, "")
        assert "requires 3 arguments" in outcome.err or "is not three numbers" in outcome.err
    assert [path.name for path in tmp_path.rglob("*")] == ["work"]


def test_growth_repeats_to_the_byte_with_its_pictures(grow):
    one, two = (grow("--days", 40, "--frames", 3, name=name) for name in ("one", "two"))
    assert {p.name for p in one.iterdir()} == {p.name for p in two.iterdir()}
    for path in one.iterdir():
        assert path.read_bytes() == (two / path.name).read_bytes(), path.name


def test_outputs_hold_the_notice_and_no_path(grow, tmp_path):
    out = grow("--days", 20, "--days", 30)
    for name in ("simulation", "series"):
        assert read_json(out, name)["notice"] == RESEARCH_NOTICE
        text = (out / f"{name}.json").read_text(encoding="utf-8")
        assert "white.nii" not in text
        assert str(tmp_path) not in text


class Pushed(LogisticGrowth):
    """Growth that says that it moved all tissue 2 mm to the right, 3 mm to the front and 5 mm up."""

    def fields(self, state):
        shape = self.sweeps.unload(state[0]).shape
        moved = np.broadcast_to(np.float32([2, 3, 5])[:, None, None, None], (3, *shape))
        return {"displacement": moved, "csf": np.full(shape, 0.25, np.float32)}


class Pushing(FisherKolmogorov):
    def bind(self, values, medium, sweeps):
        grown = super().bind(values, medium, sweeps)
        return Pushed(grown.sweeps, grown.operator, grown.diffusivity, grown.rate, grown.coefficients)


def test_moved_tissue_is_written_for_the_last_day(brain, grow, monkeypatch):
    monkeypatch.setitem(EQUATIONS, "pushing", Equation("pushing", "Pushing growth", Pushing, needs_csf=True))
    out = grow("--model", "pushing", "--days", 20, "--days", 30, "--frames", 3)
    assert_aligned(out / "csf.nii.gz", brain.white)
    assert read_image(out, "csf").max() == 0.25
    image = nib.load(out / "displacement.nii.gz")
    assert image.shape == (*SHAPE, 1, 3)
    assert image.header.get_intent()[0] == "displacement vector"
    np.testing.assert_array_equal(image.affine, nib.load(brain.white).affine)
    tumor = read_image(out)[..., -1] > 0.1
    # (2, 3, 5) along the axes of the grid, along those of the world in the file
    turn = image.affine[:3, :3] / np.linalg.norm(image.affine[:3, :3], axis=0)
    np.testing.assert_allclose(image.get_fdata()[tumor] - turn @ [2, 3, 5], 0, atol=1e-5)
    assert Image.open(out / "growth.gif").n_frames == 3


def test_tissue_moves_away_from_the_tumor_along_the_worlds_axes(grow):
    """On a grid that is turned against the world, so that components along its axes would point elsewhere."""
    out = grow("--model", "mass-effect", "--days", 60)
    moved = nib.load(out / "displacement.nii.gz").get_fdata()[..., 0, :]
    points = nib.affines.apply_affine(affine_of_grid(), np.moveaxis(np.indices(SHAPE), 0, -1))
    away = points - SEED
    distance = np.linalg.norm(away, axis=-1)
    ring = (distance > 2 * SPACING) & (distance < 5 * SPACING)
    outward = (moved * away).sum(axis=-1)[ring] / distance[ring]
    assert outward.mean() > 0.9 * np.linalg.norm(moved[ring], axis=-1).mean()


REFUSED = [
    (["--model", "gompertz"], "model: expected one of fisher-kolmogorov"),
    (["--set", "necrosis_rate=0.1"], "no further parameter"),
    (["--model", "proliferative-necrotic", "--set", "necrosis=1"], "necrosis_rate [1/d], typically 0.02 to 0.2"),
    (["--model", "proliferative-necrotic", "--set", "necrosis_rate=fast"], "typical values lie in 0.02 to 0.2"),
    (["--model", "proliferative-necrotic", "--set", "necrosis_rate"], "necrosis_rate"),
    (["--model", "proliferative-necrotic", "--set", "necrosis_rate=-1"], "necrosis_rate"),
    (["--model", "proliferative-necrotic", "--set", "necrosis_threshold=1.5"], "(0, 1) [1]"),
    (["--model", "proliferative-necrotic", *(["--set", "necrosis_rate=0.1"] * 2)], "every name once"),
    (["--model", "tensor"], "--tensor: expected a file for tensor"),
    (["--tensor", "absent.nii.gz"], "--tensor: expected --model tensor"),
    (["--anisotropy", "2"], "--anisotropy: expected --model tensor"),
    (["--model", "tensor", "--tensor", "absent.nii.gz"], "no such file"),
    (["--model", "tensor", "--tensor", "absent.nii.gz", "--anisotropy", "nan"], "a number from 1 to 100"),
    (["--initial", "density.nii.gz"], "--initial: expected to stand alone, got --seed"),
    (["--point", "--seed-width", "1"], "--point: expected to stand alone, got --seed-width"),
    (["--point", "--seed", "1", "2", "3"], "--point: expected one --seed, got 2"),
    (["--seed-width", "0"], "a width in (0, 30] mm"),
    (["--seed-width", "nan"], "a width in (0, 30] mm"),
    (["--seed", "nan", "0", "0"], "seed"),
    (["--days", "10", "--days", "-1"], "days: expected positive times"),
    (["--days", "10", "--days", "20", "--every", "5"], "--every: expected at most one --days"),
    (["--every", "0"], "every: expected positive times"),
    (["--every", "0.1"], "at most 1000 volumes"),
    (["--until-volume", "5", "--days", "10"], "--until-volume: expected to stand alone, got --days"),
    (["--until-volume", "5", "--until-diameter", "10"], "--until-volume: expected to stand alone"),
    (["--until-diameter", "10", "--days", "10"], "--until-diameter: expected to stand alone, got --days"),
    (["--until-volume", "0"], "volume"),
    (["--until-diameter", "nan"], "expected a diameter"),
    (["--until-volume", "5", "--level", "1"], "density in (0, 1)"),
    (["--level", "0.5"], "--until-volume or --until-diameter beside it"),
    (["--treatments", "absent.json"], "no such file"),
    (["--treatments", "absent.json", "--until-volume", "5"], "growth to given days"),
    (["--backend", "fortran"], "numba or torch"),
    (["--device", "tpu"], "cpu or cuda"),
    (["--device", "cuda"], "--backend torch"),
    (["--frames", "1"], "--frames: expected 2 to 120, or 0"),
    (["--out", "grown.nii.gz", "--days", "5", "--days", "9"], "a folder for several days"),
    (["--out", "grown.nii.gz", "--every", "5"], "a folder for several days"),
    (["--out", "grown.nii"], "a name ending in .nii.gz, or a folder"),
    (["--out", "/proc/gliocast"], "a place that can be written"),
    (["--csf", "absent.nii.gz"], "no such file"),
]


@pytest.mark.parametrize(("options", "said"), REFUSED, ids=[" ".join(options) for options, _ in REFUSED])
def test_wrong_option_is_refused_in_one_line_and_nothing_is_written(options, said, brain, tmp_path, refused):
    maps = ["--white-matter", brain.white, "--gray-matter", brain.gray]
    arguments = ["--out", tmp_path / "growth", "--seed", *SEED, *maps, *options]
    assert said in refused("simulate", *arguments, "--quiet")


def test_gpu_that_isnt_there_is_refused(brain, tmp_path, refused, monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    maps = ["--white-matter", brain.white, "--gray-matter", brain.gray]
    arguments = ["--out", tmp_path / "growth", "--seed", *SEED, *maps, "--backend", "torch", "--device", "cuda"]
    assert "--device: expected a GPU that torch can use, got none" in refused("simulate", *arguments)


def test_tissue_maps_need_a_beginning(brain, tmp_path, refused):
    maps = ["--white-matter", brain.white, "--gray-matter", brain.gray]
    assert "expected --seed x y z or --initial" in refused("simulate", "--out", tmp_path / "growth", *maps)


def test_fluid_without_the_other_maps_is_refused(brain, tmp_path, refused):
    assert "--csf alone" in refused("simulate", "--out", tmp_path / "growth", "--csf", brain.csf)


def test_model_that_needs_fluid_says_so(brain, tmp_path, refused, monkeypatch):
    monkeypatch.setitem(EQUATIONS, "wet", Equation("wet", "Wet growth", FisherKolmogorov, needs_csf=True))
    maps = ["--white-matter", brain.white, "--gray-matter", brain.gray, "--model", "wet"]
    assert "expected --csf for wet" in refused("simulate", "--out", tmp_path / "growth", "--seed", *SEED, *maps)


@pytest.mark.parametrize(
    ("scale", "stretch", "said"), [(100, 1.0, "values in [0, 1]"), (1, 1.5, "grid of its companions")]
)
def test_initial_density_must_be_one_on_the_grid_of_the_maps(scale, stretch, said, brain, tmp_path, refused):
    data = (scale * 0.5 * np.exp(-((brain.distance / 8) ** 2))).astype(np.float32)
    path = save(tmp_path / "initial.nii.gz", data, affine_of_grid() @ np.diag([stretch] * 3 + [1]))
    maps = ["--white-matter", brain.white, "--gray-matter", brain.gray]
    assert said in refused("simulate", "--out", tmp_path / "growth", "--initial", path, *maps)


def test_picture_of_growth_shows_growth(grow):
    out = grow("--days", 120, "--frames", 5)
    image = Image.open(out / "growth.gif")
    assert (image.n_frames, image.info["loop"]) == (5, 0)
    colored = []
    for number in range(image.n_frames):
        image.seek(number)
        pixels = np.asarray(image.convert("RGB"), dtype=int)[60:420]  # the panels
        colored.append(np.count_nonzero(np.ptp(pixels, axis=2) > 40))
    assert colored == sorted(colored)
    assert colored[-1] > 4 * max(colored[0], 1)
