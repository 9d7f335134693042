"""Growth as an animated picture: three planes through the tumor, day by day, over the curve of its burden.

What stays is drawn once; of a frame only what moves is drawn anew. All frames share one palette and aren't dithered, so
that nothing flickers and a frame stores no more than what changed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.image import AxesImage
from PIL import Image

from gliocast.report.film import Film, Shot
from gliocast.report.growth import (
    CURVE_COLOR,
    LANE_IN,
    color_bar,
    draw_curve,
    draw_outlines,
    kinds_until,
    level_handles,
    past,
    say_research_only,
    tint,
)
from gliocast.report.montage import BRAIN_BORDER_MM
from gliocast.report.panels import Panels, lay_out_panels
from gliocast.report.slices import Plane
from gliocast.report.style import FAINT, figure_style

#: Resolution of the animated picture [1/in].
GIF_DPI = 96

#: How long a frame stays, and how long the first and the last one do [ms].
FRAME_MS, FIRST_MS, LAST_MS = 110, 500, 1800

#: Space above and below the panels [in].
_HEAD_IN, _FOOT_IN = 0.66, 1.92

#: Lines that were straight on day 0: how far apart [mm], how they look, and the least gray of what they are drawn on
#: [1], so that they end with the head.
_LATTICE_MM = 10.0
_LATTICE: dict[str, Any] = {"colors": ["white"], "linewidths": 0.6, "linestyles": "solid", "alpha": 0.45}
_HEAD_SHADE = 0.1

#: Frames from which the common palette is made [1].
_PALETTE_FRAMES = 6

#: Grays of the palette [1], and by how much the channels of what counts as gray may differ (of 255) [1].
_NUM_GRAYS, _GRAY_WITHIN = 64, 10

#: Index that no color has: a pixel that stays as it was in the frame before.
UNCHANGED = 255


@dataclass(frozen=True, eq=False)
class _Moving:
    """The artists of one panel that change from frame to frame, and those that lie on top of them."""

    axes: Axes
    plane: Plane
    anatomy: AxesImage
    color: AxesImage
    on_top: list[Artist]


def growth_gif(film: Film, *, progress: Callable[[float], None] | None = None) -> bytes:
    """The film as GIF bytes that repeat forever, the same on every run.

    Args:
        film: what to show, one frame for each of its shots.
        progress: called with the share of frames that are drawn.
    """
    frames = []
    for number, frame in enumerate(movie_frames(film), start=1):
        frames.append(frame)
        if progress is not None:
            progress(number / len(film.shots))
    palette = _palette(frames)
    images = [_reduce(frame, palette) for frame in frames]
    durations = [FIRST_MS, *[FRAME_MS] * (len(images) - 2), LAST_MS]
    buffer = BytesIO()
    how: dict[str, Any] = {"loop": 0, "disposal": 1, "optimize": True, "transparency": UNCHANGED}
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=durations, **how)
    return buffer.getvalue()


def movie_frames(film: Film) -> Iterator[np.ndarray]:
    """One picture for each shot, (height, width, 3), uint8."""
    with figure_style():
        window = film.frame.box_around(film.brain, border_mm=BRAIN_BORDER_MM)
        panels = lay_out_panels(film.frame, film.index, window, num_rows=1, foot_in=_FOOT_IN, head_in=_HEAD_IN)
        height_in = float(panels.figure.get_size_inches()[1])
        counter = _head(panels, film, height_in)
        line, dot = _foot(panels, film, height_in)
        moving = [_animate(axes, plane, film) for axes, plane in panels.cells(0)]
        canvas = FigureCanvasAgg(panels.figure)
        panels.figure.set_dpi(GIF_DPI)
        for artist in (counter, line, dot):
            artist.set_animated(True)
        canvas.draw()
        still = canvas.copy_from_bbox(panels.figure.bbox)
        for shot in film.shots:
            canvas.restore_region(still)
            counter.set_text(f"day {shot.day:.0f}")
            panels.figure.draw_artist(counter)
            line.set_data(*past(film.curve, shot.day))
            dot.set_data([shot.day], [shot.burden_ml])
            line.axes.draw_artist(line)
            line.axes.draw_artist(dot)
            for panel in moving:
                _draw_panel(panel, film, shot)
            yield np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _head(panels: Panels, film: Film, height_in: float) -> Any:
    """Title, and the day, which changes."""
    y = 1 - 0.08 / height_in
    panels.figure.text(0.006, y, film.title, va="top", fontsize=12, fontweight="bold")
    panels.figure.text(0.5, y, "simulation", va="top", ha="center", fontsize=9, color=FAINT)
    return panels.figure.text(0.994, y, "", va="top", ha="right", fontsize=14, fontweight="bold")


def _foot(panels: Panels, film: Film, height_in: float) -> tuple[Any, Any]:
    """Curve of the burden, color bar and notice; returns the line and the dot that move."""
    figure = panels.figure
    curve_in = 1.26 - LANE_IN * len(kinds_until(film.treatments, film.shots[-1].day))
    curve = figure.add_axes((0.062, 0.56 / height_in, 0.54, curve_in / height_in))
    draw_curve(curve, film.curve, film.treatments, height_in=curve_in)
    (line,) = curve.plot([], [], color=CURVE_COLOR, linewidth=2.0, zorder=3)
    (dot,) = curve.plot([], [], "o", color=CURVE_COLOR, markersize=7, markeredgecolor="white", zorder=4, clip_on=False)
    color_bar(figure.add_axes((0.69, 1.28 / height_in, 0.29, 0.2 / height_in)))
    handles = level_handles(necrosis=film.has_necrosis)
    figure.legend(
        handles=handles,
        loc="upper center",
        bbox_to_anchor=(0.835, 0.82 / height_in),
        ncols=len(handles),
        fontsize=8 if len(handles) < 3 else 7,
        handlelength=2.2,
        columnspacing=1.2,
        borderaxespad=0,
    )
    say_research_only(figure, height_in)
    return line, dot


def _animate(axes: Axes, plane: Plane, film: Film) -> _Moving:
    """Prepare a panel: what lies on the images is drawn again with every frame."""
    extent = film.frame.extent(plane)
    on_top = [*axes.lines, *axes.texts]
    shown: dict[str, Any] = {"origin": "lower", "extent": extent, "aspect": "auto", "interpolation": "bilinear"}
    first = film.shots[0]
    anatomy = axes.imshow(film.anatomy(first, plane), cmap="gray", vmin=0, vmax=film.white, **shown)
    color = axes.imshow(tint(film.density(first, plane)), **shown)
    for artist in (anatomy, color, *on_top):
        artist.set_animated(True)
    return _Moving(axes, plane, anatomy, color, on_top)


def _draw_panel(panel: _Moving, film: Film, shot: Shot) -> None:
    axes, plane = panel.axes, panel.plane
    panel.anatomy.set_data(film.anatomy(shot, plane))
    panel.color.set_data(tint(film.density(shot, plane)))
    axes.draw_artist(panel.anatomy)
    if shot.displacement is not None:
        _draw_lattice(axes, film, shot, plane)
    axes.draw_artist(panel.color)
    lines = draw_outlines(axes, film, shot, plane, linewidth=1.0)
    for artist in (*lines, *panel.on_top):
        axes.draw_artist(artist)
    for drawn in lines:
        drawn.remove()


def _draw_lattice(axes: Axes, film: Film, shot: Shot, plane: Plane) -> None:
    """Lines of tissue that were straight on day 0."""
    origin = film.origin(shot, plane)
    inside = film.anatomy(shot, plane) > _HEAD_SHADE * film.white
    x, y = film.frame.coordinates(plane.horizontal), film.frame.coordinates(plane.vertical)
    for axis in (plane.horizontal, plane.vertical):
        place = np.ma.masked_where(~inside, origin[axis])
        levels = np.arange(np.ceil(place.min() / _LATTICE_MM), place.max() / _LATTICE_MM) * _LATTICE_MM
        lines = axes.contour(x, y, place, levels=levels, **_LATTICE)
        axes.draw_artist(lines)
        lines.remove()


def _reduce(frame: np.ndarray, palette: Image.Image) -> Image.Image:
    """A frame in the palette's colors; grays by a table, because Pillow's search for the nearest color is rough."""
    reduced = np.array(Image.fromarray(frame).quantize(palette=palette, dither=Image.Dither.NONE))
    gray = (frame[..., 0] == frame[..., 1]) & (frame[..., 1] == frame[..., 2])
    nearest = np.rint(np.arange(256) * ((_NUM_GRAYS - 1) / 255)).astype(np.uint8)
    image = Image.fromarray(np.where(gray, nearest[frame[..., 0]], reduced))
    image.putpalette(palette.getpalette() or [])
    return image


def _palette(frames: list[np.ndarray]) -> Image.Image:
    """The colors that serve all frames: even grays for the anatomy, and the rest as the tumor needs them."""
    chosen = [frames[k] for k in np.unique(np.linspace(0, len(frames) - 1, _PALETTE_FRAMES).astype(int))]
    pixels = np.concatenate([frame.reshape(-1, 3) for frame in chosen])
    colored = pixels[np.ptp(pixels, axis=1) > _GRAY_WITHIN]
    grays = np.repeat(np.linspace(0, 255, _NUM_GRAYS).round().astype(np.uint8)[:, None], 3, axis=1)
    room = UNCHANGED - len(grays)
    sheet = Image.fromarray(colored[None] if len(colored) else grays[None])
    reduced = sheet.quantize(room, method=Image.Quantize.MEDIANCUT, kmeans=2, dither=Image.Dither.NONE)
    found = np.array(reduced.getpalette(), dtype=np.uint8).reshape(-1, 3)[:room]
    colors = np.zeros((256, 3), dtype=np.uint8)
    colors[: len(grays)], colors[len(grays) : len(grays) + len(found)] = grays, found
    palette = Image.new("P", (1, 1))
    palette.putpalette(colors[:UNCHANGED].tobytes())
    return palette
