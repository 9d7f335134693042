"""``gliocast forecast`` on what a run left, small and synthetic."""

import csv
import json
import shutil

import nibabel as nib
import numpy as np
import pytest

from gliocast.core import Anatomy, Grid
from gliocast.data import Subject, lay_out, write_volume
from gliocast.growth import Simulator

SIDE, SPACING = 24, 4.0


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """Folder with the files of `gliocast run` that a forecast reads; don't change it."""
    folder = tmp_path_factory.mktemp("results")
    grid = Grid((SIDE,) * 3, np.diag([SPACING, SPACING, SPACING, 1.0]))
    away = np.linalg.norm(np.moveaxis(np.indices(grid.shape), 0, -1) * SPACING - 46, axis=-1)
    white, gray, fluid = (part.astype(np.float32) for part in (away < 38, (away >= 38) & (away < 44), away < 0))
    fluid[(away >= 44) & (away < 48)] = 1
    anatomy = Anatomy(white, gray, fluid, away < 48, grid)
    density = Simulator(backend="numba-single")((0.1, 0.03, 46, 46, 46), anatomy, days=[250.0])[0].data
    images = {
        "density": density,
        "gtv": (density > 0.6).astype(np.uint8),
        "ctv_standard": (density > 0.01).astype(np.uint8),
        "ctv_model": (density > 0.02).astype(np.uint8),
        "white_matter": white,
        "gray_matter": gray,
        "csf": fluid,
    }
    for name, data in images.items():
        write_volume(folder / f"{name}.nii.gz", data, grid)
    modes = {"diffusion_length": 5.0, "growth_number": 2.74, "flair_threshold": 0.2}
    content = {"parameters": {name: {"mode": value} for name, value in modes.items()}}
    (folder / "parameters.json").write_text(json.dumps(content))
    (folder / "provenance.json").write_text(json.dumps({"options": {"diffusivity_ratio": 10.0}}))
    return folder


def test_a_forecast_leaves_a_table_a_record_densities_and_a_picture(results, tmp_path, gliocast):
    outcome = gliocast(
        "forecast", results, "--out", tmp_path / "out", "--days", "20", "--days", "40", "--alpha", "0.06"
    )
    assert outcome.code == 0
    said = outcome.out
    assert "no treatment: burden" in said
    assert "research only" in said
    with (tmp_path / "out" / "forecast.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["scenario"] for row in rows} >= {"no treatment", "resection", "60 Gy in 30", "40 Gy in 15"}
    assert {float(row["day"]) for row in rows} >= {0.0, 20.0, 40.0}
    record = json.loads((tmp_path / "out" / "forecast.json").read_text())
    assert record["options"]["alphas"] == [0.06]
    assert len(record["isoeffect"]) == 2
    assert record["clock"]["age at the scan [d]"] == pytest.approx(2 * 5.0 * 2.74 / 0.1)
    untreated = nib.load(tmp_path / "out" / "density_no_treatment_40d.nii.gz")
    before = nib.load(results / "density.nii.gz")
    np.testing.assert_array_equal(untreated.affine, before.affine)
    assert untreated.get_fdata().sum() > before.get_fdata().sum()
    assert (tmp_path / "out" / "forecast.png").stat().st_size > 10_000


def test_a_smaller_target_and_another_growth_are_said_however_quiet(results, tmp_path, gliocast):
    folder = tmp_path / "results"
    shutil.copytree(results, folder)
    options = {"diffusivity_ratio": 10.0, "growth": "mass-effect"}
    (folder / "provenance.json").write_text(json.dumps({"options": options}))
    arguments = ["forecast", folder, "--out", tmp_path / "out", "--days", "20", "--alpha", "0.06"]
    outcome = gliocast(*arguments, "--quiet")
    said = outcome.err.splitlines()
    assert (outcome.code, len(said)) == (0, 2)
    assert said[0].startswith("WARNING: THE MODEL'S TARGET IS SMALLER THAN THE GUIDELINE'S")
    assert said[1] == "WARNING: the run's growth was mass-effect; from the scan on it is taken for fisher-kolmogorov"
    record = json.loads((tmp_path / "out" / "forecast.json").read_text())
    assert [f"WARNING: {sentence}" for sentence in record["warnings"]] == said


def test_coarser_voxels_say_about_the_same_and_densities_lie_on_the_scans_grid(results, tmp_path, gliocast):
    """On voxels of 5 mm there is nothing to join; those of 4 mm of the scan stay. So it goes on a finer copy."""
    fine = tmp_path / "fine"
    fine.mkdir()
    for path in results.iterdir():
        if path.suffix == ".gz":
            image = nib.load(path)
            data = np.repeat(np.repeat(np.repeat(np.asarray(image.dataobj), 2, 0), 2, 1), 2, 2)
            grid = Grid(data.shape, np.diag([2.0, 2, 2, 1]))
            write_volume(fine / path.name, data, grid)
        else:
            (fine / path.name).write_bytes(path.read_bytes())
    tables = []
    for spacing in ((), ("--spacing", "4")):
        out = tmp_path / f"out{len(spacing)}"
        assert gliocast("forecast", fine, "--out", out, "--days", "30", "--alpha", "0.06", *spacing).code == 0
        with (out / "forecast.csv").open() as file:
            tables.append(list(csv.DictReader(file)))
    own, coarse = ([float(row["burden [ml]"]) for row in table] for table in tables)
    np.testing.assert_allclose(own, coarse, rtol=0.05)
    assert own != coarse
    image = nib.load(tmp_path / "out2" / "density_no_treatment_30d.nii.gz")
    before = nib.load(fine / "density.nii.gz")
    assert image.shape == before.shape
    np.testing.assert_array_equal(image.affine, before.affine)
    assert image.get_fdata().sum() > before.get_fdata().sum()
    assert json.loads((tmp_path / "out2" / "forecast.json").read_text())["options"]["spacing"] == 4


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--speed", "0"), "above 0 and up to 2 mm/d"),
        (("--speed", "5"), "up to 2 mm/d (0.02 to 0.5 is typical), got 5"),
        (("--days", "40", "--days", "20"), "ascending order"),
        (("--target", "gtv"), "ctv_standard, ctv_model"),
        (("--alpha", "-1"), "alpha"),
        (("--spacing", "0"), "a width of voxels"),
        (("--spacing", "nan"), "a width of voxels"),
        (("--spacing", "3.9"), "a width of voxels from the scan's own 4 mm on, got 3.9"),
    ],
)
def test_forecasts_that_make_no_sense_are_refused_and_nothing_is_written(options, said, results, tmp_path, refused):
    assert said in refused("forecast", results, "--out", tmp_path / "out", "--quiet", *options)


def test_a_folder_without_results_is_refused(tmp_path, refused):
    assert "density.nii.gz, as gliocast run writes it" in refused("forecast", tmp_path, "--out", tmp_path / "o", "-q")


def test_results_in_a_dataset_have_the_same_forecast(results, tmp_path, gliocast):
    inner = lay_out(tmp_path / "dataset", Subject("01", "pre"))
    (inner.folder / "anat").mkdir(parents=True)
    (tmp_path / "dataset" / "dataset_description.json").write_text("{}")
    for path in results.iterdir():
        shutil.copy(path, inner.path(path.name))
    for place, out in ((results, "plain"), (tmp_path / "dataset" / "sub-01", "bids")):
        assert gliocast("forecast", place, "--out", tmp_path / out, "--days", "20", "--alpha", "0.06", "-q").code == 0
    for path in (tmp_path / "plain").iterdir():
        assert path.read_bytes() == (tmp_path / "bids" / path.name).read_bytes(), path.name
