"""A field of symmetric diffusion tensors."""

from dataclasses import dataclass

import numpy as np

from gliocast.core.errors import InputError
from gliocast.core.grid import Grid

#: Names of the six components, in the order in which they are stored.
COMPONENTS = ("xx", "yy", "zz", "xy", "xz", "yz")
#: Component of each entry of the 3 x 3 matrix.
MATRIX_INDEX = ((0, 3, 4), (3, 1, 5), (4, 5, 2))
#: An eigenvalue may be negative by this share of the largest component: rounding of float32, several times over [1].
SEMIDEFINITE_TOLERANCE = 1e-5
#: The two halves of a matrix may differ by this share of its largest entry [1].
SYMMETRY_TOLERANCE = 1e-5


@dataclass(frozen=True, eq=False)
class DiffusionTensor:
    """A symmetric, positive semi-definite tensor in each voxel, components along the world axes (RAS).

    The unit is whatever the tensor is of: mm^2/s for water, 1 for mobility relative to white matter.

    Args:
        data: components xx, yy, zz, xy, xz, yz, float32, shape (6, x, y, z); zero where there is none.
        grid: where the voxels lie.

    Raises:
        InputError: the shape is another, a component isn't finite, or an eigenvalue is negative by more than
            `SEMIDEFINITE_TOLERANCE` of the largest component of its tensor.
    """

    data: np.ndarray
    grid: Grid

    def __post_init__(self) -> None:
        data = np.ascontiguousarray(self.data, dtype=np.float32)
        require_tensors(data, self.grid.shape, "diffusion tensor")
        object.__setattr__(self, "data", data)

    @classmethod
    def from_matrices(cls, matrices: np.ndarray, grid: Grid) -> "DiffusionTensor":
        """The field of symmetric matrices of shape (x, y, z, 3, 3), along the world axes.

        Raises:
            InputError: one of them isn't symmetric (`SYMMETRY_TOLERANCE`), or as for `DiffusionTensor`.
        """
        if matrices.shape != (*grid.shape, 3, 3):
            raise InputError(
                "diffusion tensor",
                expected=f"matrices of shape {(*grid.shape, 3, 3)}",
                got=f"{matrices.shape}",
                advice="put the 3 x 3 entries last",
            )
        with np.errstate(invalid="ignore"):  # infinities are refused below
            skew = np.abs(matrices - matrices.swapaxes(-1, -2)).max(axis=(-1, -2))
            crooked = np.count_nonzero(skew > SYMMETRY_TOLERANCE * np.abs(matrices).max(axis=(-1, -2)))
        if crooked:
            raise InputError(
                "diffusion tensor",
                expected="symmetric matrices",
                got=f"{crooked} that are not",
                advice="check the order of the entries",
            )
        return cls(from_matrices(matrices), grid)

    def part(self, grid: Grid) -> "DiffusionTensor":
        """The tensors on a grid that was cropped from this one's."""
        return DiffusionTensor(self.data[(slice(None), *self.grid.locate(grid, "diffusion tensor").slices)], grid)

    def matrices(self) -> np.ndarray:
        """The tensors as matrices, float32, shape (x, y, z, 3, 3)."""
        return to_matrices(self.data)

    def along_voxel_axes(self) -> np.ndarray:
        """Components along the unit vectors of the array's axes, float32, shape (6, x, y, z).

        With those vectors as the columns of U, the components are U^-1 T U^-T: a rotation where the axes are
        orthogonal, as those of scanners are, and right for the operator div(T grad u) where they are not.
        """
        return transform(self.data, np.linalg.inv(self.grid.affine[:3, :3] / self.grid.spacing))


def require_tensors(components: np.ndarray, shape: tuple[int, ...], subject: str) -> None:
    """Raise InputError unless these are finite, positive semi-definite tensors, (6, *shape)."""
    if components.shape != (6, *shape):
        raise InputError(
            subject,
            expected=f"an array of shape {(6, *shape)}",
            got=f"{components.shape}",
            advice="put the six components xx, yy, zz, xy, xz, yz first",
        )
    bad = components.size - np.count_nonzero(np.isfinite(components))
    if bad:
        raise InputError(
            subject,
            expected="finite components",
            got=f"{bad} that are NaN or infinite",
            advice="set the tensors outside of the brain to 0",
        )
    negative = np.count_nonzero(~is_semidefinite(components))
    if negative:
        raise InputError(
            subject,
            expected="positive semi-definite tensors",
            got=f"a negative eigenvalue in {negative} voxels",
            advice="check the order of the components, or set the negative eigenvalues to 0",
        )


def transform(components: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """M T M^T of each tensor, float32; both as six components of shape (6, ...)."""
    result = np.empty(components.shape, dtype=np.float32)
    for c, (a, b) in enumerate(((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))):
        terms = np.zeros(6)
        for i in range(3):
            for j in range(3):
                terms[MATRIX_INDEX[i][j]] += matrix[a, i] * matrix[b, j]
        result[c] = sum(terms[k] * components[k] for k in np.flatnonzero(terms))
    return result


def to_matrices(components: np.ndarray) -> np.ndarray:
    """Matrices of shape (..., 3, 3) from six components of shape (6, ...)."""
    return np.moveaxis(components[np.array(MATRIX_INDEX)], (0, 1), (-2, -1))


def from_matrices(matrices: np.ndarray) -> np.ndarray:
    """Six components of shape (6, ...), float32, from symmetric matrices of shape (..., 3, 3)."""
    rows, columns = (0, 1, 2, 0, 0, 1), (0, 1, 2, 1, 2, 2)
    return np.ascontiguousarray(np.moveaxis(matrices[..., rows, columns], -1, 0), dtype=np.float32)


def is_semidefinite(components: np.ndarray) -> np.ndarray:
    """Whether no eigenvalue is negative beyond `SEMIDEFINITE_TOLERANCE`, bool, shape (x, y, z).

    The tensor plus that much of its largest component times the identity is positive definite if and only if the
    three pivots of its elimination are positive, which is cheaper than its eigenvalues. Slab by slab, for memory.
    """
    result = np.empty(components.shape[1:], dtype=bool)
    for slab, answer in zip(components.swapaxes(0, 1), result, strict=True):
        scale = np.abs(slab).max(axis=0).astype(np.float64)
        unit = slab / np.where(scale > 0, scale, 1)
        xx, yy, zz = unit[:3] + SEMIDEFINITE_TOLERANCE
        xy, xz, yz = unit[3:]
        with np.errstate(divide="ignore", invalid="ignore"):  # a pivot that isn't positive has answered already
            second = yy - xy**2 / xx
            cross = yz - xy * xz / xx
            third = zz - xz**2 / xx - cross**2 / second
        answer[:] = (xx > 0) & (second > 0) & (third > 0)
    return result
