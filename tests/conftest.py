"""A small synthetic patient and, where they are present, real scans."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import nibabel as nib
import numba
import numpy as np
import pytest
from scipy import ndimage
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"

#: Files of tests that share what takes long to make: loops that are compiled, types that are checked.
TOGETHER = {"growth": ("tests/growth/",), "types": ("tests/test_house.py", "tests/docs/test_extending.py")}

#: What takes longest begins first, so that processes end together.
LONGEST = (
    "tests/growth/",
    "tests/test_readme.py",
    "tests/pipeline/test_run.py",
    "tests/test_patients.py",
    "tests/inference/test_npe.py",
    "tests/test_house.py",
    "tests/docs/test_extending.py",
    "tests/problem/",
    "tests/pipeline/",
)

#: Grid of the small patient: 3 mm, LPS like BraTS, the world's origin in the middle of the head.
SMALL_SHAPE, SMALL_SPACING = (56, 64, 50), 3.0
SMALL_AFFINE = np.array(
    [[-SMALL_SPACING, 0, 0, 82.5], [0, -SMALL_SPACING, 0, 94.5], [0, 0, SMALL_SPACING, -73.5], [0, 0, 0, 1]]
)
#: Half axes of the ellipsoid brain [mm]: 1.46 l.
BRAIN_HALF_AXES = (66, 84, 63)
#: Center of the tumor [mm, RAS] and the radii of its necrosis, core and whole [mm].
TUMOR_CENTER, TUMOR_RADII = (28, 10, 20), (7, 13, 22)
#: Gray values of (csf, gray matter, white matter, necrosis, enhancing, edema).
INTENSITIES = {
    "t1": (120, 330, 450, 250, 320, 280),
    "t1c": (130, 350, 470, 260, 700, 300),
    "t2": (900, 480, 340, 800, 500, 700),
    "flair": (90, 420, 330, 380, 480, 720),
}


class TogetherScheduling(LoadScopeScheduling):
    """A process takes a file of tests at a time, or several whose tests share what takes long to make.

    xdist's groups would say this test by test; it writes them into names that pytest 9 no longer reads.
    """

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0]
        return next((name for name, beginnings in TOGETHER.items() if file.startswith(beginnings)), file)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> TogetherScheduling | None:
    """The scheduling of `pytest -n`, unless another is asked for with `--dist`."""
    if config.getvalue("dist") != "load":
        return None
    config.option.loadscopereorder = False  # not by number of tests, for these differ more in what they take
    return TogetherScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first."""
    begins = [next((n for n, place in enumerate(LONGEST) if i.nodeid.startswith(place)), len(LONGEST)) for i in items]
    items[:] = [items[n] for n in np.argsort(begins, kind="stable")]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Solves have one thread: processes of tests fill the cores, and loops with threads take long to compile."""
    numba.set_num_threads(1)


@pytest.fixture
def two_threads(_one_thread: None) -> Iterator[None]:
    """For a test of what threads share."""
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("there is one core")
    numba.set_num_threads(2)
    yield
    numba.set_num_threads(1)


def _small_patient_arrays() -> dict[str, np.ndarray]:
    """Scans (int16) and labels (uint8; 1, 2, 4) of an ellipsoid brain with cortex, ventricles and one tumor."""
    generator = np.random.default_rng(0)
    voxels = np.stack(np.meshgrid(*(np.arange(n) for n in SMALL_SHAPE), indexing="ij"), axis=-1)
    x, y, z = np.moveaxis(voxels @ SMALL_AFFINE[:3, :3].T + SMALL_AFFINE[:3, 3], -1, 0)
    radius = np.sqrt(sum((axis / half) ** 2 for axis, half in zip((x, y, z), BRAIN_HALF_AXES, strict=True)))
    tissue = np.select([((abs(x) - 12) / 9) ** 2 + (y / 30) ** 2 + ((z - 8) / 12) ** 2 < 1, radius > 0.86], [0, 1], 2)
    distance = np.sqrt(sum((axis - c) ** 2 for axis, c in zip((x, y, z), TUMOR_CENTER, strict=True)))
    part = np.digitize(distance, TUMOR_RADII)  # 0 necrosis, 1 enhancing, 2 edema, 3 healthy
    brain = radius < 1
    arrays = {"seg": np.where(brain, np.array([1, 4, 2, 0])[part], 0).astype(np.uint8)}
    for modality, values in INTENSITIES.items():
        clean = np.where(part < 3, np.array([*values[3:], 0])[part], np.array(values[:3])[tissue])
        texture = ndimage.gaussian_filter(generator.standard_normal(SMALL_SHAPE), 1.5)
        image = ndimage.gaussian_filter(clean.astype(float), 0.5) * (1 + 0.05 * texture / texture.std())
        arrays[modality] = np.where(brain, image, 0).astype(np.int16)
    return arrays


def _save_nifti(path: Path, array: np.ndarray, affine: np.ndarray = SMALL_AFFINE) -> Path:
    """Write a NIfTI file with both forms set, the plain way, not through the code under test."""
    image = nib.Nifti1Image(array, affine)
    image.set_qform(affine, 1)
    image.set_sform(affine, 1)
    nib.save(image, path)
    return path


@pytest.fixture(scope="session")
def save_nifti() -> Callable[..., Path]:
    """The function `save_nifti(path, array, affine=<that of the small patient>) -> path`."""
    return _save_nifti


@pytest.fixture(scope="session")
def small_patient_affine() -> np.ndarray:
    """Affine of the small patient's grid [mm, RAS]."""
    return SMALL_AFFINE.copy()


@pytest.fixture(scope="session")
def small_patient_arrays() -> dict[str, np.ndarray]:
    """The small patient's voxels by t1, t1c, t2, flair and seg; don't change them."""
    return _small_patient_arrays()


@pytest.fixture(scope="session")
def small_patient_template(tmp_path_factory, small_patient_arrays) -> Path:
    """Don't change what is in here; `small_patient_folder` is a copy."""
    folder = tmp_path_factory.mktemp("template") / "patient-small"
    folder.mkdir()
    for name, array in small_patient_arrays.items():
        _save_nifti(folder / f"{name}.nii.gz", array)
    return folder


@pytest.fixture
def small_patient_folder(small_patient_template, tmp_path) -> Path:
    """A patient's folder, t1 t1c t2 flair seg, small enough to read in no time; a test may change the files."""
    return Path(shutil.copytree(small_patient_template, tmp_path / "patient-small"))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real scans; tests that need it are skipped where it is absent."""
    if not (SHARED_DATA / "tcga-fg-6692").is_dir():
        pytest.skip(f"real scans are not present in {SHARED_DATA}")
    return SHARED_DATA
