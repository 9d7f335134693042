from dataclasses import replace

import numpy as np
import pytest

from gliocast.planning import make_plan
from gliocast.report.plan_picture import plan_picture, save_plan_picture


@pytest.fixture(scope="module")
def plan(case):
    return make_plan(case.visit.labels, case.anatomy, case.density, margin_mm=15.0)


def words(figure):
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def test_volumes_stand_in_the_legend_and_the_density_has_a_bar(case, plan):
    figure = plan_picture(plan, case.density, case.anatomy)
    entries = words(figure)
    assert f"GTV, {plan.volume('gtv') / 1000:.1f} ml" in entries
    assert f"model's CTV, {plan.volume('ctv_model') / 1000:.1f} ml" in entries
    assert not any(entry.startswith("boost") for entry in entries)
    assert any("fraction of carrying capacity" in axes.get_xlabel() for axes in figure.axes)
    assert any(text.get_text() == "For research only." for text in figure.texts)


def test_a_boost_is_outlined_and_named(case, plan):
    with_boost = replace(plan, volumes={**plan.volumes, "ctv_boost": plan["gtv"]})
    pictures = [plan_picture(which, case.density, case.anatomy) for which in (plan, with_boost)]
    assert words(pictures[1])[-1].startswith("boost, ")
    few, more = (sum(len(axes.collections) for axes in picture.axes) for picture in pictures)
    assert more > few


def test_the_picture_repeats_to_the_byte(case, plan, tmp_path):
    for name in ("first.png", "second.png"):
        save_plan_picture(tmp_path / name, plan, case.density, case.anatomy)
    content = (tmp_path / "first.png").read_bytes()
    assert content == (tmp_path / "second.png").read_bytes()
    assert content.startswith(b"\x89PNG")
    assert np.frombuffer(content, dtype=np.uint8).std() > 10
