"""Closed forms against the equations they solve."""

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from gliocast.core import InputError
from gliocast.growth.ode import (
    Exponential,
    Gompertz,
    GompertzRelation,
    Logistic,
    RadiotherapyCompartments,
    ReducedGompertz,
    volume,
)

FIRST_DAY = -21.0
DAYS = np.array([-21.0, -3.0, 0.0, 14.0, 41.0, 82.0, 161.0, 300.0])

#: A law with values that make it bend within `DAYS`; the last two decline toward a carrying capacity below V_0.
LAWS = {
    "exponential": (Exponential(), (5e3, 0.01)),
    "shrinking": (Exponential(), (5e3, -0.02)),
    "logistic": (Logistic(), (5e3, 0.03, 6e4)),
    "Gompertz": (Gompertz(), (5e3, 0.01, 6e4)),
    "reduced Gompertz": (ReducedGompertz(), (5e3, 0.002)),
    "reduced Gompertz with intercept": (ReducedGompertz(GompertzRelation(25.0, 0.002)), (5e3, 0.004)),
    "logistic decline": (Logistic(), (5e4, 0.03, 6e3)),
    "Gompertz decline": (Gompertz(), (5e4, 0.01, 6e3)),
}
COMPARTMENTS = (2e4, 0.01, 0.05, 20.0, 0.1, 0.1)


@pytest.mark.parametrize("case", LAWS)
def test_closed_form_solves_the_equation_from_a_negative_day(case):
    law, values = LAWS[case]
    law, values = law.from_day(FIRST_DAY), np.array(values)
    solved = solve_ivp(
        lambda day, y: law.log_derivative(day, y, values),
        (DAYS[0], DAYS[-1]),
        [np.log(values[0])],
        t_eval=DAYS,
        rtol=1e-10,
        atol=1e-10,
    )
    # the solver's own error over 300 d at these tolerances
    np.testing.assert_allclose(law.log_volume(DAYS, values), solved.y[0], atol=1e-7)


@pytest.mark.parametrize("treatment_day", [0.0, 30.0])
def test_compartments_solve_their_equations_before_and_after_treatment(treatment_day):
    law, values = RadiotherapyCompartments(treatment_day).from_day(FIRST_DAY), np.array(COMPARTMENTS)
    before, after = DAYS[treatment_day > DAYS], DAYS[treatment_day <= DAYS]

    def solve(start, days, origin):
        return solve_ivp(
            lambda day, y: law.log_derivative(day, y, values)[: len(y)],
            (origin, days[-1]),
            start,
            t_eval=days,
            rtol=1e-10,
            atol=1e-10,
        ).y

    grown = solve([np.log(values[0])], np.append(before, treatment_day), FIRST_DAY)[0]
    split = grown[-1] + np.log([values[5], 1 - values[5]])
    both = solve(split, after, treatment_day)
    np.testing.assert_allclose(law.log_compartments(after, values), both, atol=1e-7)
    expected = np.concatenate([grown[:-1], np.logaddexp(*both)])
    np.testing.assert_allclose(law.log_volume(DAYS, values), expected, atol=1e-7)


@pytest.mark.parametrize("origin", [-21.0, 0.0, 50.0])
def test_initial_volume_is_that_on_the_day_of_origin(origin):
    for law, values in [*LAWS.values(), (RadiotherapyCompartments(), COMPARTMENTS)]:
        found = volume(law.from_day(origin), np.array([origin]), np.array(values))
        np.testing.assert_allclose(found, values[0], rtol=1e-12)


def test_dying_compartment_swells_until_the_delay_and_is_as_large_again_at_twice_the_delay():
    values = np.array(COMPARTMENTS)
    delay = values[3]
    _, dying = RadiotherapyCompartments().log_compartments(np.array([0, delay - 1, delay, 2 * delay]), values)
    assert dying[1] < dying[2]
    assert dying[2] > dying[0]
    np.testing.assert_allclose(dying[3], dying[0], atol=1e-12)  # log cosh is even about the delay


def test_extreme_compartments_neither_overflow_nor_turn_nan():
    values = np.array([2e4, 2.0, 100.0, 300.0, 600.0, 1e-3])
    assert np.isfinite(RadiotherapyCompartments().log_volume(DAYS, values)).all()
    assert np.isfinite(volume(RadiotherapyCompartments(), DAYS, values)).all()


def test_logistic_and_gompertz_end_at_their_carrying_capacity():
    for law in (Logistic(), Gompertz()):
        for initial in (5e3, 5e5):
            np.testing.assert_allclose(volume(law, np.array([5000.0]), np.array([initial, 0.02, 6e4])), 6e4, rtol=1e-9)


def test_reduced_gompertz_is_gompertz_with_the_carrying_capacity_of_the_population():
    relation = GompertzRelation(slope=24.0, intercept=0.003)
    capacity = np.exp(relation.log_capacity(0.01))
    reduced = ReducedGompertz(relation).log_volume(DAYS, np.array([5e3, 0.01]))
    np.testing.assert_allclose(reduced, Gompertz().log_volume(DAYS, np.array([5e3, 0.01, capacity])), rtol=1e-12)


def test_relation_of_a_cohort_on_a_line_is_that_line():
    relation = GompertzRelation(slope=26.0, intercept=-0.01)
    rates = np.array([0.004, 0.01, 0.03, 0.05])
    cohort = np.stack([np.full(4, 5e3), rates, np.exp(relation.log_capacity(rates))], axis=1)
    found = GompertzRelation.of(cohort)
    np.testing.assert_allclose((found.slope, found.intercept), (26.0, -0.01), rtol=1e-9)


def test_relation_through_the_origin_gives_everyone_the_same_carrying_capacity():
    cohort = [[5e3, rate, 6e4] for rate in (0.004, 0.01, 0.03)]
    found = GompertzRelation.through_origin(cohort)
    np.testing.assert_allclose(np.exp(found.log_capacity(np.array([0.001, 0.1]))), 6e4)


def test_relation_isnt_moved_by_a_few_fast_lesions():
    relation, rates = GompertzRelation(slope=26.0, intercept=0.0), np.array([0.001, 0.002, 0.004, 0.005, 0.007, 0.5])
    cohort = np.stack([np.full(6, 5e3), rates, np.exp(relation.log_capacity(rates))], axis=1)
    cohort[-1, 2] /= 10  # the fast one ends at a tenth
    found = GompertzRelation.of(cohort)
    np.testing.assert_allclose(found.log_capacity(rates[:-1]), relation.log_capacity(rates[:-1]), atol=0.1)


@pytest.mark.parametrize("cohort", [[[5e3, 0.01, 1e5]] * 2, [[5e3, 0.01, 1e5]] * 5])
def test_relation_needs_lesions_that_differ(cohort):
    with pytest.raises(InputError, match="fit more lesions"):
        GompertzRelation.of(cohort)


@pytest.mark.parametrize("law", [law for law, _ in LAWS.values()] + [RadiotherapyCompartments()])
def test_starts_lie_within_the_supports_for_growth_decline_and_a_plateau(law):
    lower = [parameter.support.lower for parameter in law.parameters]
    upper = [parameter.support.upper for parameter in law.parameters]
    days = np.array([-21.0, 20.0, 60.0, 100.0])
    for slope in (0.05, -0.05, 0.0):
        starts = law.from_day(-21.0).starts(days, 9 + slope * days)
        assert starts.shape[1:] == (len(law.parameters),)
        assert np.all((starts >= lower) & (starts <= upper))


def test_compartments_need_a_day_of_treatment_that_is_a_number():
    with pytest.raises(InputError, match="radiotherapy day"):
        RadiotherapyCompartments(float("nan"))
