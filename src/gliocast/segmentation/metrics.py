"""How well two segmentations agree: Dice, IoU and HD95 of each label and of the regions of BraTS.

Dice = 2 |a and b| / (|a| + |b|), IoU = |a and b| / |a or b|. The border of a mask is made of its voxels with a face
neighbor outside of it; what lies beyond the grid is outside. HD95 is the larger of the two 95th percentiles of the
distances from the voxels of one border to the nearest of the other.

Distances are found by a tree of the border's voxels. A distance transform finds the same and takes twice as long, and
six times as long where a network sees a few voxels of tumor far off: it then fills a box as large as the brain.

Where a region is empty the rules of BraTS hold: empty on both sides is a perfect match, on one side the worst.

Source: Colle, Brain Tumor Segmentation and Survival Prediction, Section 3.3.2; Bakas et al., arXiv:1811.02629, for
regions, HD95 and empty ones.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from gliocast.core import InputError, LabelMap, bounding_box, dice

#: Regions, and what a `LabelMap` calls each: labels one by one, whole tumor, tumor core, enhancing tumor.
REGIONS = {
    "necrosis": "necrosis",
    "edema": "edema",
    "enhancing": "enhancing",
    "WT": "whole",
    "TC": "core",
    "ET": "enhancing",
}

#: Regions whose mean is the composite.
COMPOSITE = ("WT", "TC", "ET")

#: Share of the distances that HD95 leaves below itself [%].
PERCENTILE = 95.0

#: HD95 of a region that is empty on one side [mm]: the diagonal of the grid of BraTS, 240 x 240 x 155 voxels of 1 mm.
MISSED_HD95_MM = 373.13


@dataclass(frozen=True)
class Agreement:
    """How well two masks agree.

    Args:
        dice: overlap [1], 1 at best.
        iou: intersection over union [1], 1 at best.
        hd95_mm: 95th percentile of the distances between their borders [mm], 0 at best.
    """

    dice: float
    iou: float
    hd95_mm: float


#: Empty on both sides, and on one.
BOTH_EMPTY, ONE_EMPTY = Agreement(1.0, 1.0, 0.0), Agreement(0.0, 0.0, MISSED_HD95_MM)


def compare(found: LabelMap, truth: LabelMap) -> dict[str, Agreement]:
    """How well a segmentation agrees with another, by region (`REGIONS`).

    Neither is preferred: swapped, they agree as well. Schemas may differ. The resection cavity is no region.

    Args:
        found: a segmentation.
        truth: another on the same grid.

    Raises:
        InputError: grids differ.
    """
    truth.grid.require_same(found.grid, "segmentation")
    either = (found.data != 0) | (truth.data != 0)
    if not either.any():
        return dict.fromkeys(REGIONS, BOTH_EMPTY)
    box = bounding_box(either)
    grid = truth.grid.crop(*box)
    first, second = (LabelMap(labels.data[box.slices], grid, labels.schema) for labels in (found, truth))
    agreements = {
        mask: agreement_of(getattr(first, mask), getattr(second, mask), spacing=grid.spacing)
        for mask in dict.fromkeys(REGIONS.values())  # ET and the label are one mask
    }
    return {region: agreements[mask] for region, mask in REGIONS.items()}


def composite_dice(agreements: Mapping[str, Agreement]) -> float:
    """Mean Dice of WT, TC and ET [1], by which checkpoints are chosen."""
    return float(np.mean([agreements[region].dice for region in COMPOSITE]))


def agreement_of(a: np.ndarray, b: np.ndarray, *, spacing: tuple[float, float, float]) -> Agreement:
    """How well two masks agree.

    Args:
        a: bool.
        b: bool, of the same shape.
        spacing: between voxels along each axis [mm].
    """
    if not (a.any() and b.any()):
        return ONE_EMPTY if a.any() or b.any() else BOTH_EMPTY
    iou = np.count_nonzero(a & b) / np.count_nonzero(a | b)
    return Agreement(dice(a, b), iou, hd95(a, b, spacing=spacing))


def hd95(a: np.ndarray, b: np.ndarray, *, spacing: tuple[float, float, float]) -> float:
    """95th percentile of the distances between the borders of two masks, the larger of both directions [mm].

    Args:
        a: bool, not empty.
        b: the same, of the same shape.
        spacing: between voxels along each axis [mm].
    """
    first, second = (np.argwhere(_border(mask)) * np.array(spacing) for mask in (a, b))
    directed = (cKDTree(second).query(first)[0], cKDTree(first).query(second)[0])
    return float(max(np.percentile(distances, PERCENTILE) for distances in directed))


def bootstrap_interval(
    values: np.ndarray, *, generator: np.random.Generator, num_resamples: int = 2000, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap of the mean over patients.

    Args:
        values: one of each patient, (num_patients,).
        generator: draws patients anew.
        num_resamples: how often.
        level: share of the means that the interval holds [1].

    Returns:
        Lower and upper end, in the unit of the values. With few patients it is too narrow: by a sixth with ten.

    Raises:
        InputError: there is no value, one isn't finite, or the options are out of range.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all() or num_resamples < 1 or not 0 < level < 1:
        raise InputError(
            "bootstrap",
            expected="finite values of patients, one resample or more and a level between 0 and 1",
            got=f"{values.tolist()}, {num_resamples} resamples, level {level}",
            advice="leave out patients without a value",
        )
    means = values[generator.integers(len(values), size=(num_resamples, len(values)))].mean(axis=1)
    lower, upper = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return float(lower), float(upper)


def _border(mask: np.ndarray) -> np.ndarray:
    """Voxels of a mask with a face neighbor outside of it, bool."""
    return mask & ~ndimage.binary_erosion(mask)
