import numpy as np
import pytest

from gliocast.anatomy import tensor_mobility
from gliocast.anatomy.diffusion_tensor import anisotropy_weights
from gliocast.anatomy.mobility import TISSUE_FRACTION
from gliocast.core import Anatomy, DiffusionTensor, Grid, InputError

SHAPE = (6, 5, 4)
GRID = Grid(SHAPE, np.eye(4))


def make_anatomy(seed=0):
    white, gray, csf = np.random.default_rng(seed).dirichlet((1, 1, 1), SHAPE).astype(np.float32).transpose(3, 0, 1, 2)
    brain = np.ones(SHAPE, dtype=bool)
    brain[0] = False
    return Anatomy(white, gray, csf, brain, GRID)


def make_water(eigenvalues=(1.7e-3, 3e-4, 2e-4), seed=1):
    """Tensors of these eigenvalues [mm^2/s] along random axes, which are returned too."""
    axes, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((*SHAPE, 3, 3)))
    matrices = np.einsum("...ab,b,...cb->...ac", axes, np.array(eigenvalues), axes)
    return DiffusionTensor.from_matrices(matrices, GRID), axes


def in_tissue(anatomy):
    return anatomy.brain & (anatomy.white_matter + anatomy.gray_matter >= TISSUE_FRACTION)


@pytest.mark.parametrize("anisotropy", [1.0, 4.0])
def test_mean_diffusivity_is_the_isotropic_mobility_and_zero_outside_of_tissue(anisotropy):
    anatomy, (water, _) = make_anatomy(), make_water()
    mobility = tensor_mobility(water, anatomy, diffusivity_ratio=20.0, anisotropy=anisotropy)
    expected = np.where(in_tissue(anatomy), anatomy.white_matter + anatomy.gray_matter / 20, 0)
    np.testing.assert_allclose(mobility.data[:3].mean(axis=0), expected, rtol=1e-5)
    assert not mobility.data[:, ~in_tissue(anatomy)].any()
    assert 0 < in_tissue(anatomy).sum() < anatomy.brain.sum()


def test_unit_of_the_water_tensor_cancels():
    anatomy, (water, _) = make_anatomy(), make_water()
    scaled = DiffusionTensor(1e3 * water.data, GRID)
    here, there = (tensor_mobility(part, anatomy, anisotropy=3.0).data for part in (water, scaled))
    np.testing.assert_allclose(here, there, rtol=1e-4, atol=1e-6)


def test_white_matter_keeps_the_axes_of_water_and_gains_anisotropy_along_them():
    anatomy, (water, axes) = make_anatomy(), make_water((1.5e-3, 4e-4, 2e-4))
    anatomy = Anatomy(anatomy.white_matter * 0 + 1, anatomy.gray_matter * 0, anatomy.csf * 0, anatomy.brain, GRID)
    found = tensor_mobility(water, anatomy, anisotropy=5.0).matrices()[1:].astype(np.float64)
    along = np.einsum("...ab,...ac,...cd->...bd", axes[1:], found, axes[1:])
    linear, planar, spherical = 11 / 21, 4 / 21, 6 / 21  # of the eigenvalues 15, 4, 2
    weighted = np.array([15 * (5 * (linear + planar) + spherical), 4 * (linear + 5 * planar + spherical), 2])
    expected = 3 * weighted / weighted.sum()
    np.testing.assert_allclose(along, np.broadcast_to(np.diag(expected), along.shape), atol=1e-5)


@pytest.mark.parametrize(
    ("eigenvalues", "expected"),
    [((1, 1, 1), (1, 1, 1)), ((0, 0, 1), (1, 1, 7)), ((0, 1, 1), (1, 7, 7)), ((0, 0, 0), (1, 1, 1))],
)
def test_needles_gain_along_one_axis_disks_along_two_and_spheres_nothing(eigenvalues, expected):
    weights = anisotropy_weights(np.array(eigenvalues, dtype=float), 7.0)
    if any(eigenvalues):
        np.testing.assert_allclose(weights[np.array(eigenvalues) > 0], np.array(expected)[np.array(eigenvalues) > 0])
    assert weights[0] == 1


def test_white_matter_without_a_water_tensor_is_isotropic():
    anatomy, (water, _) = make_anatomy(), make_water()
    data = water.data.copy()
    data[:, 3] = 0
    mobility = tensor_mobility(DiffusionTensor(data, GRID), anatomy, anisotropy=2.0)
    expected = np.where(in_tissue(anatomy), anatomy.white_matter + anatomy.gray_matter / 10, 0)[3]
    for component in mobility.data[:3, 3]:
        np.testing.assert_allclose(component, expected, rtol=1e-6)
    assert not mobility.data[3:, 3].any()


def test_tensor_on_another_grid_is_refused():
    water = DiffusionTensor(np.zeros((6, *SHAPE), np.float32), Grid(SHAPE, np.diag([2.0, 2, 2, 1])))
    with pytest.raises(InputError, match="diffusion tensor: expected the grid of its companions"):
        tensor_mobility(water, make_anatomy())


@pytest.mark.parametrize("option", [{"anisotropy": 0.5}, {"anisotropy": np.nan}, {"diffusivity_ratio": 0.0}])
def test_option_out_of_range_is_refused(option):
    with pytest.raises(InputError, match="expected a number from"):
        tensor_mobility(make_water()[0], make_anatomy(), **option)
