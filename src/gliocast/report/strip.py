"""Growth as a still picture for print: a few days side by side."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gliocast.report.film import Film, Shot
from gliocast.report.growth import (
    color_bar,
    draw_outlines,
    even_days,
    level_handles,
    say_research_only,
    tint,
)
from gliocast.report.montage import BRAIN_BORDER_MM
from gliocast.report.panels import GAP_IN, ON_IMAGE, make_panel, position_of
from gliocast.report.slices import AXIAL, CORONAL, Plane
from gliocast.report.style import PAGE_WIDTH_IN, figure_style, to_png

#: Days side by side [1].
NUM_DAYS = 5

#: Space above for the days and below for the color bar [in].
_HEAD_IN, _FOOT_IN = 0.3, 0.84

#: Letters on the small panels [pt], and resolution [1/in].
_LETTERS_PT, _DPI = 7.0, 220


def growth_strip(film: Film) -> bytes:
    """Axial and coronal slices on a few days, evenly spaced up to the last, as PNG bytes."""
    shots = [film.shots[k] for k in even_days([shot.day for shot in film.shots], NUM_DAYS)]
    with figure_style():
        return to_png(_draw(film, shots), dpi=_DPI)


def _draw(film: Film, shots: list[Shot]) -> Figure:
    window = film.frame.box_around(film.brain, border_mm=BRAIN_BORDER_MM)
    width_in = (PAGE_WIDTH_IN - (len(shots) - 1) * GAP_IN) / len(shots)
    inch_per_mm = width_in / window.size[AXIAL.horizontal]
    heights = [window.size[plane.vertical] * inch_per_mm for plane in (AXIAL, CORONAL)]
    total_in = _HEAD_IN + sum(heights) + GAP_IN + _FOOT_IN
    figure = Figure(figsize=(PAGE_WIDTH_IN, total_in))
    top = total_in - _HEAD_IN
    for plane, height in zip((AXIAL, CORONAL), heights, strict=True):
        bottom = (top - height) / total_in
        for column, shot in enumerate(shots):
            left = column * (width_in + GAP_IN) / PAGE_WIDTH_IN
            rectangle = (left, bottom, width_in / PAGE_WIDTH_IN, height / total_in)
            bar = plane is AXIAL and column == 0
            axes = make_panel(
                figure, rectangle, plane, window, window.size[plane.vertical], scale_bar=bar, letters_pt=_LETTERS_PT
            )
            _draw_day(axes, film, shot, plane)
            if plane is AXIAL:
                axes.set_title(f"day {shot.day:.0f}", fontsize=10, pad=4)
            if column == 0:
                text = f"{plane.name}, {position_of(film.frame, plane, film.index)}"
                axes.text(
                    0.02, 0.98, text, transform=axes.transAxes, va="top", **(ON_IMAGE | {"fontsize": _LETTERS_PT})
                )
        top -= height + GAP_IN
    _draw_foot(figure, total_in, film)
    return figure


def _draw_day(axes: Axes, film: Film, shot: Shot, plane: Plane) -> None:
    """One slice on one day."""
    extent, density = film.frame.extent(plane), film.density(shot, plane)
    shown: dict[str, Any] = {"origin": "lower", "extent": extent, "aspect": "auto"}
    axes.imshow(film.anatomy(shot, plane), cmap="gray", vmin=0, vmax=film.white, **shown)
    axes.imshow(tint(density), interpolation="bilinear", **shown)
    draw_outlines(axes, film, shot, plane, linewidth=0.9)


def _draw_foot(figure: Figure, total_in: float, film: Film) -> None:
    color_bar(figure.add_axes((0.32, 0.52 / total_in, 0.28, 0.16 / total_in)))
    figure.text(0.004, 0.6 / total_in, f"{film.title} (simulation)", va="center", fontsize=9)
    handles, place = level_handles(necrosis=film.has_necrosis), (0.996, 0.6 / total_in)
    style = {"fontsize": 8, "handlelength": 2.2, "columnspacing": 1.2}
    figure.legend(handles=handles, loc="center right", bbox_to_anchor=place, ncols=len(handles), **style)
    say_research_only(figure, total_in)
