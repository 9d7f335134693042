"""Specks that a network sees and a rater wouldn't outline: small parts of tumor far off, a few voxels of enhancement.

By the rules of BraTS a single false voxel of enhancement in a tumor that has none turns a Dice of 1 into 0, so small
enhancing volumes are called what they lie in, the core that takes up no contrast agent. Challenges have been won so:
Isensee et al., nnU-Net for Brain Tumor Segmentation (2020).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy import ndimage

from gliocast.core import InputError, bounding_box, dice
from gliocast.segmentation.classes import CLASSES, NUM_PLAIN, REGION_CLASSES

#: Sizes that are tried [ml]. Parts below 0.1 ml go in any case: real scans have more that looks like specks, vessels
#: above all, than digital ones show.
_TUMOR_ML, _ENHANCING_ML = (0.1, 0.3, 1.0), (0.0, 0.03, 0.1, 0.2, 0.4, 0.8)

_NECROSIS, _ENHANCING = CLASSES.index("necrosis"), CLASSES.index("enhancing")


@dataclass(frozen=True)
class Specks:
    """What is too small to be shown; 0 shows everything.

    Args:
        tumor_ml: connected parts of tumor below this are left out, but for the largest one [ml].
        enhancing_ml: where all enhancing tumor together is less than this it is called necrosis [ml].
    """

    tumor_ml: float = 0.0
    enhancing_ml: float = 0.0

    def __post_init__(self) -> None:
        if not (self.tumor_ml >= 0 and self.enhancing_ml >= 0):  # also false for nan
            raise InputError("specks", expected="volumes of 0 ml or more", got=f"{self}", advice="use the defaults")

    def removed(self, classes: np.ndarray, voxel_volume: float) -> np.ndarray:
        """Classes without specks, uint8, (x, y, z).

        Args:
            classes: with or without healthy brain, which stays as it is, (x, y, z).
            voxel_volume: [mm^3].
        """
        tumor = (classes > 0) & (classes < NUM_PLAIN)
        kept = _large_parts(tumor, self.tumor_ml * 1000 / voxel_volume)
        found = np.where(tumor & ~kept, 0, classes).astype(np.uint8)
        enhancing = found == _ENHANCING
        if np.count_nonzero(enhancing) * voxel_volume < 1000 * self.enhancing_ml:
            found[enhancing] = _NECROSIS
        return found


def choose_specks(patients: Iterable[tuple[np.ndarray, np.ndarray, float]]) -> Specks:
    """What is best left out: the highest mean Dice of WT, TC and ET; of equals the one that leaves out least.

    Args:
        patients: none of those that the network learned from; classes that it sees, true ones, uint8 (x, y, z) both,
            and volume of a voxel [mm^3].
    """
    tried = [Specks(*sizes) for sizes in product(_TUMOR_ML, _ENHANCING_ML)]
    scores = [
        [_score(specks.removed(seen, volume), truth) for specks in tried]
        for seen, truth, volume in map(_cropped, patients)
    ]
    return tried[int(np.argmax(np.round(np.mean(scores, axis=0), 4)))] if scores else tried[0]


def _cropped(patient: tuple[np.ndarray, np.ndarray, float]) -> tuple[np.ndarray, np.ndarray, float]:
    """Classes of tumor in the box around what either shows."""
    seen, truth, volume = patient
    seen, truth = (np.where(classes < NUM_PLAIN, classes, 0).astype(np.uint8) for classes in (seen, truth))
    either = (seen > 0) | (truth > 0)
    if not either.any():
        return seen[:1, :1, :1], truth[:1, :1, :1], volume
    box = bounding_box(either).slices
    return seen[box], truth[box], volume


def _score(seen: np.ndarray, truth: np.ndarray) -> float:
    """Mean Dice of the regions; 1 where one is empty on both sides."""
    values = []
    for part in REGION_CLASSES.values():
        a, b = np.isin(seen, part), np.isin(truth, part)
        values.append(dice(a, b) if a.any() or b.any() else 1.0)
    return float(np.mean(values))


def _large_parts(mask: np.ndarray, fewest: float) -> np.ndarray:
    """Connected parts (26 neighbors) of at least so many voxels, and the largest one whatever its size."""
    parts, number = ndimage.label(mask, np.ones((3, 3, 3)))
    if number < 2 or fewest <= 1:
        return mask
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    large = sizes >= fewest
    large[sizes.argmax()] = True
    large[0] = False
    return np.asarray(large[parts])
