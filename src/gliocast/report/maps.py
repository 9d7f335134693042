"""Maps of the density, of its uncertainty, and of the tissue that the model was given."""

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import Colormap, ListedColormap, LogNorm, Normalize
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Patch

from gliocast.core import Anatomy, Density, Visit
from gliocast.planning import ventricles
from gliocast.report.montage import BRAIN_BORDER_MM, draw_scan, draw_segmentation, outline_handles, tumor_center
from gliocast.report.panels import Panels, make_panels
from gliocast.report.slices import Frame
from gliocast.report.style import BLUE, ORANGE, SKY

#: Density below which the map is transparent: a tenth of the faintest isodensity line.
FAINTEST_DENSITY = 1e-3
ZOOM_BORDER_MM = 8.0


def density_maps(visit: Visit, density: Density) -> Figure:
    """Modeled density, on a logarithmic scale, and below it its posterior standard deviation where there is one.

    Args:
        visit: T1c is the background.
        density: on the visit's grid.
    """
    deviation = density.standard_deviation
    shown = (density.data > FAINTEST_DENSITY) | visit.labels.lesion
    window = Frame.of(visit.grid).box_around(shown, border_mm=ZOOM_BORDER_MM).cube()
    num_rows = 1 if deviation is None else 2
    panels = make_panels(visit.grid, tumor_center(visit), window, num_rows=num_rows, foot_in=0.62)
    draw_scan(panels, 0, visit, "t1c", label="Density on T1c", dim=0.75)
    # lifted off zero, so that nothing is masked by the logarithm and the edge interpolates smoothly
    image = overlay(panels, 0, np.maximum(density.data, 1e-9), "inferno", LogNorm(FAINTEST_DENSITY, 1.0))
    color_bar(panels.figure, image, 0.05, "tumor-cell density [fraction of carrying capacity]")
    if deviation is not None:
        draw_scan(panels, 1, visit, "t1c", label="Standard deviation on T1c", dim=0.75)
        highest = max(float(deviation.max()), FAINTEST_DENSITY)
        image = overlay(panels, 1, deviation, "viridis", Normalize(0.01 * highest, highest))
        color_bar(panels.figure, image, 0.55, "posterior standard deviation of the density")
    for row in range(num_rows):
        draw_segmentation(panels, row, visit)
    return panels.figure


def anatomy_maps(visit: Visit, anatomy: Anatomy) -> Figure:
    """The tissue that the model grew the tumor in, over T1c: a look tells whether the registration went right.

    Args:
        visit: T1c is the background.
        anatomy: on the visit's grid.
    """
    window = Frame.of(visit.grid).box_around(visit.brain, border_mm=BRAIN_BORDER_MM)
    panels = make_panels(visit.grid, tumor_center(visit), window, num_rows=1, foot_in=0.3)
    draw_scan(panels, 0, visit, "t1c")
    gray = (anatomy.gray_matter > anatomy.white_matter) & (anatomy.gray_matter > anatomy.csf)
    deep = ventricles(anatomy)
    panels.tint(0, gray & anatomy.brain, ORANGE, alpha=0.28)
    panels.tint(0, (anatomy.csf > 0.5) & ~deep, SKY, alpha=0.55)
    panels.tint(0, deep, BLUE, alpha=0.75)
    draw_segmentation(panels, 0, visit)
    panels.legend(
        [
            Patch(color=ORANGE, alpha=0.6, label="gray matter"),
            Patch(color=SKY, alpha=0.8, label="cerebrospinal fluid"),
            Patch(color=BLUE, label="ventricles, cut out of targets"),
            *outline_handles(),
        ]
    )
    return panels.figure


def overlay(panels: Panels, row: int, data: np.ndarray, cmap: str, norm: Normalize) -> AxesImage:
    """Draw a field over a row of scans, transparent below the norm's lower end."""
    return panels.image(row, data, cmap=density_colors(cmap), norm=norm, interpolation="bilinear", alpha=0.9)


def density_colors(cmap: str) -> Colormap:
    """A color map for fields over scans: transparent below, without the darkest tenth, which would vanish on an MRI."""
    return ListedColormap(colormaps[cmap](np.linspace(0.1, 1.0, 256))).with_extremes(under=(0, 0, 0, 0))


def color_bar(
    figure: Figure, image: AxesImage, left: float, label: str, *, width: float = 0.40, foot_in: float = 0.44
) -> None:
    """A horizontal color bar at the foot of the figure, from `left` over `width`, both shares of the figure's.

    Its lower edge lies `foot_in` above the figure's [in].
    """
    height = figure.get_size_inches()[1]
    axes = figure.add_axes((left, foot_in / height, width, 0.11 / height))
    bar = figure.colorbar(image, cax=axes, orientation="horizontal")
    bar.set_label(label, fontsize=9, labelpad=1)
    bar.outline.set_visible(False)
    if isinstance(image.norm, LogNorm):
        bar.set_ticks([0.001, 0.01, 0.1, 1.0], labels=["0.001", "0.01", "0.1", "1"])
        bar.minorticks_off()
