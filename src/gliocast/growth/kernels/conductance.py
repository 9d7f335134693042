"""Finite-volume face coefficients of  div(D grad u)  on a voxel grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from gliocast.growth.kernels.numba_loops import SINGLE


@dataclass(frozen=True, eq=False)
class Conductance:
    """What two neighboring cells exchange per unit difference of density and unit diffusivity.

    The flux through a face is one number, subtracted from one cell and added to the other, so mass is conserved to
    rounding; the coefficient is zero at the rim of the tissue and of the grid, so nothing leaks.

    Args:
        faces: three arrays; `faces[a]` is one longer than the grid along axis a, and its entry i couples the cells
            i - 1 and i [1/mm^2], float32 or float64.
        bound: Gershgorin bound of the operator's spectral radius [1/mm^2].
        spacing: cell size [mm].
    """

    faces: tuple[np.ndarray, np.ndarray, np.ndarray]
    bound: float
    spacing: tuple[float, float, float]

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of cells along each axis."""
        x, y, z = self.faces[0].shape[-3:]
        return x - 1, y, z

    @classmethod
    def stack(cls, parts: Sequence["Conductance"]) -> "Conductance":
        """Those of several media as one, with a leading axis for the medium."""
        x, y, z = (np.stack([part.faces[axis] for part in parts]) for axis in range(3))
        return cls((x, y, z), max(part.bound for part in parts), parts[0].spacing)

    def closed(self, cells: np.ndarray) -> "Conductance":
        """The same with some cells (bool) shut off from their neighbors."""
        faces = []
        for axis, face in enumerate(self.faces):
            sides = [[(0, 0)] * 3, [(0, 0)] * 3]
            sides[0][axis], sides[1][axis] = (1, 0), (0, 1)
            touched = np.pad(cells, sides[0]) | np.pad(cells, sides[1])
            faces.append(np.where(touched, face.dtype.type(0), face))
        return Conductance((faces[0], faces[1], faces[2]), self.bound, self.spacing)


def conductance(mobility: np.ndarray, spacing: tuple[float, float, float], dtype: type = np.float32) -> Conductance:
    """Face coefficients from the mobility of cells.

    A face takes the harmonic mean of its two cells, which is the exact series resistance of two half cells and is
    zero as soon as one of them is closed.

    Args:
        mobility: D(x) / D_w >= 0, shape (x, y, z); zero marks closed cells.
        spacing: cell size along the axes [mm].
        dtype: floating type of the result.
    """
    faces = empty_faces(mobility.shape, dtype)
    everywhere = ((0, 0, 0), mobility.shape)
    cells: np.ndarray = np.ascontiguousarray(mobility, dtype)
    degree = SINGLE.faces(cells, *faces, *everywhere, *inverse_squares(spacing, dtype))
    return Conductance(faces, 2 * float(degree), spacing)


def empty_faces(shape: tuple[int, ...], dtype: type) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three face arrays, all closed."""
    x, y, z = shape
    return np.zeros((x + 1, y, z), dtype), np.zeros((x, y + 1, z), dtype), np.zeros((x, y, z + 1), dtype)


def inverse_squares(spacing: tuple[float, float, float], dtype: type) -> tuple[float, float, float]:
    """1 / h^2 along each axis [1/mm^2]."""
    a, b, c = (dtype(1 / h**2) for h in spacing)
    return a, b, c
