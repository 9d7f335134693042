"""What the network tells apart, and how that is written in a schema of labels."""

from collections.abc import Mapping

import numpy as np

from gliocast.core import LabelMap, LabelSchema

#: Classes in the order of the network's outputs; "brain" is what is healthy, the paper's label 5, and an output of
#: those networks alone that were taught it.
CLASSES = ("background", "necrosis", "edema", "enhancing", "brain")

#: Classes of the regions of BraTS.
REGION_CLASSES: Mapping[str, tuple[int, ...]] = {"WT": (1, 2, 3), "TC": (1, 3), "ET": (3,)}

#: Outputs without and with healthy brain.
NUM_PLAIN, NUM_WITH_BRAIN = 4, 5


def classes_of(labels: LabelMap, brain: np.ndarray) -> np.ndarray:
    """Classes of a segmentation, healthy brain included; a resection cavity is none of the tumor. uint8, its shape."""
    classes = np.where(brain, 4, 0).astype(np.uint8)
    for number, mask in enumerate((labels.necrosis, labels.edema, labels.enhancing), start=1):
        classes[mask] = number
    return classes


def labels_of(classes: np.ndarray, schema: LabelSchema) -> np.ndarray:
    """Numbers of a schema for classes; healthy brain is background. uint8, the same shape."""
    numbers: Mapping[int, int] = {1: schema.necrosis, 2: schema.edema, 3: schema.enhancing}
    table = np.zeros(len(CLASSES), np.uint8)
    for number, value in numbers.items():
        table[number] = value
    return table[classes]
