"""Water diffusion tensors from NIfTI files, which agree neither on the order of the components nor on their axes.

- `fsl`: xx xy xz yy yz zz, FSL's dtifit --save_tensor. Axes `fsl`: those of the array, x reversed where the affine's
  determinant is positive.
- `mrtrix`: xx yy zz xy xz yz, MRtrix's dwi2tensor. Axes `world`: RAS.
- `symmatrix`: xx xy yy xz yz zz, NIfTI's SYMMATRIX (intent code 1005) as ANTs, DIPY and AFNI write it. Axes `voxel`:
  those of the array, as ANTs has it.

A wrong order shows in negative eigenvalues; wrong axes show in nothing but the direction of growth. DIPY writes the
order `symmatrix` along the axes of its b-vectors, which are `fsl` if they come from an FSL .bvec file.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from gliocast.core import DiffusionTensor, Grid, InputError
from gliocast.core.tensor import COMPONENTS, from_matrices, is_semidefinite, to_matrices, transform
from gliocast.data.nifti import file_label, read_components

Order = Literal["fsl", "mrtrix", "symmatrix"]
Axes = Literal["fsl", "voxel", "world"]

#: Components in the order of the volumes, and the axes that writers of this order use.
ORDERS: dict[str, tuple[tuple[str, ...], Axes]] = {
    "fsl": (("xx", "xy", "xz", "yy", "yz", "zz"), "fsl"),
    "mrtrix": (("xx", "yy", "zz", "xy", "xz", "yz"), "world"),
    "symmatrix": (("xx", "xy", "yy", "xz", "yz", "zz"), "voxel"),
}
#: NIfTI's code of a symmetric matrix in each voxel, lower triangle row by row.
SYMMATRIX_INTENT = 1005
#: A least-squares fit gives some noisy voxels a negative eigenvalue; where more than this share of the tensors have
#: one, the order is wrong or air was fitted [1].
MAX_MENDED_SHARE = 0.1


@dataclass(frozen=True, eq=False)
class TensorImage:
    """Tensors from a file.

    Args:
        tensor: along the world axes, in the file's unit (mm^2/s as a rule).
        num_mended: voxels in which a negative eigenvalue was set to zero.
    """

    tensor: DiffusionTensor
    num_mended: int


def read_diffusion_tensor(path: Path, *, order: Order | None = None, axes: Axes | None = None) -> TensorImage:
    """Read the six components of a diffusion tensor and turn them to the world axes.

    Args:
        path: a .nii or .nii.gz file with six volumes.
        order: of the components (see above); may be left out where the header's intent code says SYMMATRIX.
        axes: along which they are; those usual for the order by default.

    Raises:
        InputError: the file is no sound image of six volumes, the order is unknown or must be named, or the tensors
            have negative eigenvalues in more than `MAX_MENDED_SHARE` of the voxels that have a tensor.
    """
    label = file_label(path, "diffusion tensor")
    known = ", ".join(ORDERS)
    if order is not None and order not in ORDERS:
        raise InputError(label, expected=f"an order among {known}", got=f"{order}", advice="name who wrote the file")
    if axes not in (None, "fsl", "voxel", "world"):
        raise InputError(label, expected="axes among fsl, voxel, world", got=f"{axes}", advice="name who wrote it")
    stored, grid, intent = read_components(path, "diffusion tensor", len(COMPONENTS))
    if order is None and intent != SYMMATRIX_INTENT:
        raise InputError(
            label,
            expected=f"the order of the components named, one of {known}",
            got="none, and a header that doesn't say",
            advice="name it: fsl for dtifit, mrtrix for dwi2tensor",
        )
    names, usual = ORDERS[order or "symmatrix"]
    data = stored[[names.index(name) for name in COMPONENTS]]
    del stored
    frame = axes or usual
    if frame != "world":
        data = transform(data, _world_from(frame, grid))
    num_mended = _mend(data, label)
    return TensorImage(DiffusionTensor(data, grid), num_mended)


def _world_from(axes: Axes, grid: Grid) -> np.ndarray:
    """The orthogonal matrix whose columns are a file's axes in the world; the nearest one to a sheared grid's."""
    left, _, right = np.linalg.svd(grid.affine[:3, :3] / grid.spacing)
    rotation = left @ right
    if axes == "fsl" and np.linalg.det(rotation) > 0:
        rotation[:, 0] *= -1
    return rotation


def _mend(data: np.ndarray, label: str) -> int:
    """Set negative eigenvalues to zero, in place; returns in how many voxels."""
    negative = ~is_semidefinite(data)
    num_mended, num_tensors = int(np.count_nonzero(negative)), int(np.count_nonzero(data.any(axis=0)))
    if num_tensors == 0:
        raise InputError(label, expected="tensors", got="zero in every voxel", advice="export the file again")
    if num_mended > MAX_MENDED_SHARE * num_tensors:
        raise InputError(
            label,
            expected="positive semi-definite tensors",
            got=f"negative eigenvalues in {num_mended} of {num_tensors} voxels",
            advice="check the order of the components, and mask the tensors to the brain",
        )
    if num_mended:
        values, vectors = np.linalg.eigh(to_matrices(data[:, negative].astype(np.float64)))
        values = np.maximum(values, 0)
        data[:, negative] = from_matrices((vectors * values[:, None, :]) @ vectors.swapaxes(-1, -2))
    return num_mended
