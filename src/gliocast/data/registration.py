"""Registration of one brain to another, by picsl_greedy: affine, then a dense deformation.

Both stages run without greedy's random jitter, and the affine one on a single thread, so that a registration repeats
to the bit: several threads would add up the joint histogram in whatever order they finish.
"""

import ctypes
import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import numba
import numpy as np
import SimpleITK as sitk
from picsl_greedy import Greedy3D
from scipy.spatial.transform import Rotation

from gliocast.core import Grid, Volume

#: Iterations per resolution level, coarse to fine. The finest level is left out: of the affine stage it changes the
#: final match by less than 0.003, of the deformable one it costs twice all others for borders that move by less than
#: the fit's own grid (intensity correlation 0.71 against 0.68, measured on TCGA-FG-6692).
AFFINE_ITERATIONS, DEFORMABLE_ITERATIONS = "100x50x0", "100x50x0"

#: Radius of the normalized cross-correlation window [voxels].
NCC_RADIUS = "2x2x2"

#: Axis times angle of the slight turn that a search begins with [rad]; no axis of it is special.
_START_TURN = np.deg2rad([1.0, -1.3, 0.8])

#: What a registration depends on besides its images; part of the cache key.
REGISTRATION_VERSION = (
    f"picsl_greedy {version('picsl_greedy')}, affine NMI {AFFINE_ITERATIONS}, "
    f"NCC {NCC_RADIUS} {DEFORMABLE_ITERATIONS}, 4"
)


def to_sitk(data: np.ndarray, grid: Grid) -> sitk.Image:
    """An ITK image, whose world is LPS where ours is RAS; float32."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(data.T, dtype=np.float32))
    flip = np.diag([-1.0, -1.0, 1.0])
    direction = flip @ (grid.affine[:3, :3] / np.array(grid.spacing))
    image.SetSpacing(grid.spacing)
    image.SetOrigin(tuple(flip @ grid.affine[:3, 3]))
    image.SetDirection(tuple(direction.ravel()))
    return image


def _from_sitk(image: sitk.Image) -> np.ndarray:
    return np.ascontiguousarray(sitk.GetArrayFromImage(image).T)


@contextmanager
def _silent_stdout() -> Iterator[None]:
    """Send what greedy's C code prints to nowhere; its optimizer reports each line search that fails."""
    flush_c = ctypes.CDLL(None).fflush
    sys.stdout.flush()
    flush_c(None)
    saved = os.dup(1)
    with open(os.devnull, "wb") as nowhere:  # noqa: PTH123  # os.devnull is no file of ours
        os.dup2(nowhere.fileno(), 1)
        try:
            yield
        finally:
            flush_c(None)  # or C's buffer would be written later, when descriptor 1 is the terminal again
            os.dup2(saved, 1)
            os.close(saved)


def _similarity(fixed: Volume, moving: Volume) -> np.ndarray:
    """World-to-world map (4, 4) that lays the brain of one image on the other's by center and volume.

    A slight turn is added: between parallel voxel lattices mutual information has spikes that stop the search where it
    begins. Random jitter of the samples would do the same, but not the same twice.
    """
    centers, sizes = [], []
    for volume in (fixed, moving):
        inside = np.argwhere(volume.data > 0)
        centers.append(volume.grid.world_from_voxel(inside.mean(axis=0)))
        sizes.append(len(inside) * volume.grid.voxel_volume)
    scale = (sizes[1] / sizes[0]) ** (1 / 3)
    start = np.eye(4)
    start[:3, :3] = scale * Rotation.from_rotvec(_START_TURN).as_matrix()
    start[:3, 3] = centers[1] - start[:3, :3] @ centers[0]
    return start


class Registration:
    """Moves an atlas onto a patient, first affinely, then with a dense deformation.

    Args:
        fixed: the image to match, here the patient's T1.
        moving: the image that is moved, here the atlas.
        use: voxels of the fixed image that may drive the match (outside the lesion), bool.
    """

    def __init__(self, *, fixed: Volume, moving: Volume, use: np.ndarray) -> None:
        self._greedy = Greedy3D()
        self._images = {
            "fixed": to_sitk(fixed.data, fixed.grid),
            "moving": to_sitk(moving.data, moving.grid),
            "use": to_sitk(use, fixed.grid),
        }
        self._moving = moving.grid
        self._start = _similarity(fixed, moving)
        self._transforms = ""

    def affine(self) -> None:
        """Twelve degrees of freedom, normalized mutual information, from matched brain centers and volumes."""
        options = f"-threads 1 -a -dof 12 -m NMI -n {AFFINE_ITERATIONS} -jitter 0 -i fixed moving -gm use -o affine"
        with TemporaryDirectory() as folder:
            start = Path(folder) / "start.mat"  # greedy takes a start from a file alone
            np.savetxt(start, self._start)
            self._run(f"{options} -ia {start}", **self._images, affine=None)
        self._transforms = "affine"

    def deformable(self) -> None:
        """Local normalized cross-correlation; starts from the affine match.

        Threads are as many as numba has here: those of the cores that this process may use, or its share of them beside
        others. Their number changes nothing.
        """
        options = f"-threads {numba.get_num_threads()} -m NCC {NCC_RADIUS} -n {DEFORMABLE_ITERATIONS} -noise 0"
        self._run(f"{options} -i fixed moving -gm use -it affine -o warp", warp=None)
        self._transforms = "warp affine"

    def resample(self, *volumes: Volume) -> list[np.ndarray]:
        """Volumes of the moving image's world on the fixed grid, linear, zero outside their field of view."""
        images: dict[str, sitk.Image | None] = {}
        pairs = []
        for number, volume in enumerate(volumes):
            images[f"source{number}"], images[f"moved{number}"] = to_sitk(volume.data, volume.grid), None
            pairs.append(f"-rm source{number} moved{number}")
        self._run(f"-rf fixed {' '.join(pairs)} -r {self._transforms}", **images)
        return [_from_sitk(self._greedy[f"moved{number}"]) for number in range(len(volumes))]

    def coordinates(self, grid: Grid) -> np.ndarray:
        """World coordinates in the moving image of each voxel of a grid in the fixed one's world, (3, x, y, z) [mm]."""
        moving = self._moving
        axes = np.meshgrid(*(np.arange(n) for n in moving.shape), indexing="ij")
        world = np.moveaxis(moving.world_from_voxel(np.stack(axes, axis=-1)), -1, 0)
        images: dict[str, sitk.Image | None] = {"lattice": to_sitk(np.zeros(grid.shape), grid)}
        pairs = []
        for axis, part in zip("xyz", world, strict=True):
            images[f"world_{axis}"], images[f"placed_{axis}"] = to_sitk(part, moving), None
            pairs.append(f"-rm world_{axis} placed_{axis}")
        self._run(f"-rf lattice {' '.join(pairs)} -r {self._transforms}", **images)
        return np.stack([_from_sitk(self._greedy[f"placed_{axis}"]) for axis in "xyz"])

    def _run(self, options: str, **images: sitk.Image | None) -> None:
        # Greedy prints its optimizer's start at every verbosity, by default to what was sys.stdout at its import.
        unheard = io.StringIO()
        with _silent_stdout():
            self._greedy.execute(f"-d 3 -V 0 {options}", out=unheard, err=unheard, **images)
