import hashlib
import importlib.util
from dataclasses import replace

import h5netcdf
import numpy as np
import pytest

from gliocast.core import POSITIVE, REAL, UNIT_INTERVAL, InputError, Parameter, Posterior
from gliocast.data import read_posterior, write_posterior

PARAMETERS = (
    Parameter("diffusion_length", "sqrt(D_w T)", "mm", POSITIVE, (1.0, 10.0), "a paper"),
    Parameter("seed_x", "x_x", "mm", REAL, (-np.inf, np.inf), "the scan"),
    Parameter("t1c_threshold", "c_T1c", "1", UNIT_INTERVAL, (0.5, 0.85), "another"),
)
NUM_SAMPLES = 200
SCHEMA_ATTRIBUTES = {"inference_library", "inference_library_version"}


def make_posterior(*, weighted=False):
    generator = np.random.default_rng(0)
    samples = np.array([5.0, -20.0, 0.6]) + generator.uniform(-0.2, 0.2, (NUM_SAMPLES, 3))
    weights = generator.uniform(size=NUM_SAMPLES) ** 3 if weighted else np.ones(NUM_SAMPLES)
    return Posterior(
        PARAMETERS,
        samples,
        weights / weights.sum(),
        generator.normal(size=NUM_SAMPLES),
        np.array([5.0, -20.0, 0.6]),
        diagnostics={"evaluations": 1234.0},
        method="a method",
        log_evidence=-321.5,
        stages={"temperature": np.array([0.0, 0.3, 1.0]), "acceptance": np.array([np.nan, 0.4, 0.2])},
    )


@pytest.fixture(params=[False, True], ids=["equal weights", "weighted"])
def posterior(request):
    return make_posterior(weighted=request.param)


@pytest.fixture
def path(tmp_path, posterior):
    prior = np.array([5.0, 0.0, 0.5]) + np.random.default_rng(1).uniform(-0.4, 0.4, (300, 3))
    write_posterior(tmp_path / "posterior.nc", posterior, prior_samples=prior, seed=7)
    return tmp_path / "posterior.nc"


def test_what_is_read_is_what_was_written(path, posterior):
    read = read_posterior(path)
    assert read.parameters == posterior.parameters
    for name in ("samples", "weights", "log_densities", "mode"):
        np.testing.assert_allclose(getattr(read, name), getattr(posterior, name), rtol=1e-14)
    assert read.diagnostics == posterior.diagnostics
    assert (read.method, read.log_evidence) == ("a method", -321.5)
    assert list(read.stages) == ["temperature", "acceptance"]
    for name, values in posterior.stages.items():
        np.testing.assert_array_equal(read.stages[name], values)


def test_a_posterior_without_evidence_and_stages_comes_back_without(tmp_path):
    bare = replace(make_posterior(), log_evidence=None, stages={}, diagnostics={})
    write_posterior(tmp_path / "posterior.nc", bare)
    read = read_posterior(tmp_path / "posterior.nc")
    assert (read.log_evidence, dict(read.stages), dict(read.diagnostics)) == (None, {}, {})


def test_groups_dimensions_and_attributes_are_those_of_the_schema(path):
    """Every variable of posterior, prior and sample_stats has the dimensions chain and draw, with coordinates."""
    with h5netcdf.File(path, "r") as file:
        assert {"posterior", "prior", "sample_stats"} <= set(file.groups)
        for name, draws in (("posterior", NUM_SAMPLES), ("sample_stats", NUM_SAMPLES), ("prior", 300)):
            group = file[name]
            assert set(group.attrs) >= SCHEMA_ATTRIBUTES
            np.testing.assert_array_equal(group["chain"][...], [0])
            np.testing.assert_array_equal(group["draw"][...], np.arange(draws))
            for variable in set(group.variables) - {"chain", "draw"}:
                assert group[variable].dimensions == ("chain", "draw")
                assert group[variable].shape == (1, draws)
        assert set(file["posterior"].variables) == {"chain", "draw", *(p.name for p in PARAMETERS)}
        assert file["posterior"]["diffusion_length"].attrs["units"] == "mm"
        assert file["sample_stats"]["lp"].shape == (1, NUM_SAMPLES)
        assert (file.attrs["method"], file.attrs["seed"], file.attrs["log_evidence"]) == ("a method", 7, -321.5)


def test_draws_that_ignore_the_weights_have_the_weighted_moments(tmp_path):
    """Systematic resampling moves a mean by less than the spread over the number of samples."""
    posterior = make_posterior(weighted=True)
    write_posterior(tmp_path / "posterior.nc", posterior)
    with h5netcdf.File(tmp_path / "posterior.nc", "r") as file:
        drawn = np.stack([file["posterior"][p.name][0] for p in PARAMETERS], axis=1)
        assert file.attrs["effective_sample_size"] == pytest.approx(posterior.effective_sample_size)
    tolerance = 0.1 * posterior.standard_deviation
    assert (np.abs(drawn.mean(axis=0) - posterior.mean) < tolerance).all()
    assert not (np.abs(posterior.samples.mean(axis=0) - posterior.mean) < 0.01 * tolerance).all()


def test_the_same_posterior_is_written_as_the_same_bytes(tmp_path, posterior):
    hashes = set()
    for name in ("a.nc", "b.nc"):
        write_posterior(tmp_path / name, posterior, seed=7)
        hashes.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    assert len(hashes) == 1


def spoil(change):
    """A function that changes an open file."""

    def apply(path):
        with h5netcdf.File(path, "r+") as file:
            change(file)

    return apply


def drop(name):
    def change(file):
        del file._h5file[name]

    return change


def set_sample(value):
    def change(file):
        file._h5file["posterior/t1c_threshold"][0, 3] = value
        if "particles" in file._h5file:
            file._h5file["particles/t1c_threshold"][3] = value

    return change


def set_attribute(group, name, value):
    return lambda file: file._h5file[group].attrs.__setitem__(name, value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b"no NetCDF"),
        lambda path: path.write_bytes(path.read_bytes()[:3000]),
        spoil(drop("posterior/seed_x")),
        spoil(drop("posterior")),
        spoil(drop("diagnostics")),
        spoil(set_sample(np.nan)),
        spoil(set_sample(1.5)),
        spoil(set_attribute("/", "gliocast_layout", 99)),
        spoil(set_attribute("/", "gliocast_layout", "1; import os")),
        spoil(set_attribute("posterior", "parameters", "seed_x nothing")),
        spoil(set_attribute("posterior/seed_x", "support", np.array([1.0]))),
        spoil(set_attribute("posterior/seed_x", "support", np.array([1.0, -1.0]))),
        spoil(set_attribute("posterior/seed_x", "mode", np.nan)),
    ],
)
def test_a_damaged_or_foreign_file_is_refused(path, damage):
    damage(path)
    with pytest.raises(InputError):
        read_posterior(path)


def test_a_netcdf_file_from_elsewhere_is_refused(tmp_path):
    with h5netcdf.File(tmp_path / "other.nc", "w") as file:
        file.create_group("posterior")
    with pytest.raises(InputError, match="from elsewhere"):
        read_posterior(tmp_path / "other.nc")


@pytest.mark.skipif(importlib.util.find_spec("arviz") is None, reason="ArviZ is optional and isn't here")
def test_arviz_reads_the_file(path, posterior):
    import arviz

    data = arviz.from_netcdf(path)
    mean = float(data["posterior"]["seed_x"].mean())
    assert mean == pytest.approx(posterior.mean[1], abs=0.1 * posterior.standard_deviation[1])
