"""Gradients through whole solves, against finite differences in float64."""

import numpy as np
import pytest
import torch

from gliocast.core import InputError, Radiotherapy, Resection, Treatments, Volume
from gliocast.growth import Simulator, adjoint
from gliocast.growth.kernels.compiled import threads_share
from gliocast.growth.kernels.fused_sweeps import FusedSweeps
from gliocast.growth.kernels.torch_sweeps import TorchSweeps
from gliocast.growth.models import FisherKolmogorov, MassEffect, ProliferativeNecrotic, TensorFisherKolmogorov

from .conftest import ALONG_A_DIRECTION

SPACING = (1.0, 1.2, 0.8)
CENTER = (4.2, 4.4, 3.1)


def fields(shape=(3, 3, 4), seed=0):
    """Initial density, diffusivity and rate."""
    generator = torch.Generator().manual_seed(seed)
    initial, diffusivity, rate = (torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(3))
    return 0.1 + 0.4 * initial, 0.2 + 0.2 * diffusivity, 0.05 + 0.05 * rate


@pytest.mark.parametrize("fused", [True, False])
def test_gradients_of_fields_are_those_of_finite_differences(fused, monkeypatch):
    if not fused:
        monkeypatch.setattr(FusedSweeps, "diffuse", TorchSweeps.diffuse)
    given = fields()
    free = torch.ones_like(given[0], dtype=torch.bool)
    free[0, 0, 0] = free[2, 2, 2] = False
    # one closed voxel; the fastest one sets the time grid, which isn't differentiated, so it stays as it is
    fixed = torch.zeros_like(given[0])
    fixed[2, 2, 2] = 0.5

    def loss(initial, diffusivity, rate):
        speeds = torch.where(free, diffusivity, fixed), torch.where(free, rate, fixed)
        grown = adjoint.grow_fields(initial, *speeds, spacing=SPACING, days=[2.0, 5.0])
        return (grown**2).sum()

    inputs = tuple(field.requires_grad_() for field in given)
    assert torch.autograd.gradcheck(loss, inputs, **ALONG_A_DIRECTION)


def compare_adjoints(monkeypatch, shape, day, dtype, tolerance):
    gradients = []
    for fused in (True, False):
        if not fused:
            monkeypatch.setattr(FusedSweeps, "diffuse", TorchSweeps.diffuse)
        inputs = [field.to(dtype).requires_grad_() for field in fields(shape)]
        adjoint.grow_fields(*inputs, spacing=SPACING, days=[day]).pow(2).sum().backward()
        gradients.append([field.grad for field in inputs])
    for ours, reference in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, reference, rtol=tolerance, atol=tolerance)


def test_the_compiled_adjoint_is_that_of_tensor_operations(monkeypatch):
    compare_adjoints(monkeypatch, (9, 8, 10), 30.0, torch.float64, 1e-9)


@pytest.mark.slow
@pytest.mark.usefixtures("two_threads")
def test_the_adjoint_that_threads_share_is_that_of_tensor_operations(monkeypatch):
    shape = (36, 33, 30)
    assert threads_share(int(np.prod(shape)))
    compare_adjoints(monkeypatch, shape, 0.5, torch.float32, 1e-4)


@pytest.mark.parametrize(
    ("make", "own"),
    [
        (lambda water: FisherKolmogorov(), (0.12, 0.06)),
        (TensorFisherKolmogorov, (0.12, 0.06)),
        (lambda water: ProliferativeNecrotic(), (0.12, 0.06, 0.08, 0.3, 2.0, 0.4, 0.3)),
        pytest.param(lambda water: MassEffect(elastic_tolerance=1e-10), (0.12, 0.06, 0.5), marks=pytest.mark.slow),
    ],
    ids=["fisher-kolmogorov", "tensor", "proliferative-necrotic", "mass-effect"],
)
def test_gradients_of_parameters_and_seed_are_those_of_finite_differences(patchy, turning, make, own):
    anatomy = patchy((9, 9, 8))
    model = make(turning(anatomy.grid))
    values = torch.tensor([*own, *CENTER], dtype=torch.float64, requires_grad=True)
    simulator = Simulator(model, dtype="float64", accuracy=0.05)
    weights = torch.rand((9, 9, 8), generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def loss(point):
        return (weights * adjoint.grow(simulator, point, anatomy, days=[6.0])[0]).sum()

    (gradient,) = torch.autograd.grad(loss(values), values)
    # finite differences of the same scheme: the time grid is that of `values`
    numbers = values.detach()
    frozen = Simulator.tempo(simulator, numbers.numpy(), anatomy.grid)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Simulator, "tempo", lambda *_: frozen)
        for n in range(len(numbers)):
            step = torch.zeros_like(numbers)
            step[n] = 1e-5 * max(1.0, abs(float(numbers[n])))
            difference = (loss(numbers + step) - loss(numbers - step)) / (2 * step[n])
            assert float(gradient[n]) == pytest.approx(float(difference), rel=1e-5, abs=1e-6), n


def test_a_gradient_goes_through_treatments(patchy):
    anatomy = patchy((9, 9, 8))
    cavity = np.zeros((9, 9, 8), bool)
    cavity[3:5, 4:6, 2:4] = True
    dose = np.full((9, 9, 8), 4.0, np.float32)
    dose[5:] = 1.0
    treatments = Treatments(
        (Resection(2.0, Volume(cavity, anatomy.grid)), Radiotherapy(Volume(dose, anatomy.grid), (3.0, 4.0), 0.1))
    )
    simulator = Simulator(treatments=treatments, dtype="float64", accuracy=0.05)
    values = torch.tensor([0.12, 0.06, *CENTER], dtype=torch.float64, requires_grad=True)
    grown = adjoint.grow(simulator, values, anatomy, days=[6.0])[0]
    torch.testing.assert_close(
        grown.detach().numpy(),
        simulator(values.tolist(), anatomy, days=[6.0])[0].data.astype(float),
        rtol=1e-5,
        atol=1e-7,
    )
    (gradient,) = torch.autograd.grad(grown.sum(), values)
    with pytest.MonkeyPatch.context() as patch:
        frozen = simulator.tempo(values.tolist(), anatomy.grid)
        patch.setattr(Simulator, "tempo", lambda *_: frozen)
        ends = [
            adjoint.grow(simulator, values.detach() + d * torch.eye(5)[2], anatomy, days=[6.0]).sum()
            for d in (1e-5, -1e-5)
        ]
    assert float(gradient[2]) == pytest.approx(float(ends[0] - ends[1]) / 2e-5, rel=1e-5)


def test_the_differentiable_solve_is_the_simulators(patchy):
    anatomy = patchy()
    values = (0.2, 0.06, 17.0, 18.0, 15.0)
    ours = adjoint.grow(Simulator(), torch.tensor(values, dtype=torch.float64), anatomy, days=[20.0, 50.0])
    for grown, density in zip(ours, Simulator()(values, anatomy, days=[20.0, 50.0]), strict=True):
        np.testing.assert_allclose(grown.numpy(), density.data, atol=2e-5)


def test_a_gradient_with_respect_to_the_initial_density_predicts_a_change(patchy):
    anatomy = patchy((12, 12, 12))
    tissue = anatomy.white_matter + anatomy.gray_matter > 0.5
    initial = torch.tensor(np.where(tissue, 0.2, 0.0), requires_grad=True)
    own = torch.tensor([0.2, 0.06], dtype=torch.float64)
    simulator = Simulator(dtype="float64")

    def loss(start):
        return adjoint.grow(simulator, own, anatomy, days=[20.0], initial=start).pow(2).sum()

    (gradient,) = torch.autograd.grad(loss(initial), initial)
    change = torch.tensor(np.where(tissue, np.random.default_rng(0).normal(size=tissue.shape), 0.0)) * 1e-5
    predicted = float((gradient * change).sum())
    actual = float(loss(initial.detach() + change) - loss(initial.detach() - change)) / 2
    assert predicted == pytest.approx(actual, rel=1e-6)


@pytest.mark.parametrize(
    ("which", "value"), [(0, 1.5), (0, -0.1), (1, -1.0), (1, float("nan")), (2, float("inf")), (2, -0.1)]
)
def test_senseless_fields_are_refused(which, value):
    given = list(fields())
    given[which] = given[which].clone()
    given[which][1, 1, 1] = value
    with pytest.raises(InputError):
        adjoint.grow_fields(*given, spacing=SPACING, days=[5.0])
