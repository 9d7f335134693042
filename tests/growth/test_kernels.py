import numpy as np
import pytest

from gliocast.anatomy.mobility import mobility
from gliocast.core.box import Box
from gliocast.growth.kernels import NumbaSweeps, conductance
from gliocast.growth.kernels.compiled import threads_share
from gliocast.growth.kernels.numba_operators import Isotropic
from gliocast.growth.kernels.pointwise import exponential
from gliocast.growth.kernels.rkl2 import num_stages, rkl2_weights
from gliocast.growth.kernels.torch_sweeps import TorchSweeps


def _operator(faces, box, shape):
    """The dense matrix of L, column by column, from the operator's own sweeps."""
    operator = Isotropic(faces, parallel=False)
    columns = []
    for n in range(int(np.prod(shape))):
        unit = np.zeros(shape)
        unit.flat[n] = 1
        lap, out = np.zeros(shape), np.zeros(shape)
        operator.first_stage(unit, lap, out, box, 0.0)
        columns.append(lap.ravel())
    return np.array(columns).T


def test_operator_is_symmetric_conservative_and_bounded(patchy):
    anatomy = patchy((6, 7, 5))
    shape = anatomy.grid.shape
    faces = conductance(mobility(anatomy, 10.0), (1.0, 2.0, 0.7), np.float64)
    matrix = _operator(faces, Box((0, 0, 0), shape), shape)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-14)
    np.testing.assert_allclose(matrix.sum(axis=0), 0, atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(matrix)
    assert eigenvalues.max() < 1e-12
    assert -eigenvalues.min() <= faces.bound


def test_no_face_of_a_closed_cell_conducts(patchy):
    anatomy = patchy()
    relative = mobility(anatomy, 10.0)
    closed = relative == 0
    for axis, face in enumerate(conductance(relative, (1.0, 1.0, 1.0)).faces):
        n = relative.shape[axis]
        assert not face.take(range(n), axis)[closed].any()
        assert not face.take(range(1, n + 1), axis)[closed].any()


def test_two_unlike_cells_conduct_like_resistors_in_series():
    relative = np.zeros((2, 1, 1))
    relative[:, 0, 0] = 1.0, 0.1
    face = conductance(relative, (2.0, 1.0, 1.0), np.float64).faces[0][1, 0, 0]
    assert face == pytest.approx(1 / (0.5 / 1.0 + 0.5 / 0.1) / 2.0**2)


@pytest.mark.parametrize(("dtype", "parallel"), [("float32", True), ("float32", False), ("float64", False)])
def test_compiled_sweeps_agree_with_those_on_tensors(two_threads, patchy, dtype, parallel):
    anatomy = patchy((36, 33, 30))
    assert threads_share(anatomy.white_matter.size)
    shape, spacing = anatomy.grid.shape, (1.0, 1.5, 2.0)
    faces = conductance(mobility(anatomy, 10.0), spacing, np.dtype(dtype).type)
    everywhere = Box((0, 0, 0), shape)
    cells = np.random.default_rng(1).uniform(0, 1, shape)
    rates = np.random.default_rng(2).uniform(0, 0.1, shape).astype(dtype)
    results = []
    for sweeps in (
        NumbaSweeps(shape, spacing, dtype=dtype, parallel=parallel),
        TorchSweeps(shape, spacing, dtype=dtype),
    ):
        field = sweeps.begin(cells, everywhere)
        field = sweeps.diffuse(field, sweeps.operator(faces), 1.7)
        field = sweeps.logistic(field, 0.05, 3.0)
        field = sweeps.logistic(field, sweeps.load(rates), 3.0)
        field = sweeps.scale(sweeps.scale(field, 0.7), rates)
        results.append(sweeps.unload(field))
    tolerance = 50 * np.finfo(dtype).eps if dtype == "float32" else 1e-8  # `exponential` is an approximation
    np.testing.assert_allclose(*results, rtol=tolerance, atol=tolerance)


def test_sweeps_leave_what_lies_outside_of_the_box_alone(patchy):
    anatomy = patchy()
    shape = anatomy.grid.shape
    operator_of = conductance(mobility(anatomy, 10.0), (1.0, 1.0, 1.0), np.float64)
    sweeps = NumbaSweeps(shape, (1.0, 1.0, 1.0), dtype="float64", parallel=False)
    cells = np.random.default_rng(1).uniform(0, 1, (4, 4, 4))
    field = sweeps.begin(cells, Box((12, 12, 12), (16, 16, 16)))
    mass = field.sum()
    for _ in range(3):
        field = sweeps.diffuse(field, sweeps.operator(operator_of), 0.2)
    outside = np.ones(shape, bool)
    outside[sweeps.box.slices] = False
    assert outside.any()
    assert not field[outside].any()
    assert field.sum() == pytest.approx(mass, rel=1e-12)


def test_the_box_surrounds_what_it_follows():
    shape = (20, 21, 22)
    sweeps = NumbaSweeps(shape, (1.0, 1.0, 2.0), dtype="float64", parallel=False)
    field = sweeps.begin(np.ones((2, 3, 4)), Box((9, 9, 9), (11, 12, 13)))
    sweeps.follow(field, 2.0, 50)  # reach 2 sqrt(2 * 2) = 4 mm, and two cells more
    assert sweeps.box == Box((3, 3, 5), (17, 18, 17))


@pytest.mark.parametrize("x", np.linspace(-1, 1, 9))
def test_the_rational_exponential_is_close(x):
    assert exponential(x) == pytest.approx(np.exp(x), rel=6e-6)
    assert exponential(x / 2) == pytest.approx(np.exp(x / 2), rel=2e-7)


@pytest.mark.parametrize("x", [-1e6, -30.0, 30.0, 1e6])
def test_the_rational_exponential_stays_positive(x):
    assert 0 < exponential(x) < np.inf


@pytest.mark.parametrize("stages", [3, 4, 7, 12])
def test_rkl2_is_second_order_and_stable_up_to_its_bound(stages):
    first, rest = rkl2_weights(stages)

    def amplification(z: float) -> float:
        """One step of y' = z y from y = 1."""
        previous, y = 1.0, 1 + first * z
        for mu, nu, mu_tilde, gamma_tilde in rest:
            previous, y = y, mu * y + nu * previous + (1 - mu - nu) + mu_tilde * z * y + gamma_tilde * z
        return y

    limit = (stages**2 + stages - 2) / 2
    assert num_stages(limit * (1 - 1e-9), 1.0) == stages
    assert max(abs(amplification(-z)) for z in np.linspace(0, limit, 400)) <= 1 + 1e-12
    errors = [abs(amplification(-h) - np.exp(-h)) for h in (0.1, 0.05)]
    assert errors[0] / errors[1] == pytest.approx(8, rel=0.15)
