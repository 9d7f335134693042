import numpy as np
import pytest
import scipy.sparse as sparse
import torch
from scipy.sparse.linalg import cg

from gliocast.anatomy import tensor_mobility
from gliocast.anatomy.mobility import mobility as isotropic_mobility
from gliocast.core import DiffusionTensor, Grid, InputError
from gliocast.core.box import Box
from gliocast.core.tensor import from_matrices, transform
from gliocast.growth.kernels import conductance
from gliocast.growth.kernels.numba_operators import Isotropic
from gliocast.growth.kernels.numba_tensor import laplacian
from gliocast.growth.kernels.selling import MAX_REACH
from gliocast.growth.kernels.tensor import TensorConductance, tensor_conductance
from gliocast.growth.kernels.torch_tensor import TensorBlocks, tensor_blocks, tensor_laplacian

from .conftest import ALONG_A_DIRECTION

UNIT = (1.0, 1.0, 1.0)
#: Needle, disk, and neither: eigenvalues of condition number up to 50.
EIGENVALUES = [(8, 1, 1), (10, 10, 1), (50, 7, 1), (50, 1, 1)]


def random_tensors(shape, eigenvalues, seed=0):
    """Tensors (6, x, y, z) of these eigenvalues along random axes."""
    q, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((*shape, 3, 3)))
    return components(np.einsum("...ab,b,...cb->...ac", q, np.array(eigenvalues, dtype=float), q))


def components(matrices):
    """As `from_matrices`, but in float64."""
    return np.moveaxis(matrices[..., (0, 1, 2, 0, 0, 1), (0, 1, 2, 1, 2, 2)], -1, 0)


def uniform(matrix, shape):
    """The same matrix in every voxel."""
    return np.array(np.broadcast_to(components(np.array(matrix, dtype=float))[:, None, None, None], (6, *shape)))


def rotation(axis, degrees):
    """Rotation about an axis, after Rodrigues."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    k, angle = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]), np.radians(degrees)
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def rotated(eigenvalues, axis=(1, 2, 3), degrees=30):
    turn = rotation(axis, degrees)
    return turn @ np.diag(eigenvalues) @ turn.T


def apply(coefficients, y, box=None, *, parallel=False):
    out = np.zeros_like(y)
    laplacian(y, out, coefficients, box or whole(coefficients), parallel=parallel)
    return out


def whole(coefficients):
    return Box((0, 0, 0), coefficients.shape)


def operator(coefficients: TensorConductance) -> sparse.csr_matrix:
    """L as a sparse matrix."""
    size = int(np.prod(coefficients.shape))
    index = np.arange(size).reshape(coefficients.shape)
    blocks = tensor_blocks(coefficients)
    rows, columns, values = [], [], []
    for offset, corner, weight in zip(blocks.offsets, blocks.corners, blocks.weights, strict=True):
        ends = [
            index[tuple(slice(c + s * e, c + s * e + n) for c, e, n in zip(corner, offset, weight.shape, strict=True))]
            for s in (0, 1)
        ]
        for here, there in (ends, ends[::-1]):
            rows.append(here.ravel())
            columns.append(there.ravel())
            values.append(weight.numpy().ravel())
    edges = sparse.csr_matrix((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), (size, size))
    return edges - sparse.diags(np.asarray(edges.sum(axis=1)).ravel())


@pytest.mark.parametrize("spacing", [UNIT, (1.0, 2.0, 0.7)])
def test_diagonal_tensor_gives_the_isotropic_scheme(spacing):
    generator = np.random.default_rng(0)
    diagonal = generator.uniform(0, 1, (3, 7, 6, 8))
    diagonal[:, generator.uniform(0, 1, (7, 6, 8)) < 0.2] = 0
    tensor = np.concatenate([diagonal, np.zeros_like(diagonal)])
    matrix = operator(tensor_conductance(tensor, spacing, np.float64)).toarray()
    index = np.arange(diagonal[0].size).reshape(diagonal[0].shape)
    for axis in range(3):
        face = np.moveaxis(conductance(diagonal[axis], spacing, np.float64).faces[axis], axis, 0)[1:-1]
        cells = np.moveaxis(index, axis, 0)
        pairs = cells[:-1].ravel(), cells[1:].ravel()
        np.testing.assert_allclose(matrix[pairs], face.ravel(), rtol=1e-14, atol=1e-15)
        matrix[pairs] = matrix[pairs[::-1]] = 0
    assert np.abs(matrix - np.diag(np.diag(matrix))).max() < 1e-15  # and no other edges


def test_isotropic_tensor_moves_cells_as_the_isotropic_sweep_does(patchy):
    anatomy = patchy((12, 11, 10))
    mobility = isotropic_mobility(anatomy, 10.0).astype(np.float64)
    tensor = mobility * uniform(np.eye(3), mobility.shape)
    faces, full = conductance(mobility, UNIT, np.float64), tensor_conductance(tensor, UNIT, np.float64)
    operator = Isotropic(faces, parallel=False)
    y = np.random.default_rng(1).uniform(0, 1, mobility.shape)
    expected, out = np.zeros_like(y), np.zeros_like(y)
    operator.first_stage(y, expected, out, whole(full), 0.0)
    np.testing.assert_allclose(apply(full, y), expected, atol=1e-14)
    assert full.bound == pytest.approx(faces.bound, rel=1e-14)


@pytest.mark.parametrize("eigenvalues", EIGENVALUES)
@pytest.mark.parametrize("spacing", [UNIT, (1.0, 2.0, 0.7)])
def test_operator_is_symmetric_conservative_and_monotone_whatever_tensors_and_walls(eigenvalues, spacing):
    shape = (6, 7, 5)
    tensor = random_tensors(shape, eigenvalues)
    closed = np.random.default_rng(2).uniform(0, 1, shape) < 0.25
    tensor[:, closed] = 0
    coefficients = tensor_conductance(tensor, spacing, np.float64)
    unit = np.eye(closed.size).reshape(-1, *shape)
    matrix = np.stack([apply(coefficients, column).ravel() for column in unit], axis=1)
    np.testing.assert_array_equal(matrix, matrix.T)
    np.testing.assert_allclose(matrix.sum(axis=0), 0, atol=1e-13 * coefficients.bound)
    assert (matrix - np.diag(np.diag(matrix))).min() >= 0  # what the maximum principle asks for
    eigenvalues = np.linalg.eigvalsh(matrix)
    assert eigenvalues.max() < 1e-13 * coefficients.bound
    assert -eigenvalues.min() <= coefficients.bound
    assert not matrix[closed.ravel()].any()


def test_densities_stay_between_zero_and_one():
    shape = (12, 11, 13)
    tensor = random_tensors(shape, (50, 7, 1))
    tensor[:, np.random.default_rng(3).uniform(0, 1, shape) < 0.1] = 0
    coefficients = tensor_conductance(tensor, UNIT, np.float64)
    y = np.random.default_rng(4).integers(0, 2, shape).astype(float)
    total = y.sum()
    for _ in range(50):
        y += 2 / coefficients.bound * apply(coefficients, y)  # the longest step of the explicit Euler method
        assert y.min() >= 0
        assert y.max() <= 1 + 1e-14
    assert y.sum() == pytest.approx(total, rel=1e-13)


@pytest.mark.parametrize("eigenvalues", EIGENVALUES[:3])
def test_second_moments_of_the_weights_are_the_tensor(eigenvalues):
    """L of a quadratic is exact in the interior, for any tensor that the reach of the stencil holds."""
    n = 4 * MAX_REACH + 1  # so wide that no wall is in sight of what the middle touches
    x, spacing = np.indices((n, n, n), dtype=float) - n // 2, np.array([1.0, 1.2, 0.9])
    for seed in range(8):
        tensor = random_tensors((1, 1, 1), eigenvalues, seed)
        coefficients = tensor_conductance(tensor * np.ones((1, n, n, n)), tuple(spacing), np.float64)
        for k, (a, b) in enumerate(((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))):
            quadratic = x[a] * x[b] * spacing[a] * spacing[b]
            middle = apply(coefficients, quadratic)[n // 2, n // 2, n // 2]
            assert middle == pytest.approx(2 * tensor[k, 0, 0, 0], abs=1e-9 * max(eigenvalues))


def test_tensor_too_flat_for_the_stencil_keeps_its_trace_and_nearly_its_direction():
    matrix = rotated((1000, 1, 1), axis=(3, 5, 1), degrees=37)
    n = 4 * MAX_REACH + 1
    coefficients = tensor_conductance(uniform(matrix, (n, n, n)), UNIT, np.float64)
    assert np.abs(coefficients.runs[:, :3]).max() <= MAX_REACH
    x = np.indices((n, n, n), dtype=float) - n // 2
    middle = (n // 2,) * 3
    moments = [[apply(coefficients, x[a] * x[b])[middle] / 2 for b in range(3)] for a in range(3)]
    assert np.trace(moments) == pytest.approx(1002, rel=1e-9)
    np.testing.assert_allclose(moments, matrix, atol=0.03 * 1000)


def moments(y, grid):
    """Mass and covariance [mm^2] of a density in the world."""
    points = grid.world_from_voxel(np.moveaxis(np.indices(y.shape), 0, -1)).reshape(-1, 3)
    weights = y.ravel() / y.sum()
    centered = points - weights @ points
    return y.sum(), (centered * weights[:, None]).T @ centered


@pytest.mark.parametrize("kind", ["plain", "oblique, mirrored, of unequal spacing"])
def test_covariance_of_a_gaussian_grows_as_two_t_times_time(kind):
    """Exactly, in all six components and in the world: the moments of the weights are exact, and Euler's too."""
    matrix = rotated((1.0, 0.4, 0.15))
    affine = np.eye(4)
    if kind != "plain":
        affine[:3, :3] = rotation((2, -1, 1), 25) @ np.diag([-0.9, 1.1, 1.3])
        affine[:3, 3] = 3, -7, 11
    shape = (41, 37, 33)
    grid = Grid(shape, affine)
    field = DiffusionTensor(from_matrices(np.broadcast_to(matrix, (*shape, 3, 3))), grid)
    tensor = field.along_voxel_axes()
    coefficients = tensor_conductance(tensor, grid.spacing, np.float64)
    center = grid.world_from_voxel((np.array(shape) - 1) / 2)
    points = grid.world_from_voxel(np.moveaxis(np.indices(shape), 0, -1)) - center
    y = np.exp(-(points**2).sum(-1) / (2 * 1.5**2))
    mass, before = moments(y, grid)
    step, num_steps = 1 / coefficients.bound, 20
    for _ in range(num_steps):
        y += step * apply(coefficients, y)
    after_mass, after = moments(y, grid)
    assert after_mass == pytest.approx(mass, rel=1e-12)
    # The tensor is stored in float32; of the density nearly nothing reaches the rim.
    np.testing.assert_allclose(after - before, 2 * matrix * step * num_steps, atol=2e-5)


def test_solution_converges_to_the_anisotropic_heat_kernel_with_second_order():
    matrix, start, time = rotated((1.0, 0.4, 0.2)), 1.0, 1.0
    errors = []
    for n in (16, 32):
        h = 16 / n
        coefficients = tensor_conductance(uniform(matrix, (n, n, n)), (h, h, h), np.float64)
        x = np.moveaxis(np.indices((n, n, n)) - (n - 1) / 2, 0, -1) * h

        def kernel(t, x=x):
            covariance = start * np.eye(3) + 2 * t * matrix
            exponent = np.einsum("...a,ab,...b", x, np.linalg.inv(covariance), x)
            return np.exp(-exponent / 2) / np.sqrt(np.linalg.det(covariance))

        y, num_steps = kernel(0), int(np.ceil(time * coefficients.bound))
        for _ in range(num_steps):  # the classical Runge-Kutta method: its error is far below that of space
            step, slope, total = time / num_steps, apply(coefficients, y), 0
            total = slope
            for part, weight in ((0.5, 2), (0.5, 2), (1, 1)):
                slope = apply(coefficients, y + part * step * slope)
                total = total + weight * slope
            y = y + step / 6 * total
        errors.append(np.linalg.norm(y - kernel(time)) / np.linalg.norm(kernel(time)))
    assert errors[1] < 0.02
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.2)


def smooth_field(x):
    """Needles of 4:1 that turn and grow with place; x of shape (..., 3)."""
    theta, phi = 1.3 * x[..., 0] + 0.7 * x[..., 1] * x[..., 2], 0.9 * x[..., 1] - 0.5 * x[..., 0] + x[..., 2]
    fiber = torch.stack([theta.cos() * phi.cos(), theta.sin() * phi.cos(), phi.sin()], dim=-1)
    size = (1 + 0.5 * torch.sin(2 * x[..., 0] + x[..., 1]))[..., None, None]
    return size * (3 * fiber[..., :, None] * fiber[..., None, :] + torch.eye(3, dtype=x.dtype))


def test_implicit_step_in_a_smooth_field_converges_with_second_order():
    """(1 - a L) u = f with f from the exact divergence; the decompositions change from cell to cell."""
    errors = []
    for n in (16, 32):
        h = 2 / n
        line = (torch.arange(n, dtype=torch.float64) + 0.5) * h - 1
        x = torch.stack(torch.meshgrid(line, line, line, indexing="ij"), dim=-1).requires_grad_()
        u = torch.exp(-18 * (x**2 * torch.tensor([1.0, 1.4, 0.8])).sum(-1))
        (gradient,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        flux = (smooth_field(x) @ gradient[..., None])[..., 0]
        slopes = [torch.autograd.grad(flux[..., a].sum(), x, retain_graph=True)[0][..., a] for a in range(3)]
        right, exact = (u - 0.05 * sum(slopes)).detach().numpy().ravel(), u.detach().numpy().ravel()
        tensor = components(smooth_field(x).detach().numpy())
        matrix = sparse.identity(n**3) - 0.05 * operator(tensor_conductance(tensor, (h, h, h), np.float64))
        solution, _ = cg(matrix, right, rtol=1e-5)
        errors.append(np.linalg.norm(solution - exact) / np.linalg.norm(exact))
    assert errors[1] < 0.02
    assert 3.5 < errors[0] / errors[1] < 5  # 4.4 here, 4.08 from 32 to 64


MAPS = [
    (np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]), lambda y: y.transpose(1, 2, 0)),
    (np.diag([-1, 1, 1]), lambda y: y[::-1]),
    (np.diag([1, -1, -1]), lambda y: y[:, ::-1, ::-1]),
    (np.array([[0, 1, 0], [1, 0, 0], [0, 0, 1]]), lambda y: y.transpose(1, 0, 2)),
]


@pytest.mark.parametrize("number", range(len(MAPS)))
def test_operator_commutes_with_permutations_and_flips_of_the_axes(number):
    matrix, move = MAPS[number]
    shape = (6, 8, 7)
    spacing = np.array([1.0, 1.5, 0.8])
    tensor = random_tensors(shape, (20, 3, 1))
    tensor[:, np.random.default_rng(5).uniform(0, 1, shape) < 0.15] = 0
    y = np.random.default_rng(6).uniform(0, 1, shape)
    moved = np.stack([move(part) for part in transform_exactly(tensor, matrix)])
    there = tensor_conductance(moved, tuple(np.abs(matrix) @ spacing), np.float64)
    here = tensor_conductance(tensor, tuple(spacing), np.float64)
    np.testing.assert_allclose(
        apply(there, np.ascontiguousarray(move(y))), move(apply(here, y)), atol=1e-12 * here.bound
    )


def transform_exactly(tensor, matrix):
    """`transform` in float64, which it must agree with."""
    full = np.stack([tensor[[0, 3, 4]], tensor[[3, 1, 5]], tensor[[4, 5, 2]]])
    result = components(np.moveaxis(np.einsum("ai,ij...,bj->ab...", matrix, full, matrix), (0, 1), (-2, -1)))
    np.testing.assert_allclose(transform(tensor, matrix), result, rtol=1e-6, atol=1e-6)
    return result


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_flow_along_a_wall_is_that_of_the_reduced_tensor(width):
    """Between walls a density with T grad u along them is at rest, and what flows is the Schur complement."""
    matrix = np.array([[5.0, 4, 0], [4, 5, 0], [0, 0, 1]])
    shape = (width, 12, 3)
    coefficients = tensor_conductance(uniform(matrix, shape), UNIT, np.float64)
    x, y, _ = np.indices(shape, dtype=float)
    change = apply(coefficients, y - matrix[0, 1] / matrix[0, 0] * x)
    np.testing.assert_allclose(change[:, 2:-2], 0, atol=1e-13)
    reduced = matrix[1, 1] - matrix[0, 1] ** 2 / matrix[0, 0]
    assert change[:, :2].sum() == pytest.approx(reduced * width * 3, rel=1e-12)


@pytest.mark.parametrize("matrix", [rotated((50, 1, 1)), rotated((20, 20, 1), degrees=70)])
def test_every_pair_of_open_neighbors_is_connected_in_a_maze(matrix):
    shape = (9, 8, 7)
    tensor = uniform(matrix, shape)
    is_open = np.random.default_rng(7).uniform(0, 1, shape) < 0.5
    tensor[:, ~is_open] = 0
    edges = operator(tensor_conductance(tensor, UNIT, np.float64))
    cells = np.flatnonzero(is_open)
    index = np.arange(is_open.size).reshape(shape)
    faces = [
        (np.moveaxis(index, a, 0)[:-1].ravel(), np.moveaxis(index, a, 0)[1:].ravel()) for a in range(3)
    ]  # connected components by faces are those of the operator: no cell is cut off, and nothing passes a corner
    walk = sparse.csr_matrix(edges.shape)
    for first, second in faces:
        walk += sparse.csr_matrix((np.ones(first.size), (first, second)), edges.shape)
    walk = walk[cells][:, cells]
    number, labels = sparse.csgraph.connected_components(walk, directed=False)
    found, found_labels = sparse.csgraph.connected_components(edges[cells][:, cells] > 0, directed=False)
    assert found == number
    assert len(set(zip(labels, found_labels, strict=True))) == number


def test_nothing_leaps_over_a_wall_or_past_a_corner():
    tensor = uniform(rotated((50, 1, 1)), (10, 9, 8))
    tensor[:, 5] = 0
    tensor[:, :5, :4, 4:] = 0
    tensor[:, :5, 4:, :4] = 0
    y = np.zeros((10, 9, 8))
    y[:5, :4, :4] = 1
    assert not apply(tensor_conductance(tensor, UNIT, np.float64), y).any()


@pytest.mark.parametrize(
    ("dtype", "parallel"),
    [pytest.param(np.float32, True, marks=pytest.mark.slow), (np.float32, False), (np.float64, False)],
)
@pytest.mark.usefixtures("two_threads")
def test_compiled_sweep_agrees_with_torch_in_any_box_and_leaves_the_rest(dtype, parallel):
    shape = (14, 13, 19)
    tensor = random_tensors(shape, (20, 3, 1))
    tensor[:, np.random.default_rng(8).uniform(0, 1, shape) < 0.1] = 0
    coefficients = tensor_conductance(tensor, (1.0, 1.5, 2.0), dtype)
    blocks = tensor_blocks(coefficients)
    y = np.random.default_rng(9).uniform(0, 1, (2, *shape)).astype(dtype)
    for box in (whole(coefficients), Box((2, 1, 3), (12, 12, 17)), Box((4, 4, 4), (6, 5, 13))):
        part = torch.from_numpy(y)[(..., *box.slices)]
        reference = tensor_laplacian(part, blocks.within(box)).numpy()
        for one, expected in zip(y, reference, strict=True):
            out = np.full_like(one, 7)
            laplacian(one, out, coefficients, box, parallel=parallel)
            tolerance = 20 * np.finfo(dtype).eps * coefficients.bound
            np.testing.assert_allclose(out[box.slices], expected, atol=tolerance)
            out[box.slices] = 7
            assert (out == 7).all()


def test_gradients_in_density_and_weights_are_those_of_finite_differences():
    coefficients = tensor_conductance(random_tensors((3, 2, 3), (8, 3, 1)), UNIT, np.float64)
    blocks = tensor_blocks(coefficients)
    generator = torch.Generator().manual_seed(0)
    y = torch.rand((2, 3, 2, 3), dtype=torch.float64, generator=generator, requires_grad=True)
    weights = [weight.clone().requires_grad_() for weight in blocks.weights]

    def function(y, *weights):
        return tensor_laplacian(y, TensorBlocks(blocks.offsets, blocks.corners, weights, blocks.shape))

    assert torch.autograd.gradcheck(function, (y, *weights), **ALONG_A_DIRECTION)
    assert torch.autograd.gradgradcheck(function, (y, *weights), **ALONG_A_DIRECTION)


@pytest.mark.slow
def test_torch_operator_compiles_into_one_graph():
    blocks = tensor_blocks(tensor_conductance(random_tensors((4, 3, 5), (8, 3, 1)), UNIT, np.float64))
    y = torch.rand((4, 3, 5), dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    compiled = torch.compile(lambda y: tensor_laplacian(y, blocks), backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(y), tensor_laplacian(y, blocks))


def test_tensor_without_direction_gives_the_isotropic_model(patchy):
    anatomy = patchy((12, 11, 10))
    water = DiffusionTensor(7e-4 * uniform(np.eye(3), anatomy.grid.shape), anatomy.grid)
    mobility = tensor_mobility(water, anatomy, anisotropy=5.0)
    expected = isotropic_mobility(anatomy, 10.0)
    for component in mobility.data[:3]:
        np.testing.assert_allclose(component, expected, rtol=1e-6)
    assert np.abs(mobility.data[3:]).max() < 1e-7


@pytest.mark.parametrize("bad", [np.zeros((3, 4, 4, 4)), np.full((6, 4, 4, 4), np.nan)])
def test_what_is_no_field_of_tensors_is_refused(bad):
    with pytest.raises(InputError, match=r"mobility tensor: expected (an array of shape|finite)"):
        tensor_conductance(bad, UNIT)


def test_negative_eigenvalue_is_refused():
    tensor = uniform(np.eye(3), (4, 4, 4))
    tensor[3, 1, 2, 3] = 1.1
    with pytest.raises(InputError, match="a negative eigenvalue in 1 voxels"):
        tensor_conductance(tensor, UNIT)


def test_all_closed_grid_has_no_edges():
    coefficients = tensor_conductance(np.zeros((6, 4, 5, 6)), UNIT)
    assert coefficients.weights.size == 0
    assert coefficients.bound == 0
    assert not apply(coefficients, np.ones((4, 5, 6), np.float32)).any()
