"""A clock for a shape, scenarios that are grown on, and what courses leave. Synthetic."""

import numpy as np
import pytest

from gliocast.core import Anatomy, Density, Grid, InputError, Radiotherapy, Resection
from gliocast.growth import Simulator
from gliocast.growth.dose import target_dose
from gliocast.growth.treatment import fraction_survival
from gliocast.planning.forecast import COURSES, Clock, foresee, scenarios
from gliocast.planning.isoeffect import cells_left, compare_doses

SIDE, SPACING = 30, 3.0
DAYS = (40.0, 80.0)


@pytest.fixture(scope="module")
def anatomy():
    grid = Grid((SIDE,) * 3, np.diag([SPACING, SPACING, SPACING, 1.0]))
    white = np.ones(grid.shape, np.float32)
    return Anatomy(white, 0 * white, 0 * white, np.ones(grid.shape, bool), grid)


@pytest.fixture(scope="module")
def density(anatomy):
    return Simulator(backend="numba-single")((0.1, 0.03, 45, 45, 45), anatomy, days=[200.0])[0]


@pytest.fixture(scope="module")
def clock():
    return Clock.of_speed(0.1, diffusion_length=4.5, growth_number=2.4)


@pytest.fixture(scope="module")
def possible(anatomy, density):
    core, dose = density.data > 0.6, target_dose(density.data > 1e-3, anatomy.grid, 1.0)
    return list(scenarios(core, dose, anatomy, alphas=(0.03, 0.14), kill_rates=(0.1,)))


def test_a_clock_has_the_speed_that_it_was_made_of(clock):
    assert 2 * np.sqrt(clock.diffusivity * clock.rate) == pytest.approx(0.1)
    assert np.sqrt(clock.diffusivity * clock.age_days) == pytest.approx(4.5)
    assert np.sqrt(clock.rate * clock.age_days) == pytest.approx(2.4)


def test_growth_goes_on_from_the_scan_as_if_there_had_been_none(anatomy, density):
    """The scan is day 200 of a growth that is known; so is day 280."""
    clock = Clock(0.1, 0.03, 200.0)
    untreated = next(scenarios(density.data > 0.6, density.data, anatomy, alphas=(0.06,), kill_rates=(0.1,)))
    assert untreated.name == "no treatment"
    found, last = foresee(density, anatomy, clock, untreated, days=DAYS, visible=0.2)
    later = Simulator(backend="numba-single")((0.1, 0.03, 45, 45, 45), anatomy, days=[280.0])[0]
    assert found.burden_ml[0] == pytest.approx(density.burden() / 1000)
    assert found.burden_ml[-1] == pytest.approx(later.burden() / 1000, rel=0.01)
    np.testing.assert_allclose(last.data, later.data, atol=0.02)
    assert set(DAYS) <= set(found.days.tolist())
    assert (np.diff(found.burden_ml) > 0).all()
    assert found.visible_ml[-1] == pytest.approx(later.volume_above(0.2) / 1000, rel=0.05)


def test_every_scenario_leaves_less_than_none(anatomy, density, clock, possible):
    found = [foresee(density, anatomy, clock, each, days=DAYS, visible=0.2)[0] for each in possible]
    ends = {(each.name, *each.sensitivity.values()): each.burden_ml[-1] for each in found}
    untreated = ends.pop(("no treatment",))
    assert len(ends) == 8
    assert all(end < untreated for end in ends.values())
    assert ends["60 Gy in 30", 0.14] < ends["60 Gy in 30", 0.03]
    assert ends["60 Gy in 30", 0.03] < ends["40 Gy in 15", 0.03]
    assert ends["surgery, 60 Gy, temozolomide", 0.14, 0.1] < ends["surgery, 60 Gy, temozolomide", 0.03, 0.1]


def test_surgery_takes_the_gross_tumor_and_radiation_aims_at_the_target(density, possible):
    (surgery,) = [each for each in possible if each.name == "resection"]
    (entry,) = surgery.treatments
    assert isinstance(entry, Resection)
    np.testing.assert_array_equal(entry.cavity.data, density.data > 0.6)
    course = next(each for each in possible if each.name == "40 Gy in 15")
    (entry,) = course.treatments
    assert isinstance(entry, Radiotherapy)
    assert entry.num_fractions == 15
    assert (entry.dose.data[density.data > 1e-3] == 40).all()


def test_a_scenario_tells_what_is_done_on_which_day(possible):
    given = {each.name: each.given for each in possible}
    assert given["no treatment"] == {}
    assert given["resection"] == {"resection": (7.0,)}
    assert len(given["60 Gy in 30"]["radiotherapy"]) == 30
    everything = given["surgery, 60 Gy, temozolomide"]
    assert list(everything) == ["resection", "radiotherapy", "chemotherapy"]
    assert everything["radiotherapy"][0] == 35.0
    assert list(everything["chemotherapy"]) == sorted(everything["chemotherapy"])
    assert len(everything["chemotherapy"]) == 42 + 30


@pytest.mark.parametrize(
    ("change", "said"),
    [({"alphas": ()}, "a number or more"), ({"kill_rates": ()}, "a number or more"), ({"alphas": (-1.0,)}, "alpha")],
)
def test_scenarios_without_sensitivities_are_refused(anatomy, density, change, said):
    choices = {"alphas": (0.06,), "kill_rates": (0.1,), **change}
    with pytest.raises(InputError, match=said):
        list(scenarios(density.data > 0.6, density.data, anatomy, **choices))


@pytest.mark.parametrize("speed", [0.0, -1.0, 2.01, 5.0, float("nan"), float("inf")])
def test_a_speed_that_is_none_is_refused(speed):
    with pytest.raises(InputError, match=r"up to 2 mm/d \(0.02 to 0.5 is typical\)"):
        Clock.of_speed(speed, diffusion_length=4.5, growth_number=2.4)


def test_a_shape_that_is_none_has_no_clock():
    with pytest.raises(InputError, match="positive diffusion length"):
        Clock.of_speed(0.1, diffusion_length=0.0, growth_number=2.4)


def test_a_dose_is_the_prescription_inside_and_falls_off_around(anatomy):
    target = np.zeros(anatomy.grid.shape, bool)
    target[:15] = True
    dose = target_dose(target, anatomy.grid, 60.0, penumbra_mm=6.0)
    assert (dose[:15] == 60).all()
    line = dose[15:, 5, 5]
    assert (np.diff(line[line > 0]) < 0).all()
    assert line[0] == pytest.approx(60 * 0.8738, abs=0.01)  # half a standard deviation away: Phi(1.645 - 1/2)
    for wrong in ((0 * target > 0, 60.0), (target, 0.0)):
        with pytest.raises(InputError, match="a target with voxels"):
            target_dose(wrong[0], anatomy.grid, wrong[1])


def test_cells_left_of_an_even_dose_are_those_of_the_formula(density):
    dose = np.full(density.grid.shape, 60.0)
    left = cells_left(density, dose, num_fractions=30, alpha=0.06)
    assert left == pytest.approx(density.burden() * fraction_survival(2.0, alpha=0.06, alpha_beta=10.0) ** 30)
    with pytest.raises(InputError, match="dose"):
        cells_left(density, -dose, num_fractions=30, alpha=0.06)


def test_the_same_dose_is_isoeffective_with_itself_and_half_of_it_with_twice_its_shape(density, anatomy):
    shape = target_dose(density.data > 0.05, anatomy.grid, 1.0)
    for factor in (1.0, 2.0):
        for row in compare_doses(density, shape, factor * shape, COURSES[0], alphas=(0.03, 0.14)):
            assert row.equal_integral_gy == pytest.approx(60 / factor, rel=1e-4)
            assert row.isoeffective_gy == pytest.approx(60 / factor, rel=1e-3)
            assert row.equal_integral_ml == pytest.approx(row.reference_ml, rel=1e-3)


def test_a_target_that_misses_the_tumor_has_no_isoeffective_dose(density, anatomy):
    shape = target_dose(density.data > 0.05, anatomy.grid, 1.0)
    far = np.zeros_like(shape)
    far[:2, :2, :2] = 1.0
    (row,) = compare_doses(density, shape, far, COURSES[1], alphas=(0.06,))
    assert np.isnan(row.isoeffective_gy)
    assert row.equal_integral_ml > row.reference_ml


def test_a_density_of_nothing_is_refused(anatomy, clock, possible):
    nothing = Density(np.zeros(anatomy.grid.shape, np.float32), anatomy.grid)
    with pytest.raises(InputError, match="initial density"):
        foresee(nothing, anatomy, clock, possible[0], days=DAYS, visible=0.2)
