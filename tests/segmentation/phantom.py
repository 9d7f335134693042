"""A brain in memory whose gray values say what every voxel is, on a grid of any orientation."""

from itertools import permutations, product

import numpy as np

from gliocast.core import MODALITIES, SCHEMAS, Grid, LabelMap, Scan, Visit, Volume

#: All ways to name and direct three axes: which axis of the frame each one runs along, and whether against it.
ORIENTATIONS = list(product(permutations(range(3)), product((False, True), repeat=3)))

#: Of voxels of 1 mm whose axes run to the left, back and up.
FRAME_AFFINE = np.array([[-1.0, 0, 0, 40], [0, -1.0, 0, 60], [0, 0, 1.0, -30], [0, 0, 0, 1]])

#: Voxels of the brain that fixtures have.
SHAPE = (30, 36, 27)

#: Gray value on T1c of each class: background, necrosis, edema, enhancing, healthy brain.
GRAY = np.array([0.0, 200.0, 300.0, 400.0, 100.0])


def turned(data, affine, axes, flips):
    """The same image with array axes along others: (array, affine)."""
    matrix, offset = np.zeros((4, 4)), np.zeros(4)
    for new, (old, flip) in enumerate(zip(axes, flips, strict=True)):
        matrix[old, new] = -1 if flip else 1
        offset[old] = data.shape[old] - 1 if flip else 0
    matrix[:, 3] = offset
    matrix[3, 3] = 1
    flipped = np.flip(data.transpose(axes), [axis for axis, flip in enumerate(flips) if flip])
    return np.ascontiguousarray(flipped), affine @ matrix


def brain_classes(shape):
    """An ellipsoid brain, off the middle, with a tumor of necrosis, enhancing rim and edema to one side; uint8."""
    index = np.moveaxis(np.indices(shape), 0, -1).astype(float)
    size = np.array(shape, float)
    radius = np.linalg.norm((index - size * (0.5, 0.52, 0.48)) / (size * 0.4), axis=-1)
    distance = np.linalg.norm(index - size * (0.38, 0.45, 0.6), axis=-1) / size.mean()
    part = np.array([1, 3, 2, 4])[np.digitize(distance, (0.06, 0.1, 0.16))]
    return np.where(radius < 1, part, 0).astype(np.uint8)


def gray_values(classes, seed=0):
    """Scans by modality, zero outside of the brain; T1c says the class, the others vary."""
    generator = np.random.default_rng(seed)
    scans = {name: generator.uniform(50, 500, classes.shape) * (classes > 0) for name in MODALITIES}
    scans["t1c"] = GRAY[classes]
    return {name: scan.astype(np.float32) for name, scan in scans.items()}


def visit_of(classes, scans, affine=FRAME_AFFINE, schema="brats-2021"):
    """A segmented visit."""
    grid, schema = Grid(classes.shape, affine), SCHEMAS[schema]
    numbers = np.array([0, schema.necrosis, schema.edema, schema.enhancing, 0], np.uint8)
    taken = {name: Scan(name, Volume(scan, grid)) for name, scan in scans.items()}
    return Visit(taken, LabelMap(numbers[classes], grid, schema), classes > 0)


def study_of(classes, scans, affine=FRAME_AFFINE):
    """The scans of a visit alone."""
    return visit_of(classes, scans, affine).study
