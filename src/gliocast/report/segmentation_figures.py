"""What a segmentation is judged by: the picture of a patient, and the variance that deep features explain."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from gliocast.core import RESEARCH_NOTICE, LabelMap, Scan
from gliocast.report.montage import BRAIN_BORDER_MM, SCAN_NAMES, brain_window
from gliocast.report.panels import GAP_IN, ON_IMAGE, draw_contour, draw_tint, make_panel, position_of, white_line
from gliocast.report.slices import PLANES, Frame, Plane, Window
from gliocast.report.style import BLUE, FAINT, INK, ORANGE, PAGE_WIDTH_IN, SKY, VERMILLION, figure_style, to_png
from gliocast.segmentation.bottleneck import COLLAPSED_SHARE, PrincipalComponents

#: Scans that are shown plain; the first lies below the colors, too.
SHOWN_SCANS = ("t1c", "flair")

#: Compartments from the outside inward. No three of the house's colors stay more distinct when they lie translucent on
#: gray and are seen with a common color blindness.
COMPARTMENTS = {"edema": SKY, "enhancing": ORANGE, "necrosis": VERMILLION}

#: Brightness of white: on T1c above 1, since vessels are brighter than what matters, and less so below colors; the
#: opacity of these [1].
_BRIGHTNESS, _BELOW_COLORS, _OPACITY = {"t1c": 1.3, "flair": 1.0}, 1.1, 0.6

#: Outline of the truth over what was found [pt].
_OUTLINE_PT = 0.5

#: Space above and below the panels, between title and panel [in, in, pt], and letters on the panels [pt].
_HEAD_IN, _FOOT_IN, _TITLE_PAD_PT, _LETTERS_PT = 0.27, 0.5, 4, 7.5

#: Resolution of files, for print [1/in].
_DPI = 220

#: Components that a scree plot shows [1], as the paper's; the smallest share that isn't rounding [%]; its height [in].
NUM_SHOWN, _SMALLEST_PERCENT, _SCREE_HEIGHT_IN = 50, 1e-10, 3.6


def save_segmentation_picture(
    path: Path, scans: Mapping[str, Scan], brain: np.ndarray, found: LabelMap, truth: LabelMap | None = None
) -> None:
    """Write `segmentation_picture` as a PNG file."""
    with figure_style():
        path.write_bytes(to_png(segmentation_picture(scans, brain, found, truth), dpi=_DPI))


def save_scree_plot(path: Path, components: PrincipalComponents) -> None:
    """Write `scree_plot` as a PNG file."""
    with figure_style():
        path.write_bytes(to_png(scree_plot(components), dpi=_DPI))


def segmentation_picture(
    scans: Mapping[str, Scan], brain: np.ndarray, found: LabelMap, truth: LabelMap | None = None
) -> Figure:
    """T1c, FLAIR and segmentations side by side, in each plane where the tumor is largest.

    Args:
        scans: T1c and FLAIR by modality.
        brain: brain mask, bool; the panels show what is around it.
        found: what was segmented.
        truth: what a person segmented, or None; it decides which slices are shown, and its whole tumor and core are
            outlined over what was found.

    Raises:
        InputError: scans or segmentations lie on different grids.
    """
    segmented = {"segmentation": found} if truth is None else {"ground truth": truth, "segmentation": found}
    grids = {modality: scans[modality].volume.grid for modality in SHOWN_SCANS}
    for name, grid in (grids | {name: labels.grid for name, labels in segmented.items()}).items():
        found.grid.require_same(grid, name)
    cuts = _Cuts.through(found if truth is None or not truth.whole.any() else truth)
    window = _square(cuts.frame.box_around(brain, border_mm=BRAIN_BORDER_MM))
    figure, axes = _lay_out(window, num_columns=len(SHOWN_SCANS) + len(segmented))
    for column, modality in enumerate(SHOWN_SCANS):
        axes[0, column].set_title(SCAN_NAMES[modality], pad=_TITLE_PAD_PT)
        for cell, plane in zip(axes[:, column], PLANES, strict=True):
            _draw_scan(cell, cuts, plane, scans[modality], brain, brightness=_BRIGHTNESS[modality])
    for column, (name, labels) in enumerate(segmented.items(), start=len(SHOWN_SCANS)):
        axes[0, column].set_title(name, pad=_TITLE_PAD_PT)
        for cell, plane in zip(axes[:, column], PLANES, strict=True):
            _draw_scan(cell, cuts, plane, scans[SHOWN_SCANS[0]], brain, brightness=_BELOW_COLORS)
            _draw_labels(cell, cuts, plane, labels, outlined=truth if labels is found else None)
    for cell, plane in zip(axes[:, 0], PLANES, strict=True):
        words = f"{plane.name}, {position_of(cuts.frame, plane, cuts.index)}"
        cell.text(0.02, 0.98, words, transform=cell.transAxes, va="top", **(ON_IMAGE | {"fontsize": _LETTERS_PT}))
    _draw_foot(figure, has_truth=truth is not None)
    return figure


@dataclass(frozen=True, eq=False)
class _Cuts:
    """Which slices are shown.

    Args:
        frame: how arrays of the grid are turned.
        index: RAS index that the planes pass through.
    """

    frame: Frame
    index: tuple[int, int, int]

    @classmethod
    def through(cls, labels: LabelMap) -> "_Cuts":
        """Where a tumor's slices are largest, its core counted twice; through the middle of the grid without one."""
        frame = Frame.of(labels.grid)
        area = frame.turn(labels.whole.astype(np.uint8) + labels.core)
        if not area.any():
            return cls(frame, frame.center_of(labels.whole))
        x, y, z = (int(np.argmax(area.sum(axis=others, dtype=int))) for others in ((1, 2), (0, 2), (0, 1)))
        return cls(frame, (x, y, z))

    def cut(self, data: np.ndarray, plane: Plane) -> np.ndarray:
        """A plane's slice of an array of the grid, (vertical, horizontal)."""
        return self.frame.cut(data, plane, self.index[plane.normal])


def _square(window: Window) -> Window:
    """A window as wide to the right as to the front, so that all planes have panels of one width."""
    middle, half = (window.lower + window.upper) / 2, window.size / 2
    half[:2] = half[:2].max()
    return Window(middle - half, middle + half)


def _lay_out(window: Window, *, num_columns: int) -> tuple[Figure, np.ndarray]:
    """A row of panels for each plane, all at one scale; axes (3, num_columns)."""
    width_in = (PAGE_WIDTH_IN - (num_columns - 1) * GAP_IN) / num_columns
    heights_mm = [float(window.size[plane.vertical]) for plane in PLANES]
    heights_in = [height * width_in / float(window.size[0]) for height in heights_mm]
    total_in = _HEAD_IN + sum(heights_in) + (len(PLANES) - 1) * GAP_IN + _FOOT_IN
    figure, top = Figure(figsize=(PAGE_WIDTH_IN, total_in)), total_in - _HEAD_IN
    axes = np.empty((len(PLANES), num_columns), dtype=object)
    for row, plane in enumerate(PLANES):
        bottom, height = (top - heights_in[row]) / total_in, heights_in[row] / total_in
        for column in range(num_columns):
            left = column * (width_in + GAP_IN) / PAGE_WIDTH_IN
            rectangle, bar = (left, bottom, width_in / PAGE_WIDTH_IN, height), row == column == 0
            axes[row, column] = make_panel(
                figure, rectangle, plane, window, heights_mm[row], scale_bar=bar, letters_pt=_LETTERS_PT
            )
        top -= heights_in[row] + GAP_IN
    return figure, axes


def _draw_scan(axes: Axes, cuts: _Cuts, plane: Plane, scan: Scan, brain: np.ndarray, *, brightness: float) -> None:
    """One slice of a scan."""
    data, extent = scan.volume.data, cuts.frame.extent(plane)
    low, high = brain_window(data, brain, dim=brightness)
    axes.imshow(cuts.cut(data, plane), cmap="gray", vmin=low, vmax=high, origin="lower", extent=extent, aspect="auto")


def _draw_labels(axes: Axes, cuts: _Cuts, plane: Plane, labels: LabelMap, *, outlined: LabelMap | None) -> None:
    """Compartments filled, and the whole tumor and core of another segmentation outlined."""
    for name, color in COMPARTMENTS.items():
        draw_tint(axes, cuts.frame, plane, cuts.cut(getattr(labels, name), plane), color, alpha=_OPACITY)
    if outlined is not None:
        for mask in (outlined.whole, outlined.core):
            draw_contour(axes, cuts.frame, plane, cuts.cut(mask, plane), [0.5], ["white"], linewidths=_OUTLINE_PT)


def _draw_foot(figure: Figure, *, has_truth: bool) -> None:
    """What the colors mean, and what the picture isn't for."""
    handles: list[Artist] = [Patch(color=color, alpha=0.85, label=name) for name, color in COMPARTMENTS.items()]
    if has_truth:
        handles.append(white_line("outline of the truth: whole tumor, core"))
    foot = _FOOT_IN / figure.get_figheight()
    figure.legend(handles=handles, loc="center", bbox_to_anchor=(0.5, 0.62 * foot), ncols=len(handles))
    figure.text(0.5, 0.16 * foot, RESEARCH_NOTICE, ha="center", va="center", fontsize=6.5, color=FAINT)


def scree_plot(components: PrincipalComponents) -> Figure:
    """Share of the variance that each component explains: with those before it, and alone on a logarithmic axis.

    Args:
        components: of the pooled features of patients.
    """
    figure = Figure(figsize=(PAGE_WIDTH_IN, _SCREE_HEIGHT_IN))
    linear, logarithmic = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.07, right=0.985, bottom=0.14, top=0.9, wspace=0.2)
    shares = 100 * components.explained[:NUM_SHOWN]
    together = 100 * np.cumsum(components.explained)[:NUM_SHOWN]
    numbers = np.arange(1, len(shares) + 1)
    each: dict[str, Any] = {"color": BLUE, "linewidth": 1.2, "marker": "o", "markersize": 3.5}
    paper = 100 * COLLAPSED_SHARE
    linear.axhline(paper, color=FAINT, linewidth=1.2, linestyle="--", label=f"PC1 in the paper, {paper:.0f} %")
    linear.plot(numbers, together, color=VERMILLION, linewidth=2, label="cumulative")
    linear.plot(numbers, shares, label="each component", **each)
    linear.set(ylabel="variance explained [%]", ylim=(-3, 106))
    linear.legend(loc="best")
    shown = shares > _SMALLEST_PERCENT  # rounding has no place on a logarithmic axis
    logarithmic.plot(numbers[shown], shares[shown], **each)
    lowest = 10 ** np.floor(np.log10(shares[shown].min()))
    logarithmic.set(ylabel="variance explained by each [%]", yscale="log", ylim=(0.7 * lowest, 150))
    for axes in (linear, logarithmic):
        axes.set(xlabel="principal component", xlim=(0, len(shares) + 1))
        axes.set_xticks([1, *(tick for tick in range(10, len(shares) + 1, 10))])
        axes.grid(color="#e5e7eb", linewidth=0.7)
        axes.set_axisbelow(True)
    number = components.num_components()
    figure.text(
        0.07,
        0.945,
        f"PC1 explains {shares[0]:.1f} %; {number} component{'s' * (number > 1)} for {paper:.0f} %; "
        f"norm of the mean {components.mean_norm:.3g}, mean distance from it {components.mean_spread:.3g}",
        color=INK,
    )
    return figure
