"""A contact sheet: digital patients beside real ones, a strip of scans each, for a reader of MRI to judge."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from gliocast.core import MODALITIES, RESEARCH_NOTICE, Patient
from gliocast.data import read_patient
from gliocast.report.style import GREEN, ORANGE, VERMILLION, figure_style, to_png

_TITLES = ("T1", "T1c", "T2", "FLAIR", "segmentation")

#: Patients side by side [1], width of a picture [in], letters [pt].
_COLUMNS, _PICTURE_IN, _LETTERS_PT = 2, 1.25, 7.0

#: Voxels around the brain; the brightest that is still told apart, percentile of the brain [%].
_BORDER, _BRIGHTEST = 4, 99.6

#: Height of head and foot, and of the lines between patients, below and beside each other [in].
_HEAD_IN, _FOOT_IN, _GAP_IN, _BETWEEN_IN = 0.25, 0.25, 0.04, 0.12

_COLORS = {"edema": GREEN, "enhancing": ORANGE, "necrosis": VERMILLION}


def contact_sheet(
    *, synthetic: Sequence[Path], real: Sequence[Path] = (), progress: Callable[[float], None] | None = None
) -> bytes:
    """The axial slice with most tumor of each patient on all scans, as PNG bytes.

    Args:
        synthetic: folders of digital patients.
        real: folders of real ones, which come first. Nothing that is drawn names them.
        progress: called with the share that is read.
    """
    folders = [(path, f"real {n + 1}") for n, path in enumerate(real)]
    folders += [(path, f"synthetic {n + 1}") for n, path in enumerate(synthetic)]
    strips = []
    for done, (path, title) in enumerate(folders):
        strips.append(_strip(title, read_patient(path)))
        if progress is not None:
            progress((done + 1) / len(folders))
    with figure_style():
        return to_png(_draw(strips))


@dataclass(frozen=True, eq=False)
class _Strip:
    """What is drawn of a patient.

    Args:
        title: says whether it is real.
        images: of T1, T1c, T2 and FLAIR, in [0, 1], all of one shape.
        parts: masks of compartments by name, of the same shape.
    """

    title: str
    images: list[np.ndarray]
    parts: dict[str, np.ndarray]


def _strip(title: str, patient: Patient) -> _Strip:
    """A patient seen from below, front up."""
    visit = patient.visits[0]
    grid, labels = visit.grid, visit.labels
    flips = tuple(slice(None, None, -1 if grid.affine[axis, axis] < 0 else 1) for axis in range(3))
    lesion = labels.lesion[flips]
    core = labels.core[flips]
    level = int(np.argmax(lesion.sum(axis=(0, 1)) + 2 * core.sum(axis=(0, 1))))
    brain = visit.brain[flips]
    lines = [np.flatnonzero(brain.any(axis=axes)) for axes in ((1, 2), (0, 2))]
    window = tuple(slice(max(line[0] - _BORDER, 0), line[-1] + _BORDER + 1) for line in lines)

    def picture(data: np.ndarray) -> np.ndarray:
        return data[flips][window[0], window[1], level].T[::-1, ::-1]  # the patient's right on the left

    images = []
    for modality in MODALITIES:
        data = visit[modality].volume.data
        bright = np.percentile(data[visit.brain], _BRIGHTEST)
        images.append(np.clip(picture(data) / bright, 0, 1))
    parts = {"edema": labels.edema, "enhancing": labels.enhancing, "necrosis": labels.necrosis}
    return _Strip(title, images, {name: picture(mask) for name, mask in parts.items()})


def _draw(strips: Sequence[_Strip]) -> Figure:
    columns = min(_COLUMNS, len(strips))
    rows = -(-len(strips) // columns)
    heights, widths = zip(*(strip.images[0].shape for strip in strips), strict=True)
    shape = (max(heights), max(widths))
    picture_in = _PICTURE_IN * shape[0] / shape[1]
    strip_in = _PICTURE_IN * len(_TITLES) + _BETWEEN_IN
    width, height = columns * strip_in - _BETWEEN_IN, _HEAD_IN + rows * (picture_in + _GAP_IN) + _FOOT_IN
    figure = Figure(figsize=(width, height), facecolor="black")

    def panel(row: int, column: int, place: int) -> Axes:
        left, bottom = column * strip_in + place * _PICTURE_IN, _FOOT_IN + (rows - 1 - row) * (picture_in + _GAP_IN)
        axes = figure.add_axes((left / width, bottom / height, _PICTURE_IN / width, picture_in / height))
        axes.axis("off")
        if row == 0:
            axes.set_title(_TITLES[place], color="white", fontsize=_LETTERS_PT + 1, pad=3)
        return axes

    for number, strip in enumerate(strips):
        row, column = divmod(number, columns)
        _draw_strip(strip, shape, [panel(row, column, place) for place in range(len(_TITLES))])
    foot = f"edema green, enhancing orange, necrosis red; the patient's right on the left. {RESEARCH_NOTICE}"
    figure.text(0.5, 0.1 / height, foot, color="#c0c4cc", ha="center", va="center", fontsize=_LETTERS_PT)
    return figure


def _draw_strip(strip: _Strip, shape: tuple[int, int], panels: Sequence[Axes]) -> None:
    """Scans, and T1c once more with the segmentation."""
    for axes, image in zip(panels, [*strip.images, strip.images[1]], strict=True):
        axes.imshow(_padded(image, shape), cmap="gray", vmin=0, vmax=1, aspect="auto")
    for name, color in _COLORS.items():
        if strip.parts[name].any():
            panels[-1].contour(_padded(strip.parts[name], shape), levels=[0.5], colors=[color], linewidths=0.7)
    words: dict[str, Any] = {"va": "top", "color": "white", "fontsize": _LETTERS_PT}
    panels[0].text(0.02, 0.98, strip.title, transform=panels[0].transAxes, **words)


def _padded(image: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """An image in the middle of a larger one."""
    return np.pad(image, [((n - m) // 2, n - m - (n - m) // 2) for n, m in zip(shape, image.shape, strict=True)])
