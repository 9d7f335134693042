import dataclasses

import numpy as np
import pytest

from gliocast.core import (
    Chemotherapy,
    Grid,
    InputError,
    Radiotherapy,
    Resection,
    Treatments,
    Volume,
    adjuvant_temozolomide,
    concomitant_temozolomide,
    cycle_doses,
    weekday_fractions,
)

SHAPE = (6, 5, 4)
GRID = Grid(SHAPE, np.eye(4))
OTHER_GRID = Grid(SHAPE, np.diag([2.0, 2.0, 2.0, 1.0]))


def mask(grid=GRID):
    data = np.zeros(SHAPE, dtype=bool)
    data[2:4, 1:3, 1:3] = True
    return Volume(data, grid)


def dose_map(value=60.0, grid=GRID):
    return Volume(np.where(mask().data, value, 0).astype(np.float32), grid)


def resection(day=30.0, grid=GRID):
    return Resection(day, mask(grid))


def radiotherapy(start=60.0, num_fractions=30, grid=GRID):
    return Radiotherapy(dose_map(grid=grid), weekday_fractions(start, num_fractions), alpha=0.06)


def chemotherapy(start=60.0, num_doses=42):
    return Chemotherapy(cycle_doses(start, days_on=num_doses), kill_rate=0.1, half_life=0.075)


def test_thirty_weekday_fractions_from_a_monday_take_forty_days():
    days = weekday_fractions(60, 30)
    assert len(days) == 30
    assert days[-1] - days[0] + 1 == 40
    assert days[:6] == (60, 61, 62, 63, 64, 67)


@pytest.mark.parametrize(("weekday", "number"), [("monday", 0), ("wednesday", 2), ("friday", 4)])
def test_no_fraction_falls_on_a_weekend_and_no_weekday_is_left_out(weekday, number):
    days = np.array(weekday_fractions(10.5, 33, first_weekday=weekday))
    calendar = days - days[0] + number  # Mondays are multiples of seven
    expected = [day for day in range(number, int(calendar[-1]) + 1) if day % 7 < 5]
    np.testing.assert_array_equal(calendar, expected)
    assert days[0] == 10.5


@pytest.mark.parametrize("weekday", ["saturday", "sunday", "Monday", "mon"])
def test_course_begins_on_a_weekday(weekday):
    with pytest.raises(InputError, match=f"first_weekday: expected one of monday, .* got {weekday}"):
        weekday_fractions(0, 30, first_weekday=weekday)


@pytest.mark.parametrize("count", [0, -1, 1001, 30.5, float("nan")])
def test_count_that_no_course_has_is_refused(count):
    with pytest.raises(InputError, match="num_fractions"):
        weekday_fractions(0, count)
    with pytest.raises(InputError, match="days_on"):
        cycle_doses(0, days_on=count)


def test_cycles_repeat_their_first_days():
    assert cycle_doses(100, days_on=2, cycle_days=28, num_cycles=3) == (100, 101, 128, 129, 156, 157)
    assert cycle_doses(7, days_on=42) == tuple(range(7, 49))
    with pytest.raises(InputError, match="at most the 28 d"):
        cycle_doses(0, days_on=29, num_cycles=2)


def test_temozolomide_follows_the_protocol():
    during, after = concomitant_temozolomide(60, kill_rate=0.1), adjuvant_temozolomide(130, kill_rate=0.1)
    assert during.days == tuple(range(60, 102))
    assert set(during.doses) == {1.0}
    assert during.half_life == after.half_life == pytest.approx(0.075)
    assert len(after.days) == 6 * 5
    assert after.days[5] == 158
    np.testing.assert_allclose(after.doses, [150 / 75] * 5 + [200 / 75] * 25)


def test_dose_of_a_target_is_prescribed_inside_and_nothing_outside():
    course = Radiotherapy.to_target(mask(), 60, days=weekday_fractions(0, 30), alpha=0.06)
    np.testing.assert_array_equal(course.dose.data, dose_map().data)
    assert course.num_fractions == 30
    assert course.alpha_beta == 10


@pytest.mark.parametrize("days", [(), (3, 2), (2, 2), (-1, 2), (1, float("nan")), (1, float("inf"))])
def test_days_out_of_order_are_refused(days):
    with pytest.raises(InputError, match="each later than the one before"):
        Radiotherapy(dose_map(), days, alpha=0.06)
    with pytest.raises(InputError, match="each later than the one before"):
        Chemotherapy(days, kill_rate=0.1, half_life=0.1)


def test_two_fractions_on_one_day_are_two_times():
    assert Radiotherapy(dose_map(), (5, 5.25, 6, 6.25), alpha=0.06).num_fractions == 4


@pytest.mark.parametrize("value", [0.0, -0.1, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["alpha", "alpha_beta", "kill_rate", "half_life"])
def test_rate_that_is_not_positive_is_refused(name, value):
    noun = radiotherapy() if name.startswith("alpha") else chemotherapy()
    with pytest.raises(InputError, match=f"{name}: expected .* typical values"):
        dataclasses.replace(noun, **{name: value})


@pytest.mark.parametrize("value", [-0.1, 1.0, float("nan")])
def test_residual_fraction_is_a_share_below_one(value):
    with pytest.raises(InputError, match="residual_fraction"):
        Resection(30, mask(), value)


@pytest.mark.parametrize("day", [-1.0, float("nan"), float("inf")])
def test_day_of_a_resection_is_finite_and_not_before_growth(day):
    with pytest.raises(InputError, match="day of the resection"):
        Resection(day, mask())


def test_mask_is_a_bool_array_with_a_voxel():
    with pytest.raises(InputError, match="bool mask"):
        Resection(30, Volume(mask().data.astype(np.uint8), GRID))
    with pytest.raises(InputError, match="empty mask"):
        Resection(30, Volume(np.zeros(SHAPE, dtype=bool), GRID))
    with pytest.raises(InputError, match="empty mask"):
        Radiotherapy.to_target(Volume(np.zeros(SHAPE, dtype=bool), GRID), 60, days=(1,), alpha=0.06)


@pytest.mark.parametrize("value", [0.0, -1.0, 6000.0, float("nan")])
def test_dose_that_no_course_gives_is_refused(value):
    with pytest.raises(InputError, match="in gray"):
        Radiotherapy(dose_map(value), (1, 2), alpha=0.06)


@pytest.mark.parametrize("doses", [(1.0,), (1.0, 0.0), (1.0, -1.0), (1.0, float("nan")), (1.0, 1.0, 1.0)])
def test_doses_of_a_drug_are_positive_and_one_per_day(doses):
    with pytest.raises(InputError, match="2 positive shares"):
        Chemotherapy((1, 2), kill_rate=0.1, half_life=0.1, doses=doses)


def test_usual_course_of_a_patient_is_accepted():
    drugs = (concomitant_temozolomide(60, kill_rate=0.1), adjuvant_temozolomide(130, kill_rate=0.1))
    plan = Treatments((resection(), radiotherapy(), *drugs, resection(140)))
    assert len(plan) == 5
    assert [entry.kind for entry in plan][:2] == ["resection", "radiotherapy"]
    plan.require_grid(GRID)


def test_treatments_stand_in_order_of_time():
    with pytest.raises(InputError, match="order of time, got resection on day 30 after radiotherapy on days 60 to 99"):
        Treatments((radiotherapy(), resection()))


@pytest.mark.parametrize(
    "entries",
    [
        (resection(30), resection(30)),
        (radiotherapy(60), radiotherapy(99)),
        (chemotherapy(60), chemotherapy(101)),
        (radiotherapy(60), chemotherapy(60), radiotherapy(70)),
        (resection(60), radiotherapy(60)),
        (radiotherapy(60), resection(70)),
        (radiotherapy(60), resection(99)),
    ],
)
def test_overlap_is_refused(entries):
    with pytest.raises(InputError, match="expected a beginning after the end of the"):
        Treatments(entries)


@pytest.mark.parametrize(
    "entries",
    [
        (radiotherapy(60), radiotherapy(100)),
        (chemotherapy(60), chemotherapy(102)),
        (radiotherapy(60), resection(100)),
        (chemotherapy(60), resection(70)),
        (resection(60), chemotherapy(60), resection(61)),
    ],
)
def test_treatments_one_after_the_other_are_accepted(entries):
    assert len(Treatments(entries)) == len(entries)


def test_maps_on_two_grids_are_refused():
    with pytest.raises(InputError, match="radiotherapy on days 60 to 99: expected the grid of its companions"):
        Treatments((resection(), radiotherapy(grid=OTHER_GRID)))


def test_map_on_another_grid_than_the_anatomy_is_refused():
    plan = Treatments((chemotherapy(10), resection()))
    plan.require_grid(GRID)
    with pytest.raises(InputError, match=r"resection on day 30: .* resample"):
        plan.require_grid(OTHER_GRID)


def test_drugs_alone_fit_every_grid():
    plan = Treatments((chemotherapy(),))
    assert plan.grid is None
    plan.require_grid(GRID)
    plan.require_grid(OTHER_GRID)
