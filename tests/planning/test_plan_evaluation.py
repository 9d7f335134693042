import numpy as np
import pytest

from gliocast.planning.evaluation import PatientPlans, PlanEvaluation
from gliocast.planning.recurrence import MEASURES, Coverage

PLANS = ("guideline", "distance", "edema", "model")


def patient(recurrence_ml, shares):
    """A patient with the same recurrence under every measure; shares of each plan."""
    covered = dict(zip(PLANS, shares, strict=True))
    overlap = dict.fromkeys(PLANS, 1.0)
    return PatientPlans(10.0, 100.0, overlap, dict.fromkeys(MEASURES, Coverage(recurrence_ml, covered)))


@pytest.fixture
def evaluation():
    rows = {
        "better": patient(20.0, (0.5, 0.4, 0.5, 0.7)),
        "full": patient(5.0, (1.0, 1.0, 1.0, 1.0)),
        "none": patient(0.0, (None,) * 4),
        "worse": patient(8.0, (0.6, 0.6, 0.6, 0.5)),
        "mask": patient(None, (None,) * 4),
    }
    return PlanEvaluation(rows, {"alone": "one visit"}, "guideline", "files")


def test_patients_without_a_recurrence_count_in_no_mean_but_are_counted(evaluation):
    mean, (low, high) = evaluation.mean("guideline", "any")
    assert mean == pytest.approx((0.5 + 1 + 0.6) / 3)
    assert 0.5 <= low <= mean <= high <= 1.0
    counts = evaluation.summary()["measures"]["any"]
    assert (counts["with_recurrence"], counts["without_recurrence"], counts["not_told_apart"]) == (3, 1, 1)
    assert evaluation.mean_if_absent_is_covered("guideline", "any") == pytest.approx((0.5 + 1 + 1 + 0.6) / 4)


def test_the_summary_holds_every_pair_with_and_without_saturated_patients(evaluation):
    pairs = evaluation.summary()["measures"]["enhancing outside GTV"]["pairs"]
    assert len(pairs) == 6
    pair = next(pair for pair in pairs if (pair["first"], pair["second"]) == ("model", "guideline"))
    assert (pair["num_full"], pair["num_none"]) == (1, 0)
    assert pair["everyone"]["mean_difference"] == pytest.approx(0.1 / 3, abs=1e-5)
    assert pair["everyone"]["share_of_ties"] == pytest.approx(1 / 3, abs=1e-5)
    assert pair["unsaturated"]["mean_difference"] == pytest.approx(0.05)
    assert (pair["unsaturated"]["wins"], pair["unsaturated"]["losses"]) == (1, 1)


def test_the_table_shows_means_and_pairs(evaluation):
    lines = evaluation.table().splitlines()
    assert lines[2].startswith("| guideline | 70.0 (")
    assert "| patients with it | 3 of 5 |" in evaluation.table()
    (pair,) = [line for line in lines if line.startswith("| guideline | any | ")]
    assert pair.startswith("| guideline | any | +3.3 (")
    assert "| 1/1/1 |" in pair
    assert "| 1 / 0 | +5.0 (–) | 1/0/1 | – |" in pair  # two patients aren't saturated: nothing is said of how sure
    assert "taken for covered" not in evaluation.table()


@pytest.mark.parametrize("count", [1, 2])
def test_of_fewer_than_three_patients_there_is_a_mean_and_nothing_on_how_sure_it_is(count):
    few = PlanEvaluation(
        {f"p{n}": patient(5.0, (0.5, 0.4, 0.5, 0.653)) for n in range(count)}, {}, "guideline", "files"
    )
    assert few.mean("model", "any") == (pytest.approx(0.653), None)
    assert "| model | 65.3 (–) | " in few.table()
    assert f"| guideline | any | +15.3 (–) | {count}/0/0 | – | 0 / 0 | +15.3 (–) | {count}/0/0 | – |" in few.table()
    measured = few.summary()["measures"]["any"]
    assert measured["coverage"]["model"] == {"mean": 0.653, "interval": None}
    assert {(pair["everyone"]["interval"], pair["everyone"]["p_value"]) for pair in measured["pairs"]} == {(None, None)}


def test_the_published_convention_stands_beside_ours(evaluation):
    published = PlanEvaluation(evaluation.patients, {}, "published", "files", absent_is_covered=True)
    assert "| model, absent recurrence taken for covered | 80.0 |" in published.table()
    assert published.summary()["measures"]["any"]["coverage"]["model"]["mean_if_absent_is_covered"] == 0.8


def test_a_measure_that_nobody_has_leaves_its_cells_empty():
    nobody = PlanEvaluation({"none": patient(0.0, (None,) * 4)}, {}, "guideline", "files")
    assert nobody.mean("model", "any") is None
    assert np.isnan(nobody.values("model", "any")).all()
    assert "| model | – | – | – | – | – | – |" in nobody.table()
    assert "| guideline | any | – | 0/0/0 | – | 0 / 0 | – | 0/0/0 | – |" in nobody.table()
