"""The picture of fitted volumes says what was measured and which law is the best."""

import numpy as np
import pytest

from gliocast.core import VolumeCourse
from gliocast.growth.ode import Exponential, FitOptions, Gompertz, RadiotherapyCompartments, fit_laws
from gliocast.report.style import figure_style, to_png
from gliocast.report.volume_fit import LINES, volume_figure

DAYS = np.array([-20.0, 10.0, 40.0, 80.0, 120.0, 160.0, 200.0])
GROWING = np.array([5e3, 8e3, 1.2e4, 1.7e4, 2.1e4, 2.4e4, 2.7e4])
VANISHING = np.array([8e3, 3e3, 9e2, 300.0, 0.0, 0.0, 0.0])


LAWS = (Exponential(), Gompertz())


def draw(volumes, num_held_out=0, **options):
    course = VolumeCourse(7, DAYS, volumes)
    seen = len(DAYS) - num_held_out
    comparison = fit_laws(
        LAWS, DAYS[:seen], volumes[:seen], generator=np.random.default_rng(0), options=FitOptions(num_bootstrap=20)
    )
    with figure_style():
        figure = volume_figure(course, comparison, num_held_out=num_held_out, detection_mm3=65.0, **options)
        to_png(figure)  # lays out the text
    return figure, comparison


def texts(figure):
    legends = [text.get_text() for legend in figure.legends for text in legend.get_texts()]
    return legends + [text.get_text() for text in [*figure.texts, *figure.axes[0].texts]]


def test_the_best_law_leads_the_legend_and_has_the_broadest_line():
    figure, comparison = draw(GROWING)
    lines = {line.get_color(): line.get_linewidth() for line in figure.legends[0].get_lines()}
    best = comparison.best.law.name
    assert max(lines, key=lines.get) == LINES[best][0]
    assert figure.legends[0].get_texts()[0].get_text().startswith(best)


@pytest.mark.parametrize(("volumes", "scale"), [(GROWING, "linear"), (VANISHING, "log"), (GROWING**3 / 1e8, "log")])
def test_the_axis_is_logarithmic_where_volumes_span_much_or_vanish(volumes, scale):
    figure, _ = draw(volumes)
    assert figure.axes[0].get_yscale() == scale


@pytest.mark.parametrize("volumes", [GROWING, VANISHING])
def test_every_visit_lies_inside_the_picture(volumes):
    figure, _ = draw(volumes, num_held_out=1)
    (bottom, top), (left, right) = figure.axes[0].get_ylim(), figure.axes[0].get_xlim()
    shown = np.where(volumes > 0, volumes, 65.0) / 1000
    assert np.all((bottom < shown) & (shown < top))
    assert left < DAYS[0]
    assert right > DAYS[-1]


def test_what_isnt_there_isnt_in_the_legend():
    without = texts(draw(GROWING)[0])
    assert not any("held out" in text or "not visible" in text or "radiotherapy" in text for text in without)
    held = texts(draw(VANISHING, num_held_out=1, treatment_day=0.0)[0])
    assert {
        "held out of the fit",
        "not visible: below this volume",
        "radiotherapy",
        "For research only. Bands assume that the law holds.",
    } <= set(held)


def test_all_text_lies_inside_the_page():
    laws = (Exponential(), Gompertz(), RadiotherapyCompartments())
    days = np.linspace(-20, 300, 12)
    volumes = 5e3 * np.exp(0.01 * days)
    comparison = fit_laws(laws, days, volumes, generator=np.random.default_rng(0), options=FitOptions(num_bootstrap=10))
    with figure_style():
        figure = volume_figure(
            VolumeCourse(1234, days, volumes), comparison, num_held_out=0, treatment_day=0.0, detection_mm3=65.0
        )
        to_png(figure)
        for legend in figure.legends:
            box = legend.get_window_extent()
            assert box.x1 <= figure.bbox.x1
            assert box.y1 <= figure.bbox.y1
