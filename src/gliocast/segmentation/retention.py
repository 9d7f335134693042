"""What a crop around the middle keeps, Tables 1 and 2 of the paper."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from gliocast.segmentation.classes import CLASSES
from gliocast.segmentation.examples import Example


@dataclass(frozen=True, eq=False)
class Retention:
    """Voxels of each class, a mean over patients, in the order of `CLASSES`.

    Args:
        whole: in the whole scans, (5,).
        cropped: in the crop, (5,).
    """

    whole: np.ndarray
    cropped: np.ndarray

    @property
    def retained(self) -> np.ndarray:
        """Share of each class that the crop keeps [1], (5,); nan where there is none."""
        with np.errstate(invalid="ignore"):
            return self.cropped / np.where(self.whole > 0, self.whole, np.nan)


def retention(examples: Iterable[Example], edge: int) -> Retention:
    """What a cube of an edge around the middle of the scans keeps."""
    counts = []
    for example in examples:
        classes = example.classes.numpy()
        inside = np.bincount(classes.ravel(), minlength=len(CLASSES))
        inside[0] += int(np.prod(example.shape)) - classes.size
        lower = (np.array(example.shape) - edge) // 2 - np.array(example.lower)
        window = classes[tuple(slice(max(0, a), max(0, a + edge)) for a in lower)]
        kept = np.bincount(window.ravel(), minlength=len(CLASSES))
        size = int(np.prod(np.minimum(edge, example.shape)))
        kept[0] += size - window.size
        counts.append((inside, kept))
    whole, cropped = np.array(counts, float).mean(axis=0)
    return Retention(whole, cropped)
