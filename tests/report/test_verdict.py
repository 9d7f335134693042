from dataclasses import replace

import numpy as np
import pytest

from gliocast.core import UNIT_INTERVAL, Parameter
from gliocast.observation import Misfit
from gliocast.report.verdict import FAIL_DICE, FAIL_GTV_SHARE, REVIEW_BRAIN_DICE, REVIEW_DICE, judge

GOOD = {"core": 0.86, "whole": 0.88}


@pytest.fixture
def content(case, make_content):
    """One to which no rule objects."""
    found = make_content(case, outline_dice=GOOD)
    return replace(found, comparison=replace(found.comparison, gtv_in_model=1.0))


def misfit(foci):
    return Misfit(0.86, 0.88, 1.0, 1.0, 2.0, 1 + foci, foci, 0.4 * foci)


def test_pass_where_no_rule_objects(content):
    verdict = judge(replace(content, misfit=misfit(0), provenance={"anatomy": {"correlation": 0.7, "dice": 0.98}}))
    assert (verdict.level, verdict.reasons) == ("pass", ())
    assert "nobody can check" in verdict.summary


@pytest.mark.parametrize(
    ("dice", "level", "words"),
    [
        ({"core": 0.86, "whole": FAIL_DICE - 0.01}, "fail", "whole tumor (FLAIR) misses"),
        ({"core": 0.86, "whole": FAIL_DICE}, "review", "whole tumor (FLAIR) differs"),
        ({"core": REVIEW_DICE - 0.01, "whole": 0.9}, "review", "tumor core (T1c) differs"),
        ({"core": 0.2, "whole": 0.9}, "review", "tumor core (T1c) differs"),
        ({"whole": REVIEW_DICE}, "pass", ""),
    ],
)
def test_outlines_that_differ(content, dice, level, words):
    verdict = judge(replace(content, outline_dice=dice))
    assert verdict.level == level
    assert words in " ".join(reason.text for reason in verdict.reasons)


@pytest.mark.parametrize(
    ("share", "level"), [(FAIL_GTV_SHARE - 0.01, "fail"), (FAIL_GTV_SHARE, "review"), (0.9996, "pass"), (1.0, "pass")]
)
def test_gross_tumor_left_out_of_the_models_target(content, share, level):
    verdict = judge(replace(content, comparison=replace(content.comparison, gtv_in_model=share)))
    assert verdict.level == level


def test_foci_the_model_leaves_dark(content):
    one, two = (judge(replace(content, misfit=misfit(count))).reasons[0] for count in (1, 2))
    assert (one.level, two.level) == ("review", "review")
    assert one.text == "One focus of the segmented tumor (0.400 ml) isn't explained by growth from one place."
    assert two.text == "2 foci of the segmented tumor (0.800 ml) aren't explained by growth from one place."


def test_what_the_fitted_model_does_not_draw(content, check):
    verdict = judge(replace(content, check=check))
    assert verdict.level == "review"
    (reason,) = verdict.reasons  # of the two statistics one is as the model draws it
    assert "Dice with the typical outline" in reason.text
    assert "p = 0.024" in reason.text


def test_posterior_at_a_bound(content):
    samples = np.array(content.posterior.samples)
    samples[:, -1] = 1 - 0.001 * np.random.default_rng(0).random(len(samples))
    mode = np.append(content.posterior.mode[:-1], 0.999)
    parameter = Parameter("t1c_threshold", "c_T1c", "1", UNIT_INTERVAL, (0.5, 0.85), "test")
    parameters = (*content.posterior.parameters[:-1], parameter)
    verdict = judge(
        replace(content, posterior=replace(content.posterior, parameters=parameters, samples=samples, mode=mode))
    )
    assert [reason.level for reason in verdict.reasons] == ["review"]
    assert "T1c threshold lies at the bound of its range, 1" in verdict.reasons[0].text


def test_an_atlas_that_lies_loosely(content):
    anatomy = {"atlas": "x", "correlation": 0.7, "dice": REVIEW_BRAIN_DICE - 0.001}
    verdict = judge(replace(content, provenance={"anatomy": anatomy}))
    assert verdict.level == "review"
    assert "Dice of the brain masks" in verdict.reasons[0].text


def test_warnings_are_counted_and_the_worst_comes_first(content):
    verdict = judge(replace(content, warnings=("one", "two"), outline_dice={"core": 0.7, "whole": 0.3}))
    assert [reason.level for reason in verdict.reasons] == ["fail", "review", "review"]
    assert "2 warnings" in verdict.reasons[-1].text
    assert verdict.level == "fail"
