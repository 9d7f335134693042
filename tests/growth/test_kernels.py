import numpy as np
import pytest

from gliocast.core.box import Box, bounding_box
from gliocast.growth.kernels import NumbaKernel, conductance
from gliocast.growth.kernels.torch_kernel import TorchKernel
from gliocast.growth.models import FisherKolmogorov
from gliocast.growth.steppers import num_stages, rkl2_weights


def _operator(faces, box, shape):
    """The dense matrix of L, column by column, from the kernel's own sweeps."""
    kernel = NumbaKernel(faces, parallel=False)
    columns = []
    for n in range(int(np.prod(shape))):
        unit = np.zeros(shape)
        unit.flat[n] = 1
        lap, out = np.zeros(shape), np.zeros(shape)
        kernel.first_stage(kernel.load(unit), lap, out, box, 0.0)
        columns.append(lap.ravel())
    return np.array(columns).T


def test_operator_is_symmetric_conservative_and_bounded(patchy):
    anatomy = patchy((6, 7, 5))
    shape = anatomy.grid.shape
    faces = conductance(FisherKolmogorov().mobility(anatomy), (1.0, 2.0, 0.7), np.float64)
    matrix = _operator(faces, Box((0, 0, 0), shape), shape)
    np.testing.assert_allclose(matrix, matrix.T, atol=1e-14)
    np.testing.assert_allclose(matrix.sum(axis=0), 0, atol=1e-12)
    eigenvalues = np.linalg.eigvalsh(matrix)
    assert eigenvalues.max() < 1e-12
    assert -eigenvalues.min() <= faces.bound


def test_no_face_of_a_closed_cell_conducts(patchy):
    anatomy = patchy()
    mobility = FisherKolmogorov().mobility(anatomy)
    closed = mobility == 0
    for axis, face in enumerate(conductance(mobility, (1.0, 1.0, 1.0)).faces):
        n = mobility.shape[axis]
        assert not face.take(range(n), axis)[closed].any()
        assert not face.take(range(1, n + 1), axis)[closed].any()


def test_two_unlike_cells_conduct_like_resistors_in_series():
    mobility = np.zeros((2, 1, 1))
    mobility[:, 0, 0] = 1.0, 0.1
    face = conductance(mobility, (2.0, 1.0, 1.0), np.float64).faces[0][1, 0, 0]
    assert face == pytest.approx(1 / (0.5 / 1.0 + 0.5 / 0.1) / 2.0**2)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("parallel", [True, False])
def test_compiled_sweeps_agree_with_the_torch_reference(patchy, dtype, parallel):
    anatomy = patchy()
    shape = anatomy.grid.shape
    faces = conductance(FisherKolmogorov().mobility(anatomy), (1.0, 1.5, 2.0), dtype)
    box = Box((2, 1, 3), (30, 29, 27))
    generator = np.random.default_rng(1)
    y0, y, previous = (generator.uniform(0, 1, shape).astype(dtype) for _ in range(3))
    results = []
    for kernel in (NumbaKernel(faces, parallel=parallel), TorchKernel(faces)):
        a, b, c = (kernel.load(part) for part in (y0, y, previous))
        lap, out = kernel.empty(a), kernel.empty(a)
        kernel.first_stage(a, lap, out, box, 0.07)
        kernel.stage(a, lap, b, c, c, box, (1.3, -0.4, 0.05, -0.02))
        kernel.logistic(c, box, 1.7)
        results.append([kernel.unload(part) for part in (lap, out, c)])
        assert kernel.support(a, box, 0.5) == bounding_box_within(y0, box, 0.5)
    tolerance = 50 * np.finfo(dtype).eps
    for ours, reference in zip(*results, strict=True):
        np.testing.assert_allclose(ours, reference, rtol=tolerance, atol=tolerance)


def bounding_box_within(data: np.ndarray, box: Box, level: float) -> Box:
    inside = np.zeros(data.shape, dtype=bool)
    inside[box.slices] = data[box.slices] > level
    return bounding_box(inside)


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
