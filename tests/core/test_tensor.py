import numpy as np
import pytest

from gliocast.core import DiffusionTensor, Grid, InputError
from gliocast.core.tensor import from_matrices, is_semidefinite, to_matrices, transform

SHAPE = (4, 3, 5)
GRID = Grid(SHAPE, np.diag([-1.0, 1.5, 2.0, 1.0]))


def random_matrices(eigenvalues=(3.0, 1.0, 0.2), seed=0):
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((*SHAPE, 3, 3)))
    return np.einsum("...ab,b,...cb->...ac", q, np.array(eigenvalues), q)


def refusal(data, grid=GRID):
    with pytest.raises(InputError) as caught:
        DiffusionTensor(data, grid)
    return str(caught.value)


def test_matrices_and_components_are_the_same_tensors():
    matrices = random_matrices()
    tensor = DiffusionTensor.from_matrices(matrices, GRID)
    assert tensor.data.dtype == np.float32
    np.testing.assert_allclose(tensor.matrices(), matrices, rtol=1e-6, atol=1e-7)
    np.testing.assert_array_equal(tensor.data[3], tensor.matrices()[..., 0, 1])
    np.testing.assert_array_equal(tensor.data[5], tensor.matrices()[..., 1, 2])


def test_zero_and_rank_one_tensors_are_tensors():
    data = from_matrices(random_matrices((1.0, 0.0, 0.0)))
    data[:, 0] = 0
    assert is_semidefinite(DiffusionTensor(data, GRID).data).all()


@pytest.mark.parametrize("eigenvalues", [(1.0, 1.0, -0.001), (1.0, -0.5, -0.5), (-1.0, -1.0, -1.0)])
def test_negative_eigenvalue_in_one_voxel_is_refused_whatever_its_size(eigenvalues):
    data = from_matrices(random_matrices())
    data[:, 1, 2, 3] = 1e-6 * from_matrices(random_matrices(eigenvalues))[:, 1, 2, 3]
    assert "a negative eigenvalue in 1 voxels" in refusal(data)


def test_semidefinite_by_pivots_is_semidefinite_by_eigenvalues():
    generator = np.random.default_rng(1)
    data = generator.standard_normal((6, 20, 20, 20))
    data[:3] += 1.5
    expected = np.linalg.eigvalsh(to_matrices(data)).min(axis=-1) >= 0
    assert 0.1 < expected.mean() < 0.9
    np.testing.assert_array_equal(is_semidefinite(data), expected)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_component_that_is_not_finite_is_refused(value):
    data = from_matrices(random_matrices())
    data[3, 0, 0, 0] = value
    assert "1 that are NaN or infinite" in refusal(data)


def test_another_shape_is_refused():
    assert "(6, 4, 3, 5)" in refusal(np.zeros((*SHAPE, 6)))
    with pytest.raises(InputError, match="matrices of shape"):
        DiffusionTensor.from_matrices(np.zeros((3, 3, *SHAPE)), GRID)


def test_matrix_that_is_not_symmetric_is_refused():
    matrices = random_matrices()
    matrices[1, 1, 1, 0, 2] += 0.01
    with pytest.raises(InputError, match="expected symmetric matrices, got 1 that are not"):
        DiffusionTensor.from_matrices(matrices, GRID)
    matrices[0, 0, 0, 0, 1] = np.nan
    with pytest.raises(InputError):
        DiffusionTensor.from_matrices(matrices, GRID)


def test_mirrored_axis_turns_two_off_diagonal_signs():
    tensor = DiffusionTensor.from_matrices(random_matrices(), GRID)  # x runs from right to left
    signs = np.array([1, 1, 1, -1, -1, 1])
    np.testing.assert_allclose(tensor.along_voxel_axes(), tensor.data * signs[:, None, None, None], rtol=1e-6)


def test_fiber_along_an_oblique_array_axis_is_diagonal_along_voxel_axes():
    rotation, _ = np.linalg.qr(np.random.default_rng(2).standard_normal((3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = rotation * (0.9, 1.1, 5.5)
    grid = Grid(SHAPE, affine)
    fiber = rotation[:, 1]
    matrices = np.broadcast_to(0.1 * np.eye(3) + 0.9 * np.outer(fiber, fiber), (*SHAPE, 3, 3))
    found = DiffusionTensor.from_matrices(matrices, grid).along_voxel_axes()
    expected = np.array([0.1, 1.0, 0.1, 0, 0, 0])
    np.testing.assert_allclose(found, np.broadcast_to(expected[:, None, None, None], found.shape), atol=1e-6)


def test_components_along_sheared_axes_give_the_same_flux():
    """With u linear in index coordinates, U T' U^T is T: what the operator needs, orthogonal or not."""
    affine = np.eye(4)
    affine[:3, :3] = [[1.0, 0.3, 0], [0, 1.2, -0.2], [0.1, 0, 2.0]]
    grid = Grid(SHAPE, affine)
    tensor = DiffusionTensor.from_matrices(random_matrices(), grid)
    axes = affine[:3, :3] / grid.spacing
    np.testing.assert_allclose(transform(tensor.along_voxel_axes(), axes), tensor.data, rtol=1e-5, atol=1e-6)
