"""Maps of densities to come in one plane, which may have been solved on coarser voxels than the scan's."""

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from gliocast.anatomy.mobility import is_tissue
from gliocast.core import Anatomy, Box, Density, Visit
from gliocast.problem.maps import interpolated
from gliocast.report.maps import FAINTEST_DENSITY, density_colors
from gliocast.report.montage import SEGMENTATION, WHOLE_DASHES, brain_window, tumor_center
from gliocast.report.panels import ON_IMAGE, SCALE_BAR_MM, draw_contour, draw_tint, make_panel
from gliocast.report.slices import AXIAL, Frame, Window

#: Height of a map over its width [1]; what it shows around the tumor [mm].
TALL, _BORDER_MM = 1.15, 8.0

#: Brightness of white in the scan, so that color on top stands out [1].
_DIM = 0.75

#: How much of the scan a cavity hides [1].
_CAVITY = 0.9

#: Size of letters on a map [pt].
_LETTERS_PT = 7.5


@dataclass(frozen=True, eq=False)
class OutlookMaps:
    """The axial plane through the tumor, and what all maps of it share.

    Args:
        visit: with the scans.
        frame: of the visit's grid.
        index: RAS index that the plane passes through.
        slab: the one layer of the visit's grid that the plane shows.
        tissue: the anatomy there.
        window: what a map shows [mm].
        visible: density from which on FLAIR shows tumor [1].
    """

    visit: Visit
    frame: Frame
    index: tuple[int, int, int]
    slab: Box
    tissue: Anatomy
    window: Window
    visible: float

    @classmethod
    def of(cls, visit: Visit, anatomy: Anatomy, largest: Density, *, visible: float) -> "OutlookMaps":
        """Through the middle of the tumor, as wide as the largest of the densities asks for."""
        frame = Frame.of(visit.grid)
        index = frame.center_of(tumor_center(visit))
        axis, place = frame.order[AXIAL.normal], index[AXIAL.normal]
        layer = frame.shape[AXIAL.normal] - 1 - place if frame.flip[AXIAL.normal] else place
        lower, upper = [0, 0, 0], list(visit.grid.shape)
        lower[axis], upper[axis] = layer, layer + 1
        slab = Box((lower[0], lower[1], lower[2]), (upper[0], upper[1], upper[2]))
        tissue = anatomy.crop(slab)
        shown = (_on(largest, tissue) > FAINTEST_DENSITY) | visit.labels.lesion[slab.slices]
        return cls(visit, frame, index, slab, tissue, _window(Frame.of(tissue.grid), shown), visible)

    def draw(
        self,
        figure: Figure,
        rectangle: tuple[float, float, float, float],
        density: Density,
        *,
        cavity: np.ndarray | None,
        scale_bar: bool,
    ) -> AxesImage:
        """Density over T1c with its FLAIR outline, beside that of the scan.

        Args:
            figure: to draw in.
            rectangle: of the panel, in shares of the figure.
            density: on any grid.
            cavity: what surgery took out, bool, on the visit's grid; None where there was none.
            scale_bar: whether to draw one.

        Returns:
            The colors, for a color bar.
        """
        height = float(self.window.size[AXIAL.vertical])
        axes = make_panel(figure, rectangle, AXIAL, self.window, height, scale_bar=False, letters_pt=_LETTERS_PT)
        if scale_bar:
            self._draw_scale(axes)
        extent = self.frame.extent(AXIAL)
        scan = self.visit["t1c"].volume.data
        low, high = brain_window(scan, self.visit.brain, dim=_DIM)
        place = self.index[AXIAL.normal]
        background = self.frame.cut(scan, AXIAL, place)
        axes.imshow(background, origin="lower", extent=extent, cmap="gray", vmin=low, vmax=high, aspect="auto")
        if cavity is not None:
            draw_tint(axes, self.frame, AXIAL, self.frame.cut(cavity, AXIAL, place), "black", alpha=_CAVITY)
        cells = self.frame.cut(_on(density, self.tissue), AXIAL, 0)
        image = axes.imshow(
            np.maximum(cells, 1e-9),  # lifted off zero, so that nothing is masked by the logarithm
            origin="lower",
            extent=extent,
            cmap=density_colors("inferno"),
            norm=LogNorm(FAINTEST_DENSITY, 1.0),
            interpolation="bilinear",
            alpha=0.9,
            aspect="auto",
        )
        whole = self.frame.cut(self.visit.labels.whole, AXIAL, place)
        draw_contour(axes, self.frame, AXIAL, whole, [0.5], [SEGMENTATION], linewidths=1.0, linestyles=WHOLE_DASHES)
        draw_contour(axes, self.frame, AXIAL, cells, [self.visible], ["white"], linewidths=0.9)
        return image

    def _draw_scale(self, axes: Axes) -> None:
        """A bar with its length beside it, for where a map is small there is no room above."""
        across, upward = AXIAL.horizontal, AXIAL.vertical
        start = self.window.upper[across] - 0.04 * self.window.size[across]
        y = self.window.lower[upward] + 0.05 * self.window.size[upward]
        axes.plot([start, start - SCALE_BAR_MM], [y, y], color="white", linewidth=2.0, solid_capstyle="butt", zorder=9)
        at, style = (start - SCALE_BAR_MM, y), ON_IMAGE | {"fontsize": _LETTERS_PT}
        axes.annotate(f"{SCALE_BAR_MM:.0f} mm", at, (3, 0), textcoords="offset points", va="center", **style)


def _on(density: Density, tissue: Anatomy) -> np.ndarray:
    """The density on the grid of the tissue, zero elsewhere."""
    return np.where(is_tissue(tissue), interpolated(density.data, density.grid, tissue.grid), 0)


def _window(frame: Frame, shown: np.ndarray) -> Window:
    """Around what is shown, of the proportions of a map."""
    around = frame.box_around(shown, border_mm=_BORDER_MM)
    center, size = (around.lower + around.upper) / 2, around.size
    width = max(size[AXIAL.horizontal], size[AXIAL.vertical] / TALL)
    half = np.array([width, TALL * width, size[AXIAL.normal]]) / 2
    return Window(center - half, center + half)
