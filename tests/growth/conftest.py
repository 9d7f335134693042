import numpy as np
import pytest
import torch

from gliocast.core import Anatomy, DiffusionTensor, Grid

#: For `gradcheck`: one derivative along a random direction instead of one an entry. A percent in one of 400 entries
#: still shows; with `gradcheck`'s own tolerances, a tenth doesn't.
ALONG_A_DIRECTION = {"fast_mode": True, "eps": 1e-6, "atol": 1e-8, "rtol": 1e-6}


def make_anatomy(white: np.ndarray, gray: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Anatomy:
    grid = Grid(white.shape, np.diag([*spacing, 1.0]))
    csf = np.clip(1 - white - gray, 0, 1)
    return Anatomy(*(part.astype(np.float32) for part in (white, gray, csf)), white + gray + csf > 0, grid)


@pytest.fixture(scope="module")
def one_thread():
    """For tensors that are too small to share: on a busy machine threads would wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture
def uniform():
    """All white matter: a box without obstacles."""

    def build(shape=(48, 44, 40), spacing=(1.0, 1.0, 1.0)):
        return make_anatomy(np.ones(shape), np.zeros(shape), spacing)

    return build


@pytest.fixture
def patchy():
    """White and gray matter mixed at random, with a slab and random holes of fluid."""

    def build(shape=(34, 31, 29), spacing=(1.0, 1.0, 1.0), seed=0):
        generator = np.random.default_rng(seed)
        white = generator.uniform(0, 1, shape)
        gray = 1 - white
        fluid = generator.uniform(0, 1, shape) < 0.1
        fluid[:, : shape[1] // 5] = True
        white[fluid], gray[fluid] = 0, 0
        return make_anatomy(white, gray, spacing)

    return build


@pytest.fixture
def turning():
    """Water tensors of varying direction and of an anisotropy of 6, on an anatomy's grid."""

    def build(grid):
        points = np.moveaxis(np.indices(grid.shape), 0, -1) / 9.0
        angle, height = points[..., 0] + points[..., 1], points[..., 2]
        fiber = np.stack([np.cos(angle) * np.cos(height), np.sin(angle) * np.cos(height), np.sin(height)], axis=-1)
        return DiffusionTensor.from_matrices(np.eye(3) + 5 * fiber[..., :, None] * fiber[..., None, :], grid)

    return build
