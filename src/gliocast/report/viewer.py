r"""What the interactive viewer shows, packed for the page: scans, density, its spread and outlines as 8-bit NIfTI.

Volumes are cropped to the brain, and to fewer voxels where that leaves too many. A voxel is one byte q, and the header
says what it stands for:

- scans: 0 to the 99.9th percentile of the brain in 64 steps. MRI is noisier than that, and noise can't be compressed.
- density: :math:`q = 0` below 0.001, else :math:`\log_{10} c = -3 + 3 (q - 1) / 254`, 2.7 % from one step to the next.
- standard deviation: 0 to its maximum in 255 steps.
- outlines: one bit for each mask, so that five volumes are one, and each can be switched.

Outlines are drawn from the masks in the page, a voxel wide.
"""

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import to_rgb

from gliocast.core import Grid, block_mean, bounding_box
from gliocast.data.embedding import nifti_bytes
from gliocast.report.content import ReportContent
from gliocast.report.ctv import MODEL, STANDARD
from gliocast.report.maps import FAINTEST_DENSITY
from gliocast.report.montage import SCAN_NAMES, brain_window, tumor_center
from gliocast.report.slices import Frame
from gliocast.report.style import GREEN, YELLOW

#: Voxels of a volume on the page, at most [1]: a brain at 1 mm has 2 to 4 million with its box.
MAX_VOXELS = 4_500_000
#: Border around the brain [mm].
BORDER_MM = 2.0
#: Codes of a scan [1], and the percentile of the brain that the highest one stands for [%].
SCAN_CODES, BRIGHTEST = 64, 99.9
#: Highest code of a map [1].
LAST_CODE = 255
#: Nodes of a color map [1], and where it begins: its darkest tenth would vanish on an MRI.
NUM_COLORS, FIRST_COLOR = 32, 0.1
#: Opacity of a map at first [%].
OPACITY_PERCENT = 60
#: Masks that can be outlined: bit, key, name, color. The first one lies on top.
OUTLINES = (
    ("gtv", "GTV", "#ffffff"),
    ("ctv_standard", "standard CTV", STANDARD),
    ("ctv_model", "model CTV", MODEL),
    ("core", "segmented core", YELLOW),
    ("whole", "segmented whole tumor", GREEN),
)
#: Those drawn at first; the core usually is the GTV.
SHOWN_OUTLINES = ("gtv", "ctv_standard", "ctv_model", "whole")


@dataclass(frozen=True, eq=False)
class Layer:
    """One volume of the viewer.

    Args:
        key: of the layer.
        title: as people read it.
        kind: ``scan``, ``map`` or ``outlines``.
        nifti: the file.
        low: value drawn in the first color.
        high: value drawn in the last one.
        logarithmic: whether values are decadic logarithms of what is meant.
        colors: map of colors as red, green, blue, opacity and index, each from 0 to 255; empty for gray.
    """

    key: str
    title: str
    kind: str
    nifti: bytes
    low: float
    high: float
    logarithmic: bool = False
    colors: Mapping[str, list[int]] | None = None


@dataclass(frozen=True, eq=False)
class Scene:
    """All that the viewer needs.

    Args:
        layers: from below to above.
        grid: of all of them.
        center: where the crosshair begins [mm, RAS].
    """

    layers: tuple[Layer, ...]
    grid: Grid
    center: np.ndarray

    def to_json(self) -> str:
        """The scene for the page's script; nothing in it closes an element of HTML."""
        frame = Frame.of(self.grid)
        layers = [
            {
                "key": layer.key,
                "title": layer.title,
                "kind": layer.kind,
                "low": layer.low,
                "high": layer.high,
                "logarithmic": layer.logarithmic,
                "faintest": FAINTEST_DENSITY,
                "colors": layer.colors,
                "nifti": b64encode(layer.nifti).decode("ascii"),
            }
            for layer in self.layers
        ]
        outlines = [
            {"key": key, "title": title, "color": [round(255 * part) for part in to_rgb(color)], "bit": 1 << bit}
            for bit, (key, title, color) in enumerate(OUTLINES)
        ]
        scene: dict[str, Any] = {
            "center": [round(float(x), 3) for x in self.center],
            "size": (np.array(frame.shape) * frame.spacing).round(1).tolist(),
            "voxel": np.linalg.inv(self.grid.affine)[:3].tolist(),
            "layers": layers,
            "outlines": outlines,
        }
        return json.dumps(scene).replace("<", "\\u003c")


@dataclass(frozen=True, eq=False)
class _Cut:
    """Cropping to a box, padded to whole blocks, and the mean over blocks.

    Args:
        lower: first voxel of the box.
        upper: one past the last, beyond the grid where blocks aren't whole.
        factors: voxels of a block along each axis.
        grid: of the result.
    """

    lower: tuple[int, ...]
    upper: tuple[int, ...]
    factors: tuple[int, int, int]
    grid: Grid

    def __call__(self, data: np.ndarray) -> np.ndarray:
        inside = data[tuple(slice(a, b) for a, b in zip(self.lower, self.upper, strict=True))]
        missing = [b - a - n for a, b, n in zip(self.lower, self.upper, inside.shape, strict=True)]
        if any(missing):
            inside = np.pad(inside, [(0, n) for n in missing])
        return block_mean(inside, self.factors)


def pack(content: ReportContent, *, max_voxels: int = MAX_VOXELS) -> Scene:
    """The layers of a report.

    Args:
        content: with T1c and FLAIR.
        max_voxels: that a volume may have; where the brain has more, voxels are merged along their shortest sides.
    """
    visit, density = content.visit, content.density
    cut = _cut(visit.grid, visit.brain | visit.labels.lesion, max_voxels)
    layers = [_scan(modality, content, cut) for modality in ("t1c", "flair")]
    layers.append(_density(density.data, cut))
    if density.standard_deviation is not None:
        layers.append(_deviation(density.standard_deviation, cut))
    layers.append(_outlines(content, cut))
    return Scene(tuple(layers), cut.grid, _center(content))


def _cut(grid: Grid, mask: np.ndarray, max_voxels: int) -> _Cut:
    """A box around a mask (around everything where it is empty), coarse enough."""
    whole = bounding_box(mask if mask.any() else np.ones(grid.shape, dtype=bool))
    x, y, z = (int(np.ceil(BORDER_MM / spacing)) for spacing in grid.spacing)
    box = whole.grown((x, y, z), grid.shape)
    lengths = np.subtract(box.upper, box.lower)
    factors = np.ones(3, dtype=int)
    while np.prod(-(-lengths // factors)) > max_voxels:
        factors[np.argmin(factors * np.array(grid.spacing))] += 1
    upper = tuple((np.array(box.lower) + -(-lengths // factors) * factors).tolist())
    blocks = tuple(factors.tolist())
    return _Cut(box.lower, upper, blocks, grid.crop(box.lower, upper).coarsen(blocks))


def _scan(modality: str, content: ReportContent, cut: _Cut) -> Layer:
    """Intensities, black and white as in the figures."""
    visit = content.visit
    data = visit[modality].volume.data
    low, high = brain_window(data, visit.brain)
    brightest = max(float(np.percentile(data[visit.brain], BRIGHTEST)) if visit.brain.any() else high, high, 1e-6)
    slope = brightest / (SCAN_CODES - 1)
    codes = np.clip(np.rint(cut(data) / slope), 0, SCAN_CODES - 1).astype(np.uint8)
    nifti = nifti_bytes(codes, cut.grid, slope=slope)
    return Layer(modality, SCAN_NAMES[modality], "scan", nifti, max(low, 0.0), high)


def _density(data: np.ndarray, cut: _Cut) -> Layer:
    """The decadic logarithm of the density."""
    lowest = float(np.log10(FAINTEST_DENSITY))
    slope = -lowest / (LAST_CODE - 1)
    density = cut(data)
    logarithm = np.log10(np.maximum(density, FAINTEST_DENSITY / 10))
    codes = np.clip(np.rint((logarithm - lowest) / slope) + 1, 1, LAST_CODE)
    codes[density < FAINTEST_DENSITY] = 0
    nifti = nifti_bytes(codes.astype(np.uint8), cut.grid, slope=slope, intercept=lowest - slope)
    return Layer("density", "density", "map", nifti, lowest - slope, 0.0, True, _colors("inferno"))


def _deviation(data: np.ndarray, cut: _Cut) -> Layer:
    """The standard deviation of the density."""
    highest = max(float(data.max()), FAINTEST_DENSITY)
    codes = np.clip(np.rint(cut(data) * (LAST_CODE / highest)), 0, LAST_CODE).astype(np.uint8)
    nifti = nifti_bytes(codes, cut.grid, slope=highest / LAST_CODE)
    return Layer("deviation", "standard deviation", "map", nifti, 0.0, highest, colors=_colors("viridis"))


def _outlines(content: ReportContent, cut: _Cut) -> Layer:
    """Masks, one bit each."""
    labels, plan = content.visit.labels, content.plan
    masks = {"core": labels.core, "whole": labels.whole} | dict(plan.volumes)
    codes = np.zeros(cut.grid.shape, dtype=np.uint8)
    for bit, (key, _, _) in enumerate(OUTLINES):
        codes |= (cut(masks[key]) >= 0.5).astype(np.uint8) << bit
    return Layer("outlines", "outlines", "outlines", nifti_bytes(codes, cut.grid), 0.0, float(LAST_CODE))


def _colors(name: str) -> dict[str, list[int]]:
    """A map of colors that is transparent at its first value only."""
    colors = np.rint(255 * colormaps[name](np.linspace(FIRST_COLOR, 1, NUM_COLORS))).astype(int)
    index = np.rint(np.linspace(1, 255, NUM_COLORS)).astype(int)
    channels = {"R": colors[:, 0], "G": colors[:, 1], "B": colors[:, 2], "I": index}
    table = {channel: [int(values[0]), *values.tolist()] for channel, values in channels.items()}
    return table | {"A": [0, *[255] * NUM_COLORS], "I": [0, *index.tolist()]}


def _center(content: ReportContent) -> np.ndarray:
    """Middle of the tumor, through which the planes of the figures pass, too [mm, RAS]."""
    grid = content.visit.grid
    frame = Frame.of(grid)
    turned = frame.center_of(tumor_center(content.visit))
    index = np.empty(3)
    for place, axis, flip in zip(turned, frame.order, frame.flip, strict=True):
        index[axis] = grid.shape[axis] - 1 - place if flip else place
    return grid.world_from_voxel(index)
