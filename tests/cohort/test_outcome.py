"""Survival under a stated hazard."""

import numpy as np
import pytest

from gliocast.cohort.outcome import COEFFICIENTS, MEDIAN_DAYS, SHAPE, covariates, draw_outcome

AVERAGE = dict.fromkeys(COEFFICIENTS, 0.0)


def times(values, count=4000):
    generator = np.random.default_rng(0)
    return np.array([draw_outcome(values, generator).survival_days for _ in range(count)])


def test_the_median_is_the_stated_one_where_every_covariate_is_zero():
    assert np.median(times(AVERAGE)) == pytest.approx(MEDIAN_DAYS, rel=0.06)


def test_hazards_are_proportional():
    """-log S(t) of ten years more is exp(beta) times that of none, at every quantile."""
    older = times(AVERAGE | {"age": 1.0})
    ratio = np.quantile(times(AVERAGE), [0.25, 0.5, 0.75]) / np.quantile(older, [0.25, 0.5, 0.75])
    np.testing.assert_allclose(ratio**SHAPE, np.exp(COEFFICIENTS["age"]), rtol=0.12)


def test_observation_ends_for_some_before_death():
    generator = np.random.default_rng(1)
    outcomes = [draw_outcome(AVERAGE, generator) for _ in range(500)]
    assert all(outcome.observed_days <= outcome.survival_days for outcome in outcomes)
    assert 0.05 < np.mean([outcome.censored for outcome in outcomes]) < 0.5


def test_covariates_are_those_that_the_hazard_knows():
    known = covariates(age_years=70, speed_mm_d=0.2, whole_ml=75, depth=0.5, high_grade=True, extent="subtotal")
    assert known.keys() == COEFFICIENTS.keys()
    assert known["age"] == 1
    assert known["speed"] == pytest.approx(np.log(2))
    assert known["volume"] == 0
    assert (known["subtotal_resection"], known["gross_total_resection"], known["low_grade"]) == (1, 0, 0)
