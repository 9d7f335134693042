"""Finite-volume face coefficients of  div(D grad u)  on a voxel grid."""

from dataclasses import dataclass

import numpy as np


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


def conductance(mobility: np.ndarray, spacing: tuple[float, float, float], dtype: type = np.float32) -> Conductance:
    """Face coefficients from the mobility of cells.

    A face takes the harmonic mean of its two cells, which is the exact series resistance of two half cells and is
    zero as soon as one of them is closed.

    Args:
        mobility: D(x) / D_w >= 0, shape (x, y, z); zero marks closed cells.
        spacing: cell size along the axes [mm].
        dtype: floating type of the result.
    """
    faces: list[np.ndarray] = []
    degree = np.zeros(mobility.shape, dtype=np.float64)
    for axis, step in enumerate(spacing):
        left, right = _neighbors(mobility.astype(np.float64), axis)
        total = left + right
        inner = np.divide(2 * left * right, total, out=np.zeros_like(total), where=total > 0) / step**2
        padding = [(1, 1) if a == axis else (0, 0) for a in range(3)]
        face = np.pad(inner, padding)
        degree += sum(_neighbors(face, axis))
        faces.append(np.ascontiguousarray(face, dtype=dtype))
    return Conductance((faces[0], faces[1], faces[2]), 2 * float(degree.max()), spacing)


def _neighbors(data: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Every cell but the last, and every cell but the first, along an axis."""
    n = data.shape[axis]
    return data.take(range(n - 1), axis), data.take(range(1, n), axis)
