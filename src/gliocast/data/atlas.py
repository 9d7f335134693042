"""The embedded atlas: the MNI152 brain that nilearn ships, nothing to download."""

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

import nibabel as nib
import numpy as np

from gliocast.core import Grid, Volume

#: The atlas files hold probabilities and intensities as bytes.
_BYTE = np.float32(255)


@dataclass(frozen=True, eq=False)
class Atlas:
    """A template brain, everything on one grid.

    Args:
        name: which template, for provenance.
        t1: T1 intensity, skull-stripped, in [0, 1].
        white_matter: probability in [0, 1].
        gray_matter: probability in [0, 1].
    """

    name: str
    t1: Volume
    white_matter: Volume
    gray_matter: Volume


@lru_cache(maxsize=1)
def load_mni152() -> Atlas:
    """ICBM 152 2009a nonlinear symmetric, 1 mm, RAS (Fonov et al., NeuroImage 54, 2011)."""
    # The files are read where nilearn keeps them: importing nilearn itself costs two seconds.
    spec = find_spec("nilearn")
    if spec is None or spec.origin is None:
        raise ImportError("nilearn carries the atlas; install it with: pip install nilearn")
    folder = Path(spec.origin).parent / "datasets" / "data"

    def part(name: str) -> Volume:
        image = nib.Nifti1Image.from_filename(folder / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz")
        data = np.ascontiguousarray(image.get_fdata(dtype=np.float32) / _BYTE)
        return Volume(data, Grid(data.shape, image.affine))

    return Atlas("MNI152 ICBM 2009a nonlinear symmetric, 1 mm", part("t1"), part("wm"), part("gm"))
