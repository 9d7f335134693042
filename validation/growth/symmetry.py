"""Brains that are mirrored, permuted or turned grow tumors that are."""

from collections.abc import Iterator

import numpy as np

from gliocast.core import Anatomy, DiffusionTensor, Grid, GrowthModel
from gliocast.growth.models import FisherKolmogorov, TensorFisherKolmogorov

from .scenes import OWN, anatomy_of, gaussian, model, patchy, relative, solve
from .table import Row, below

SHAPE, SPACING, CENTER = (18, 16, 12), (1.0, 1.3, 2.0), (8.2, 9.1, 11.4)
#: Signed permutations of the axes: new axis, old axis, sign.
MAPS = {
    "mirrored along x": np.diag([-1, 1, 1]),
    "mirrored along y and z": np.diag([1, -1, -1]),
    "axes in the order z, x, y": np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0]]),
    "turned by 90 degrees about z": np.array([[0, -1, 0], [1, 0, 0], [0, 0, 1]]),
}


def rows() -> Iterator[Row]:
    anatomy = patchy(SHAPE, SPACING)
    first = gaussian(SHAPE, SPACING, CENTER, 2.5, 0.5)
    for name in OWN:
        equation = model(name, anatomy.grid)
        (ours,) = solve(equation, OWN[name], anatomy, first, [60.0])
        worst, worst_map = 0.0, ""
        for label, matrix in MAPS.items():
            there = moved_anatomy(anatomy, matrix)
            other = moved_model(equation, matrix, there.grid)
            (moved,) = solve(other, OWN[name], there, move(first, matrix), [60.0])
            error = max(relative(moved[field], move(ours[field], matrix)) for field in ours)
            if error >= worst:
                worst, worst_map = error, label
        yield below(
            f"{name}: tumor in a brain that is mirrored, permuted or turned by 90 degrees (tensors with it), relative "
            f"error, worst of {len(MAPS)} ({worst_map})",
            worst,
            1e-5 if name == "tensor" else 1e-12,
            "tensors of water are stored in float32" if name == "tensor" else "rounding of float64 in another order",
        )
    yield below(
        "Tensor model with tensors without direction against Fisher-Kolmogorov, relative L2 error",
        isotropic_error(anatomy, first),
        1e-6,
        "coefficients from float32",
    )


def move(field: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """A field after a signed permutation of the axes."""
    moved = np.transpose(field, [int(np.flatnonzero(row)[0]) for row in matrix])
    flips = [axis for axis, row in enumerate(matrix) if row.sum() < 0]
    return np.ascontiguousarray(np.flip(moved, flips))


def moved_anatomy(anatomy: Anatomy, matrix: np.ndarray) -> Anatomy:
    spacing = tuple(np.abs(matrix) @ np.array(SPACING))
    return anatomy_of(move(anatomy.white_matter, matrix), move(anatomy.gray_matter, matrix), spacing)


def moved_model(equation: GrowthModel, matrix: np.ndarray, grid: Grid) -> GrowthModel:
    if not isinstance(equation, TensorFisherKolmogorov):
        return equation
    turned = np.einsum("ai,...ij,bj->...ab", matrix, equation.water.matrices(), matrix)
    entries = [[move(turned[..., a, b], matrix) for b in range(3)] for a in range(3)]
    return TensorFisherKolmogorov(DiffusionTensor.from_matrices(np.moveaxis(np.array(entries), (0, 1), (-2, -1)), grid))


def isotropic_error(anatomy: Anatomy, first: np.ndarray) -> float:
    identity = DiffusionTensor.from_matrices(np.broadcast_to(7e-4 * np.eye(3), (*SHAPE, 3, 3)), anatomy.grid)
    # the same time steps: those of the tensor model expect diffusion along fibers
    accuracy = 1e-6
    tensor, scalar = (
        solve(equation, OWN["tensor"], anatomy, first, [20.0], accuracy=accuracy)[0]["density"]
        for equation in (TensorFisherKolmogorov(identity), FisherKolmogorov())
    )
    return relative(tensor, scalar)
