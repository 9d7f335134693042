"""What moving and still pictures of growth share: colors, color bar, the curve of burden with treatments."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from gliocast.core import RESEARCH_NOTICE, Chemotherapy, Radiotherapy, Resection, Treatments
from gliocast.report.film import Film, Shot
from gliocast.report.panels import draw_contour
from gliocast.report.slices import Plane
from gliocast.report.style import BLUE, FAINT, GREEN, INK, SKY, VERMILLION

#: Of the burden up to the day that is shown.
CURVE_COLOR = BLUE

#: Isolines drawn on top of the colors [1]: about where FLAIR begins to show a tumor, and where T1c does.
LEVELS, LEVEL_COLORS = (0.1, 0.5), ("white", "white")
LEVEL_DASHES: tuple[Literal["--", "-"], ...] = ("--", "-")

#: The outline of necrosis: where this share of the cells is dead [1].
NECROSIS_SHARE, NECROSIS_COLOR = 0.5, "#101010"

#: Density at which a color is as opaque as it gets [1], and how opaque.
_OPAQUE_AT, _OPACITY = 0.25, 0.8

#: Gray of the anatomy that the color bar lies on [1].
_BAR_GRAY = 0.4

#: The dark end of the map is left out: on gray anatomy it would read as shadow.
_COLORS = colormaps["plasma"](np.linspace(0.12, 1.0, 256))[:, :3]

#: How treatments are drawn: color and marker; and the height of the lane above the curve for each kind [in].
_MARKS = {Resection.kind: (INK, "v"), Radiotherapy.kind: (VERMILLION, "|"), Chemotherapy.kind: (GREEN, "|")}
LANE_IN = 0.14


def tint(density: np.ndarray) -> np.ndarray:
    """Translucent color of a density: RGBA, the density's shape and 4."""
    place = np.clip(density, 0, 1)
    rgba = np.empty((*place.shape, 4), dtype=np.float32)
    rgba[..., :3] = _COLORS[np.rint(place * (len(_COLORS) - 1)).astype(int)]
    rgba[..., 3] = _OPACITY * np.clip(place / _OPAQUE_AT, 0, 1) ** 0.75
    return rgba


def color_bar(axes: Axes) -> None:
    """Draw the colors as they look on gray anatomy, with the isolines."""
    scale = tint(np.linspace(0, 1, 512))
    seen = scale[:, :3] * scale[:, 3:] + _BAR_GRAY * (1 - scale[:, 3:])
    axes.imshow(seen[None], extent=(0, 1, 0, 1), aspect="auto", interpolation="bilinear")
    axes.set(yticks=[], xticks=[0, 0.25, 0.5, 0.75, 1])
    axes.tick_params(labelsize=8)
    axes.set_xlabel("tumor-cell density [share of carrying capacity]", fontsize=8)
    for level, dash in zip(LEVELS, LEVEL_DASHES, strict=True):
        rim = [withStroke(linewidth=2.2, foreground=(0, 0, 0, 0.55))]
        axes.axvline(level, color="white", linewidth=1.2, linestyle=dash, path_effects=rim)


def level_handles(*, necrosis: bool) -> list[Line2D]:
    """Legend entries of the isolines.

    Args:
        necrosis: whether there is one around dead cells, too.
    """
    rim = [withStroke(linewidth=3.0, foreground="#30353c")]
    handles = [
        Line2D([], [], color="white", linestyle=dash, linewidth=1.6, path_effects=rim, label=f"density {level:g}")
        for level, dash in zip(LEVELS, LEVEL_DASHES, strict=True)
    ]
    if necrosis:
        handles.append(Line2D([], [], color=NECROSIS_COLOR, linewidth=1.6, label="half of cells dead"))
    return handles


def draw_outlines(axes: Axes, film: Film, shot: Shot, plane: Plane, *, linewidth: float) -> list[QuadContourSet]:
    """Draw the isolines of a day, the outline of necrosis, and cavities; returns what was drawn.

    Args:
        axes: where to draw.
        film: what is shown.
        shot: of which day.
        plane: of which slice.
        linewidth: of the lines [pt].
    """
    frame, style = film.frame, {"linewidths": linewidth}
    density = film.density(shot, plane)
    lines = [draw_contour(axes, frame, plane, density, LEVELS, LEVEL_COLORS, linestyles=list(LEVEL_DASHES), **style)]
    if shot.necrotic is not None:
        share = film.dead_share(shot, plane)
        lines.append(draw_contour(axes, frame, plane, share, [NECROSIS_SHARE], [NECROSIS_COLOR], **style))
    for _, outline in film.cavities(shot, plane):
        lines.append(draw_contour(axes, frame, plane, outline, [0.5], [SKY], **style))
    return [line for line in lines if line is not None]


def draw_curve(axes: Axes, curve: np.ndarray, treatments: Treatments, *, height_in: float) -> None:
    """Draw the burden over time, faint, and when what was done to the tumor.

    Args:
        axes: where to draw.
        curve: days [d] and burden [ml], (2, num_points).
        treatments: any.
        height_in: of the axes [in].
    """
    days, burden = curve
    axes.plot(days, burden, color="#c3cad3", linewidth=1.8, zorder=2)
    axes.set(xlim=(0, days[-1]), ylim=(0, 1.1 * max(float(burden.max()), 1e-3)))
    axes.set_xlabel("time [d]", labelpad=1)
    axes.set_ylabel("burden [ml]")
    axes.grid(color="#e5e7eb", linewidth=0.7)
    axes.set_axisbelow(True)
    for lane, kind in enumerate(kinds_until(treatments, float(days[-1]))):
        color, marker = _MARKS[kind]
        shown = [day for entry in treatments if entry.kind == kind for day in entry.days if day <= days[-1]]
        y = 1 + (lane + 0.6) * LANE_IN / height_in
        style: dict[str, Any] = {"color": color, "clip_on": False, "transform": axes.get_xaxis_transform()}
        axes.plot(shown, [y] * len(shown), marker, markersize=5, markeredgewidth=0.9, **style)
        axes.text(1.012, y, kind, transform=axes.transAxes, va="center", fontsize=7.5, color=color)
        if kind == Resection.kind:
            axes.vlines(shown, 0, y, linewidth=0.9, linestyle=(0, (4, 2)), zorder=1, **style)


def kinds_until(treatments: Treatments, last: float) -> list[str]:
    """Kinds of the treatments that begin by a day, each once, in order of time."""
    return list(dict.fromkeys(entry.kind for entry in treatments if entry.days[0] <= last))


def past(curve: np.ndarray, day: float) -> np.ndarray:
    """The part of a curve until a day, which it ends on; (2, num_points)."""
    days, burden = curve
    until = days <= day
    if days[until][-1] == day:
        return curve[:, until]
    end = np.interp(day, days, burden)
    return np.column_stack([curve[:, until], (day, end)])


def say_research_only(figure: Figure, height_in: float) -> None:
    """The notice at the foot of a figure, small."""
    figure.text(
        0.5,
        0.045 / height_in,
        f"Simulated growth. {RESEARCH_NOTICE}",
        ha="center",
        va="bottom",
        fontsize=6.5,
        color=FAINT,
    )


def even_days(days: Sequence[float], number: int) -> list[int]:
    """Indices of so many days, nearest to an even spacing up to the last one."""
    times = np.asarray(days)
    wanted = times[0] + (times[-1] - times[0]) * np.arange(1, number + 1) / number
    found = [int(np.abs(times - time).argmin()) for time in wanted]
    return [found[0], *(b for a, b in pairwise(found) if a != b)]
