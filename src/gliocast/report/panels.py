"""Panels of image slices: axial, coronal and sagittal side by side, all at one scale, on black."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize, to_rgb
from matplotlib.contour import QuadContourSet
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from gliocast.core import Grid
from gliocast.report.slices import PLANES, Frame, Plane, Window
from gliocast.report.style import PAGE_WIDTH_IN

GAP_IN = 0.06
HEAD_IN = 0.27
SCALE_BAR_MM = 20.0
#: Letters and bars that lie on an image.
ON_IMAGE: dict[str, Any] = {
    "color": "white",
    "fontsize": 8.5,
    "snap": False,  # snapped to pixels, an L at a small size loses its foot
    "path_effects": [withStroke(linewidth=1.6, foreground="black")],
}


@dataclass(frozen=True, eq=False)
class Panels:
    """A figure of image panels, all at one scale: rows of axial, coronal and sagittal.

    Args:
        figure: to add legends and color bars to.
        axes: (num_rows, 3).
        frame: how arrays of the grid are turned.
        index: RAS index that the three planes pass through.
    """

    figure: Figure
    axes: np.ndarray
    frame: Frame
    index: tuple[int, int, int]

    def cells(self, row: int) -> list[tuple[Axes, Plane]]:
        """The panels of one row with the plane that each shows."""
        return list(zip(self.axes[row], PLANES, strict=True))

    def cut(self, data: np.ndarray, plane: Plane) -> np.ndarray:
        """The plane's slice of an array of the grid, (vertical, horizontal)."""
        return self.frame.cut(data, plane, self.index[plane.normal])

    def image(
        self, row: int, data: np.ndarray, *, cmap: str | Colormap = "gray", norm: Normalize | None = None, **style: Any
    ) -> AxesImage:
        """Draw an array in a row of panels; returns the last image, for a color bar."""
        for axes, plane in self.cells(row):
            artist = axes.imshow(
                self.cut(data, plane),
                origin="lower",
                extent=self.frame.extent(plane),
                cmap=cmap,
                norm=norm,
                aspect="auto",
                **style,
            )
        return artist

    def tint(self, row: int, mask: np.ndarray, color: str, *, alpha: float = 0.5) -> None:
        """Fill a mask with a translucent color."""
        for axes, plane in self.cells(row):
            draw_tint(axes, self.frame, plane, self.cut(mask, plane), color, alpha=alpha)

    def contour(self, row: int, data: np.ndarray, levels: Sequence[float], colors: Sequence[Any], **style: Any) -> None:
        """Draw isolines of an array (0.5 for the outline of a mask), with a dark rim so that they show on any gray."""
        for axes, plane in self.cells(row):
            draw_contour(axes, self.frame, plane, self.cut(data, plane), levels, colors, **style)

    def label(self, row: int, text: str) -> None:
        """Name a row in the upper left corner of its first panel."""
        self.axes[row][0].text(0.02, 0.98, text, transform=self.axes[row][0].transAxes, va="top", **ON_IMAGE)

    def legend(self, handles: Sequence[Artist], **style: Any) -> None:
        """One legend for all panels, at the foot of the figure."""
        style = {"ncols": len(handles), "handlelength": 2.2, "columnspacing": 1.6} | style
        self.figure.legend(handles=handles, loc="lower center", borderaxespad=0.2, **style)


def draw_tint(axes: Axes, frame: Frame, plane: Plane, inside: np.ndarray, color: str, *, alpha: float) -> None:
    """Fill a slice of a mask (vertical, horizontal) with a translucent color."""
    rgba = np.empty((*inside.shape, 4))
    rgba[..., :3], rgba[..., 3] = to_rgb(color), alpha * inside
    axes.imshow(rgba, origin="lower", extent=frame.extent(plane), interpolation="nearest", aspect="auto")


def draw_contour(
    axes: Axes,
    frame: Frame,
    plane: Plane,
    image: np.ndarray,
    levels: Sequence[float],
    colors: Sequence[Any],
    **style: Any,
) -> QuadContourSet | None:
    """Draw isolines of a slice (vertical, horizontal) with a dark rim; None where it reaches no level."""
    image = image.astype(np.float32)
    present = [k for k, level in enumerate(levels) if image.min() < level < image.max()]
    if not present:
        return None  # matplotlib warns about levels that a slice doesn't reach
    width = style.setdefault("linewidths", 1.2)
    style |= {"levels": [levels[k] for k in present], "colors": [colors[k] for k in present]}
    lines = axes.contour(frame.coordinates(plane.horizontal), frame.coordinates(plane.vertical), image, **style)
    lines.set_path_effects([withStroke(linewidth=width + 1.0, foreground=(0, 0, 0, 0.55))])
    return lines


def white_line(label: str) -> Line2D:
    """Legend entry of a white line, rimmed so that it shows on the white page."""
    return Line2D(
        [],
        [],
        color="white",
        linewidth=1.8,
        label=label,
        path_effects=[withStroke(linewidth=3.4, foreground="#30353c")],
    )


def make_panels(grid: Grid, center: np.ndarray, window: Window, *, num_rows: int, foot_in: float) -> Panels:
    """Lay out rows of axial, coronal and sagittal panels at one scale on the width of the page.

    Args:
        grid: of the arrays to be drawn.
        center: bool mask; the planes pass through its middle.
        window: what the panels show [mm].
        num_rows: rows of panels.
        foot_in: space left for a legend or a color bar below [in].
    """
    frame = Frame.of(grid)
    return lay_out_panels(frame, frame.center_of(center), window, num_rows=num_rows, foot_in=foot_in)


def lay_out_panels(
    frame: Frame,
    index: tuple[int, int, int],
    window: Window,
    *,
    num_rows: int,
    foot_in: float,
    head_in: float = HEAD_IN,
) -> Panels:
    """The same through given planes.

    Args:
        frame: of the arrays to be drawn.
        index: RAS index that the planes pass through.
        window: what the panels show [mm].
        num_rows: rows of panels.
        foot_in: space left below [in].
        head_in: space left above, the panels' titles included [in].
    """
    widths = np.array([window.size[plane.horizontal] for plane in PLANES])
    height_mm = max(window.size[plane.vertical] for plane in PLANES)
    inch_per_mm = (PAGE_WIDTH_IN - 2 * GAP_IN) / widths.sum()
    row_in = height_mm * inch_per_mm
    total_in = head_in + num_rows * (row_in + GAP_IN) + foot_in
    figure = Figure(figsize=(PAGE_WIDTH_IN, total_in))
    axes = np.empty((num_rows, 3), dtype=object)
    for row in range(num_rows):
        bottom, left = total_in - head_in - (row + 1) * row_in - row * GAP_IN, 0.0
        for column, plane in enumerate(PLANES):
            width = widths[column] * inch_per_mm
            rectangle = (left / PAGE_WIDTH_IN, bottom / total_in, width / PAGE_WIDTH_IN, row_in / total_in)
            axes[row, column] = make_panel(figure, rectangle, plane, window, height_mm, scale_bar=plane is PLANES[0])
            left += width + GAP_IN
    panels = Panels(figure, axes, frame, index)
    for axes_, plane in panels.cells(0):
        axes_.set_title(f"{plane.name}, {position_of(frame, plane, index)}", fontsize=9, pad=4)
    return panels


def position_of(frame: Frame, plane: Plane, index: tuple[int, int, int]) -> str:
    """Where a plane lies, such as "z = −12 mm"."""
    position = frame.start[plane.normal] + frame.spacing[plane.normal] * index[plane.normal]
    return f"{'xyz'[plane.normal]} = {position:.0f} mm".replace("-", "−")


def make_panel(
    figure: Figure,
    rectangle: tuple[float, float, float, float],
    plane: Plane,
    window: Window,
    height_mm: float,
    *,
    scale_bar: bool,
    letters_pt: float = 8.5,
) -> Axes:
    """One black panel with side letters and a scale bar; the horizontal coordinate runs to the left."""
    axes = figure.add_axes(rectangle)
    letters = ON_IMAGE | {"fontsize": letters_pt}
    h, v = plane.horizontal, plane.vertical
    middle = (window.lower[v] + window.upper[v]) / 2
    axes.set(facecolor="black", xticks=[], yticks=[])
    axes.set_xlim(window.upper[h], window.lower[h])
    axes.set_ylim(middle - height_mm / 2, middle + height_mm / 2)
    for spine in axes.spines.values():
        spine.set_visible(False)
    for letter, x, side in zip(plane.letters, (0.015, 0.985), ("left", "right"), strict=True):
        axes.text(x, 0.5, letter, transform=axes.transAxes, va="center", ha=side, **letters)
    if scale_bar:
        start, y = window.upper[h] - 0.03 * window.size[h], middle - 0.46 * height_mm
        axes.plot([start, start - SCALE_BAR_MM], [y, y], color="white", linewidth=2.0, solid_capstyle="butt", zorder=9)
        text = f"{SCALE_BAR_MM:.0f} mm"
        axes.text(start - SCALE_BAR_MM / 2, y + 0.012 * height_mm, text, ha="center", va="bottom", **letters)
    return axes
