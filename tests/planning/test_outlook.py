"""All scenarios side by side: what is kept of each. Synthetic."""

import numpy as np
import pytest

from gliocast.core import Anatomy, Density, Grid, InputError
from gliocast.growth.dose import target_dose
from gliocast.planning.forecast import Clock, foresee, scenarios
from gliocast.planning.outlook import Outlook, foresee_all

CLOCK = Clock(0.1, 0.03, 200.0)


@pytest.fixture(scope="module")
def anatomy():
    grid = Grid((16,) * 3, np.diag([4.0, 4.0, 4.0, 1.0]))
    white = np.ones(grid.shape, np.float32)
    return Anatomy(white, 0 * white, 0 * white, np.ones(grid.shape, bool), grid)


@pytest.fixture(scope="module")
def density(anatomy):
    radius = 4 * np.linalg.norm(np.moveaxis(np.indices(anatomy.grid.shape), 0, -1) - 7.5, axis=-1)
    return Density((1 / (1 + np.exp((radius - 12) / 3))).astype(np.float32), anatomy.grid)


@pytest.fixture(scope="module")
def possible(anatomy, density):
    core, dose = density.data > 0.6, target_dose(density.data > 1e-3, anatomy.grid, 1.0)
    return list(scenarios(core, dose, anatomy, alphas=(0.03, 0.065, 0.14), kill_rates=(0.1,)))


def test_all_scenarios_are_those_one_by_one_and_the_middle_density_is_kept(anatomy, density, possible):
    shares = []
    forecasts, densities = foresee_all(possible, density, anatomy, CLOCK, days=(60.0,), visible=0.2, done=shares.append)
    assert [each.name for each in forecasts] == [each.name for each in possible]
    assert shares == [(n + 1) / len(possible) for n in range(len(possible))]
    assert list(densities) == list(dict.fromkeys(each.name for each in possible))
    for scenario, found in zip(possible, forecasts, strict=True):
        alone, last = foresee(density, anatomy, CLOCK, scenario, days=(60.0,), visible=0.2)
        np.testing.assert_array_equal(found.burden_ml, alone.burden_ml)
        np.testing.assert_array_equal(found.visible_ml, alone.visible_ml)
        if scenario.sensitivity.get("alpha", 0.065) == 0.065:
            np.testing.assert_array_equal(densities[scenario.name].data, last.data)


@pytest.mark.usefixtures("two_threads")
def test_how_many_threads_there_are_changes_nothing(anatomy, density, possible):
    forecasts, _ = foresee_all(possible, density, anatomy, CLOCK, days=(30.0,), visible=0.2)
    for scenario, found in zip(possible, forecasts, strict=True):
        alone, _ = foresee(density, anatomy, CLOCK, scenario, days=(30.0,), visible=0.2)
        np.testing.assert_array_equal(found.burden_ml, alone.burden_ml)


def test_an_outlook_finds_scenarios_by_name(anatomy, density, possible):
    forecasts, densities = foresee_all(possible, density, anatomy, CLOCK, days=(5.0, 10.0), visible=0.2)
    outlook = Outlook(0.1, CLOCK, 0.2, "ctv_standard", forecasts, densities)
    assert outlook.last_day == 10.0
    assert outlook.names[0] == "no treatment"
    assert set(outlook.names) == set(densities)
    assert [each.sensitivity["alpha"] for each in outlook.of("60 Gy in 30")] == [0.03, 0.065, 0.14]
    assert outlook.middle("60 Gy in 30").sensitivity == {"alpha": 0.065}


def test_a_scenario_that_fails_is_an_error(anatomy, density, possible):
    nothing = Density(0 * density.data, density.grid)
    with pytest.raises(InputError, match="initial density"):
        foresee_all(possible, nothing, anatomy, CLOCK, days=(30.0,), visible=0.2)
