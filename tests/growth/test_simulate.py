import numpy as np
import pytest

from gliocast.core import ConvergenceError, InputError
from gliocast.growth import FisherKolmogorov, GaussianSeed, Simulator
from gliocast.growth.kernels import numba_sweeps
from gliocast.growth.start import SEED_PEAK, SEED_WIDTH_MM

CENTER = (22.0, 20.0, 19.0)


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (2.0, 1.0, 1.5)])
def test_seed_has_the_same_mass_on_every_grid_and_at_every_position(uniform, spacing):
    anatomy = uniform((40, 70, 50), spacing)
    tissue = np.ones(anatomy.grid.shape, dtype=bool)
    for shift in (0.0, 0.3, 0.77):
        density, _ = GaussianSeed().cells(np.array([30, 31, 32]) + shift, anatomy.grid, tissue)
        mass = density.sum() * anatomy.grid.voxel_volume
        assert mass == pytest.approx(SEED_PEAK * (2 * np.pi) ** 1.5 * SEED_WIDTH_MM**3, rel=1e-6)


def test_pure_diffusion_in_the_open_is_the_heat_kernel(uniform):
    diffusivity, days = 0.3, 40.0
    anatomy = uniform((61, 61, 61))
    density = Simulator(accuracy=1e-4, dtype="float64")((diffusivity, 0.0, 30, 30, 30), anatomy, days=[days])[0].data
    variance = SEED_WIDTH_MM**2 + 2 * diffusivity * days
    radius2 = sum((axis - 30.0) ** 2 for axis in np.indices(density.shape))
    mass = SEED_PEAK * (2 * np.pi) ** 1.5 * SEED_WIDTH_MM**3
    # The cell average and the five-point Laplacian each widen the profile by h^2/12 or so; that is 0.3 % of variance.
    exact = mass / (2 * np.pi * variance) ** 1.5 * np.exp(-radius2 / (2 * variance))
    assert np.linalg.norm(density - exact) < 0.01 * np.linalg.norm(exact)


def test_pure_diffusion_conserves_mass_to_a_millionth(patchy):
    anatomy = patchy((60, 60, 60))
    simulator = Simulator()
    early, late = simulator((0.5, 0.0, 30, 35, 30), anatomy, days=[1e-3, 100.0])
    assert late.burden() == pytest.approx(early.burden(), rel=1e-6)


def test_density_never_enters_fluid_and_stays_between_zero_and_one(patchy):
    anatomy = patchy((50, 50, 50))
    density = Simulator()((0.3, 0.15, 25, 30, 25), anatomy, days=[120.0])[0].data
    assert not density[anatomy.csf > 0.5].any()
    assert density.min() >= 0
    assert density.max() <= 1 + 1e-6
    assert density.max() > 0.99


def test_without_migration_growth_is_logistic(uniform):
    anatomy = uniform((24, 24, 24))
    seed = np.zeros((24, 24, 24))
    cells, box = GaussianSeed().cells([12.0, 12, 12], anatomy.grid, np.ones((24, 24, 24), bool))
    seed[box.slices] = cells
    density = Simulator(dtype="float64")((0.0, 0.1, 12, 12, 12), anatomy, days=[30.0])[0].data
    grown = seed * np.exp(3.0)
    np.testing.assert_allclose(density, grown / (1 - seed + grown), atol=1e-5)


def test_front_travels_at_two_sqrt_d_rho(uniform):
    diffusivity, rate = 1.0, 0.05  # a front sqrt(D/rho) = 4.5 mm wide is well resolved on 1 mm
    anatomy = uniform((9, 9, 220))
    grown = Simulator(accuracy=1e-3)((diffusivity, rate, 4, 4, 4), anatomy, days=[250.0, 400.0])
    fronts = []
    for density in grown:
        line = density.data[4, 4]
        last = int(np.flatnonzero(line > 0.5)[-1])
        fronts.append(last + (line[last] - 0.5) / (line[last] - line[last + 1]))
    # Bramson: a front that began as a point lags behind 2 sqrt(D rho) t by 3/2 sqrt(D/rho) log t.
    lag = 1.5 * np.sqrt(diffusivity / rate) * np.log(400 / 250)
    assert fronts[1] - fronts[0] == pytest.approx(2 * np.sqrt(diffusivity * rate) * 150 - lag, rel=0.02)


def test_time_stepping_is_second_order(patchy):
    anatomy = patchy((40, 40, 40))
    values, days = (0.2, 0.08, 20, 24, 20), [60.0]
    reference = Simulator(accuracy=2e-6, dtype="float64")(values, anatomy, days=days)[0].data
    errors = []
    for accuracy in (2e-2, 5e-3):  # steps halve
        density = Simulator(accuracy=accuracy, dtype="float64")(values, anatomy, days=days)[0].data
        errors.append(np.linalg.norm(density - reference) / np.linalg.norm(reference))
    assert 2.5 < errors[0] / errors[1] < 6
    assert errors[1] < 5e-3


def test_the_active_box_changes_nothing_that_matters(patchy, monkeypatch):
    anatomy = patchy((60, 60, 60))
    values = (0.2, 0.08, 30, 33, 30)
    boxed = Simulator()(values, anatomy, days=[60.0])[0].data
    monkeypatch.setattr(numba_sweeps, "SUPPORT_LEVEL", -1.0)
    everywhere = Simulator()(values, anatomy, days=[60.0])[0].data
    assert np.linalg.norm(boxed - everywhere) < 1e-4 * np.linalg.norm(everywhere)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_brain_grows_a_mirrored_tumor(patchy, axis):
    anatomy = patchy((40, 38, 36))
    values = np.array([0.2, 0.08, 20.2, 23.1, 18.4])
    density = Simulator(dtype="float64")(values, anatomy, days=[50.0])[0].data
    flipped = type(anatomy)(
        *(np.ascontiguousarray(np.flip(part, axis)) for part in (anatomy.white_matter, anatomy.gray_matter)),
        *(np.ascontiguousarray(np.flip(part, axis)) for part in (anatomy.csf, anatomy.brain)),
        anatomy.grid,
    )
    values[2 + axis] = anatomy.grid.shape[axis] - 1 - values[2 + axis]
    mirrored = Simulator(dtype="float64")(values, flipped, days=[50.0])[0].data
    np.testing.assert_allclose(np.flip(mirrored, axis), density, atol=1e-10)


@pytest.mark.parametrize("backend", ["numba-single", "torch"])
def test_every_backend_grows_the_same_tumor(patchy, backend):
    anatomy = patchy((40, 40, 40), spacing=(1.0, 1.0, 2.0))
    values = (0.2, 0.08, 20, 24, 40)
    shared = Simulator()(values, anatomy, days=[30.0, 60.0])
    other = Simulator(backend=backend)(values, anatomy, days=[30.0, 60.0])
    for a, b in zip(shared, other, strict=True):
        np.testing.assert_allclose(a.data, b.data, atol=2e-5)


def test_a_stop_on_the_way_hardly_moves_the_result(patchy):
    anatomy = patchy((40, 40, 40))
    direct = Simulator()((0.2, 0.08, 20, 24, 20), anatomy, days=[60.0])[0].data
    stopped = Simulator()((0.2, 0.08, 20, 24, 20), anatomy, days=[25.0, 60.0])[1].data
    assert np.linalg.norm(direct - stopped) < 5e-3 * np.linalg.norm(direct)


@pytest.mark.parametrize(
    ("values", "days"),
    [
        ((-0.1, 0.1, *CENTER), [10.0]),
        ((0.1, np.nan, *CENTER), [10.0]),
        ((0.1, 0.1, 500.0, 0.0, 0.0), [10.0]),
        ((0.1, 0.1, *CENTER), []),
        ((0.1, 0.1, *CENTER), [20.0, 10.0]),
        ((0.1, 0.1, *CENTER), [0.0]),
        ((0.1, 0.1, *CENTER), [np.inf]),
    ],
)
def test_senseless_requests_are_refused(uniform, values, days):
    with pytest.raises(InputError):
        Simulator()(values, uniform(), days=days)


def test_a_rate_in_the_wrong_unit_is_refused_before_it_runs_forever(uniform):
    with pytest.raises(ConvergenceError, match="check the units"):
        Simulator()((0.1, 1e5, *CENTER), uniform(), days=[400.0])


@pytest.mark.parametrize("ratio", [0.0, -1.0, np.nan, np.inf])
def test_a_senseless_diffusivity_ratio_is_refused(ratio):
    with pytest.raises(InputError):
        FisherKolmogorov(ratio)


def test_a_diffusivity_in_the_wrong_unit_is_refused_before_it_runs_forever(uniform):
    with pytest.raises(ConvergenceError, match="check the units"):
        Simulator()((1e9, 0.01, *CENTER), uniform(), days=[400.0])
