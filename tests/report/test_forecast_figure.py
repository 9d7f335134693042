"""What the picture of a forecast prints can be read: labels keep apart, and the legend lies on no curve."""

from itertools import combinations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from gliocast.planning.forecast import COURSES
from gliocast.planning.isoeffect import IsoEffect
from gliocast.report.forecast_figure import forecast_figure, spread
from gliocast.report.style import figure_style


@pytest.fixture(scope="module")
def drawn(outlook):
    """Figure and renderer; curves of one scenario end within a factor of 1.1, and others far from each other."""
    effects = [
        IsoEffect(course, alpha, left, 60.0, 1.1 * left, 61.0)
        for course, first in zip(COURSES, (2.0, 3.5), strict=True)
        for alpha, left in ((0.03, first), (0.065, 0.1 * first), (0.14, 5e-4 * first))
    ]
    with figure_style():
        figure = forecast_figure(outlook, effects)
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
    return figure, canvas.get_renderer()


def test_labels_of_curves_do_not_lie_on_each_other(drawn, outlook):
    figure, renderer = drawn
    labels = [text for axes in figure.axes for text in axes.texts]
    assert len(labels) == sum(len(outlook.of(name)) for name in outlook.names if len(outlook.of(name)) > 1)
    boxes = [text.get_window_extent(renderer) for text in labels]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))


def test_every_panel_of_a_scenario_has_its_days(drawn):
    *panels, _ = [axes for axes in drawn[0].axes if axes.get_visible()]
    assert all(sum(label.get_visible() for label in axes.get_xticklabels()) > 2 for axes in panels)


def test_legend_lies_on_no_curve_and_tells_targets_apart(drawn):
    figure, renderer = drawn
    axes = figure.axes[-1]
    legend = axes.get_legend()
    box = legend.get_window_extent(renderer)
    for line in axes.get_lines():
        x, y = axes.transData.transform(line.get_xydata()).T
        fine = np.linspace(x[0], x[-1], 500)
        assert not any(box.contains(*point) for point in zip(fine, np.interp(fine, x, y), strict=True))
    looks = {(line.get_linestyle(), line.get_markerfacecolor(), line.get_color()) for line in legend.get_lines()}
    assert len(looks) == 4
    assert {line.get_markerfacecolor() for line in legend.get_lines() if line.get_linestyle() == "--"} == {"white"}


def test_spread_keeps_order_and_distance_and_moves_only_crowds():
    np.testing.assert_allclose(spread(np.array([0.0, 20.0, 40.0]), 5.0), [0, 20, 40])
    np.testing.assert_allclose(spread(np.array([11.0, 10.0, 40.0]), 5.0), [13, 8, 40])
    moved = spread(np.array([0.0, 1.0, 2.0, 6.0]), 5.0)
    np.testing.assert_allclose(np.diff(moved), 5)
    assert moved.mean() == pytest.approx(2.25)
