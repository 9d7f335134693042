"""The forecast on the page: figure, table, assumptions, and when it isn't to be relied on."""

from dataclasses import replace

import numpy as np
import pytest

from gliocast.planning.forecast import COURSES
from gliocast.planning.isoeffect import IsoEffect
from gliocast.report.html import render_report
from gliocast.report.methods_text import methods_text
from gliocast.report.outlook_figure import outlook_figure
from gliocast.report.outlook_maps import OutlookMaps
from gliocast.report.outlook_words import assumptions, course_table, figure_words, voxel_text
from gliocast.report.slices import AXIAL
from gliocast.report.style import figure_style


@pytest.fixture
def content(case, make_content, outlook):
    effects = (IsoEffect(COURSES[0], 0.065, 0.5, 0.25, 58.0, 55.5), IsoEffect(COURSES[0], 0.03, 2.0, 2.5, 58.0, np.nan))
    return make_content(case, outlook=outlook, effects=effects)


@pytest.fixture
def without_figures(monkeypatch):
    monkeypatch.setattr("gliocast.report.html.make_figures", lambda _: {})


def test_every_course_has_a_column_with_a_line_for_each_sensitivity(case, content, outlook):
    with figure_style():
        figure = outlook_figure(case.visit, case.anatomy, outlook, gtv=content.plan["gtv"])
    columns = len(outlook.names)
    burdens, volumes, maps = (figure.axes[row * columns : (row + 1) * columns] for row in range(3))
    untreated = 1
    for name, burden, volume in zip(outlook.names, burdens, volumes, strict=True):
        several = outlook.of(name)
        lines = len(several) + (untreated if name != "no treatment" else 0)
        assert len(burden.lines) == len(volume.lines) == lines
        np.testing.assert_array_equal(burden.lines[-1].get_ydata(), several[-1].burden_ml)
        assert burden.get_title().replace("\n", " ") == name
    assert len({axes.get_ylim() for axes in burdens}) == len({axes.get_ylim() for axes in volumes}) == 1
    assert all(axes.get_xlim()[0] > axes.get_xlim()[1] for axes in maps)  # the patient's right on the left


def test_marks_of_what_is_done_after_the_last_day_are_left_out(case, content, outlook):
    with figure_style():
        figure = outlook_figure(case.visit, case.anatomy, outlook, gtv=content.plan["gtv"])
    axes = figure.axes[outlook.names.index("temozolomide")]
    days = [path.vertices[0, 0] for marks in axes.collections[1:] for path in marks.get_paths()]
    assert days == [14.0]


def test_maps_lie_where_the_scan_does_although_voxels_are_wider(case, outlook):
    """The coarse density, laid on the plane of the scan, is the scan's own but for what voxels smooth."""
    maps = OutlookMaps.of(case.visit, case.anatomy, outlook.densities["no treatment"], visible=0.2)
    place = maps.index[AXIAL.normal]
    own = maps.frame.cut(case.density.data, AXIAL, place)
    from gliocast.report.outlook_maps import _on

    shown = maps.frame.cut(_on(outlook.densities["no treatment"], maps.tissue), AXIAL, 0)
    assert shown.shape == own.shape
    inside = maps.frame.cut(case.anatomy.white_matter > 0.5, AXIAL, place)
    assert not shown[~inside].any()
    assert np.corrcoef(own[inside], shown[inside])[0, 1] > 0.95
    height = maps.window.size[AXIAL.vertical] / maps.window.size[AXIAL.horizontal]
    assert height == pytest.approx(1.15)


def test_table_has_what_plans_leave_beside_what_comes(content, outlook):
    table = dict(course_table(content))
    assert list(table) == list(outlook.names)
    low, middle, high = table["60 Gy in 30"]
    assert (low.sensitivity, low.standard, low.model, low.equal, low.isoeffective) == (
        "α 0.03 /Gy",
        "2.00",
        "2.50",
        "58.0",
        "above 200",
    )
    assert middle.isoeffective == "55.5"
    assert (high.standard, high.isoeffective) == ("–", "–")
    (untreated,) = table["no treatment"]
    assert (untreated.sensitivity, untreated.burden) == ("–", f"{20 * 1.01**180:.0f}")
    (everything,) = table["surgery, 60 Gy, temozolomide"]
    assert everything.sensitivity == "α 0.065 /Gy, κ 0.1 /d"
    assert everything.standard == "–"


def test_assumptions_are_told_with_their_numbers(content):
    said = dict(assumptions(content))
    assert "front of 0.1 mm/d" in said["Clock"]
    assert "298 d" in said["Clock"]
    assert "GTV on day 7" in said["Treatment"]
    assert "day 14, or 35 where there was surgery" in said["Treatment"]
    assert voxel_text(content.outlook) == "10 mm"
    assert "mass effect" not in said["Growth"]
    pushed = dict(assumptions(replace(content, provenance={"model": "mass effect, tumor pressure 10 kPa"})))
    assert "the forecast has no mass effect" in pushed["Growth"]


def test_figure_has_words(content):
    alternative, caption = figure_words(content.outlook)
    assert "no treatment 120 ml" in alternative
    assert "0.2" in caption


@pytest.mark.usefixtures("without_figures")
def test_a_model_that_fails_is_not_to_be_relied_on(content):
    warning = "Don't rely on this"
    assert warning not in render_report(content)
    assert warning in render_report(replace(content, outline_dice={"whole": 0.3}))


@pytest.mark.usefixtures("without_figures")
def test_page_without_a_forecast_says_where_to_get_one(content):
    page = render_report(replace(content, outlook=None))
    assert "asks for it" in page
    assert "58.0" not in page
    assert "Most of what" in render_report(content)


def test_methods_cite_courses_only_where_they_were_grown(content):
    text, references = methods_text(content)
    assert "assumed speed of the front of 0.1 mm/d" in " ".join(text)
    assert any(source.startswith("Stupp") for source in references)
    _, fewer = methods_text(replace(content, outlook=None, effects=()))
    assert not any(source.startswith(("Stupp", "Rockne")) for source in fewer)
