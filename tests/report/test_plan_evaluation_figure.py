"""The picture of rival plans shows the numbers that it is given."""

import numpy as np
import pytest

from gliocast.planning.evaluation import PatientPlans, PlanEvaluation
from gliocast.planning.recurrence import MEASURES, Coverage
from gliocast.report.plan_evaluation import coverage_plot
from gliocast.report.style import figure_style, to_png

PLANS = ("guideline", "distance", "edema", "model")


def evaluation_of(*rows):
    patients = {}
    for number, shares in enumerate(rows):
        volume = 0.0 if shares[0] is None else 12.0
        coverage = Coverage(volume, dict(zip(PLANS, shares, strict=True)))
        overlap = dict.fromkeys(PLANS, 1.0)
        patients[f"p{number}"] = PatientPlans(10.0, 100.0, overlap, dict.fromkeys(MEASURES, coverage))
    return PlanEvaluation(patients, {}, "guideline", "files")


@pytest.fixture
def figure():
    with figure_style():
        return coverage_plot(
            evaluation_of((0.5, 0.4, 0.6, 0.8), (1.0, 1.0, 1.0, 1.0), (None,) * 4), title="3 SYNTHETIC patients"
        )


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_each_patient_with_a_recurrence_is_a_line_through_the_plans(figure):
    axes = figure.axes[0]
    lines = [line.get_ydata().tolist() for line in axes.lines if len(line.get_xdata()) == len(PLANS)]
    np.testing.assert_allclose(lines, [[50, 40, 60, 80], [100, 100, 100, 100]])
    assert axes.get_title(loc="left") == "any recurrence, everywhere (n = 2)"
    assert [label.get_text() for label in axes.get_xticklabels()] == list(PLANS)
    means = [line.get_ydata()[0] for line in axes.lines if line.get_marker() == "_"]
    np.testing.assert_allclose(means, [75, 70, 80, 90])


def test_differences_from_each_rival_stand_at_their_means_with_their_counts(figure):
    axes = figure.axes[2]
    means = [line.get_xdata()[0] for line in axes.lines if line.get_marker() in "oD"]
    np.testing.assert_allclose(means, [15, 15, 20, 20, 10, 10])
    assert texts(axes).count("1/1/0") == 6
    assert figure.axes[2].get_xlim() == figure.axes[5].get_xlim()


def test_a_cohort_without_any_recurrence_is_drawn_empty():
    with figure_style():
        figure = coverage_plot(evaluation_of((None,) * 4), title="one patient")
        assert to_png(figure, dpi=40).startswith(b"\x89PNG")
    assert figure.axes[0].get_title(loc="left").endswith("(n = 0)")
    assert not [line for line in figure.axes[2].lines if line.get_marker() in "oD"]
