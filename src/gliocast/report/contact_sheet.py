"""A contact sheet: digital patients beside real ones, a strip of scans each, for a reader of MRI to judge."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from gliocast.core import RESEARCH_NOTICE, Patient
from gliocast.data import read_patient
from gliocast.report.style import GREEN, ORANGE, VERMILLION, figure_style, to_png

_MODALITIES = ("t1", "t1c", "t2", "flair")
_TITLES = ("T1", "T1c", "T2", "FLAIR", "segmentation")

#: Patients side by side [1], width of a picture [in], letters [pt].
_COLUMNS, _PICTURE_IN, _LETTERS_PT = 2, 1.25, 7.0

#: Voxels around the brain; the brightest that is still told apart, percentile of the brain [%].
_BORDER, _BRIGHTEST = 4, 99.6

#: Height of head and foot, and of the line between patients [in].
_HEAD_IN, _FOOT_IN, _GAP_IN = 0.3, 0.25, 0.04


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
        strips.append((title, _strip(read_patient(path))))
        if progress is not None:
            progress((done + 1) / len(folders))
    with figure_style():
        return to_png(_draw(strips))


def _strip(patient: Patient) -> tuple[list[np.ndarray], dict[str, np.ndarray]]:
    """Four pictures, seen from below, front up, with intensities in [0, 1]; and masks of compartments."""
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
    for modality in _MODALITIES:
        data = visit[modality].volume.data
        bright = np.percentile(data[visit.brain], _BRIGHTEST)
        images.append(np.clip(picture(data) / bright, 0, 1))
    parts = {"edema": labels.edema, "enhancing": labels.enhancing, "necrosis": labels.necrosis}
    return images, {name: picture(mask) for name, mask in parts.items()}


def _draw(strips: Sequence[tuple[str, tuple[list[np.ndarray], dict[str, np.ndarray]]]]) -> Figure:
    columns = min(_COLUMNS, len(strips))
    rows = -(-len(strips) // columns)
    shape = np.max([images[0].shape for _, (images, _) in strips], axis=0)
    height_in = _PICTURE_IN * shape[0] / shape[1]
    strip_in = _PICTURE_IN * len(_TITLES)
    width = columns * strip_in + (columns - 1) * 3 * _GAP_IN
    height = _HEAD_IN + rows * (height_in + _GAP_IN) + _FOOT_IN
    figure = Figure(figsize=(width, height), facecolor="black")
    for number, (title, (images, parts)) in enumerate(strips):
        row, column = divmod(number, columns)
        bottom = height - _HEAD_IN - (row + 1) * (height_in + _GAP_IN) + _GAP_IN
        left = column * (strip_in + 3 * _GAP_IN)
        for place in range(len(_TITLES)):
            rectangle = (
                (left + place * _PICTURE_IN) / width,
                bottom / height,
                _PICTURE_IN / width,
                height_in / height,
            )
            axes = figure.add_axes(rectangle)
            axes.axis("off")
            image = images[place] if place < len(images) else images[1]
            padded = [((n - m) // 2, n - m - (n - m) // 2) for n, m in zip(shape, image.shape, strict=True)]
            axes.imshow(np.pad(image, padded), cmap="gray", vmin=0, vmax=1, aspect="auto")
            if place == len(images):
                for name, color in (("edema", GREEN), ("enhancing", ORANGE), ("necrosis", VERMILLION)):
                    mask = np.pad(parts[name], padded)
                    if mask.any():
                        axes.contour(mask, levels=[0.5], colors=[color], linewidths=0.7)
            if place == 0:
                axes.text(0.02, 0.98, title, transform=axes.transAxes, va="top", color="white", fontsize=_LETTERS_PT)
    for column in range(columns):
        for place, title in enumerate(_TITLES):
            x = (column * (strip_in + 3 * _GAP_IN) + (place + 0.5) * _PICTURE_IN) / width
            figure.text(x, 1 - 0.16 / height, title, color="white", ha="center", va="center", fontsize=_LETTERS_PT + 1)
    foot = f"edema green, enhancing orange, necrosis red; the patient's right on the left. {RESEARCH_NOTICE}"
    figure.text(0.5, 0.1 / height, foot, color="#c0c4cc", ha="center", va="center", fontsize=_LETTERS_PT)
    return figure
