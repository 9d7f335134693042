"""What went wrong once, or nearly did."""

import numpy as np
import pytest
import torch

from gliocast.core import Density, InputError, Radiotherapy, Resection, Treatments, Volume
from gliocast.growth import (
    DensityMap,
    DiameterReached,
    MassEffect,
    ProliferativeNecrotic,
    Simulator,
    SingleScan,
    TensorFisherKolmogorov,
    adjoint,
)
from gliocast.growth.kernels import numba_sweeps

SHAPE, CENTER = (24, 22, 20), (11.0, 11.0, 9.0)


def test_surgery_takes_dead_cells_too(uniform):
    anatomy = uniform(SHAPE)
    cavity = np.zeros(SHAPE, bool)
    cavity[8:14, 8:14, 6:12] = True
    cut = Treatments((Resection(80.0, Volume(cavity, anatomy.grid), 0.01),))
    simulator = Simulator(ProliferativeNecrotic(), treatments=cut, dtype="float64")
    values = (0.1, 0.1, 0.2, 0.4, 1.0, 0.8, 0.2, *CENTER)
    before, after = simulator.snapshots(values, anatomy, days=[80.0, 80.0 + 1e-6])
    assert before.fields["necrotic"][cavity].max() > 0.3
    np.testing.assert_allclose(after.density.data[cavity], 0.01 * before.density.data[cavity], atol=1e-6)


def test_the_box_follows_the_few_that_survive(uniform, monkeypatch):
    anatomy = uniform((40, 40, 40))
    dose = Volume(np.full((40, 40, 40), 40.0, np.float32), anatomy.grid)  # one in a million survives
    course = Treatments((Radiotherapy(dose, (10.0,), alpha=np.log(1e6) / 40 / 5, alpha_beta=10.0),))
    values, days = (0.3, 0.12, 20.0, 20.0, 20.0), [120.0]
    boxed = Simulator(treatments=course, dtype="float64")(values, anatomy, days=days)[0].data
    monkeypatch.setattr(numba_sweeps, "SUPPORT_LEVEL", 0.0)
    everywhere = Simulator(treatments=course, dtype="float64")(values, anatomy, days=days)[0].data
    assert everywhere.max() > 5e-3
    assert np.linalg.norm(boxed - everywhere) < 1e-3 * np.linalg.norm(everywhere)


def test_a_sharp_tumor_that_pushes_hard_loses_no_cell(uniform):
    anatomy = uniform(SHAPE)
    offset = np.indices(SHAPE) - np.array(CENTER)[:, None, None, None]
    ball = (np.sqrt((offset**2).sum(axis=0)) < 5).astype(np.float32)
    simulator = Simulator(MassEffect(), start=DensityMap(Density(0.9 * ball, anatomy.grid)), dtype="float64")
    grown = simulator((0.0, 0.0, 20.0), anatomy, days=[5.0])[0]
    assert grown.burden() == pytest.approx(0.9 * ball.sum(), rel=1e-6)


@pytest.mark.slow
def test_a_gradient_goes_through_a_resection_with_mass_effect(uniform):
    anatomy = uniform((12, 11, 10))
    cavity = np.zeros((12, 11, 10), bool)
    cavity[4:7, 4:7, 4:6] = True
    cut = Treatments((Resection(3.0, Volume(cavity, anatomy.grid)),))
    simulator = Simulator(MassEffect(elastic_tolerance=1e-10), treatments=cut, dtype="float64", accuracy=0.05)
    values = torch.tensor([0.1, 0.08, 1.0, 6.2, 5.1, 5.4], dtype=torch.float64, requires_grad=True)
    weights = torch.rand((12, 11, 10), generator=torch.Generator().manual_seed(3), dtype=torch.float64)

    def loss(point):
        return (weights * adjoint.grow(simulator, point, anatomy, days=[5.0])[0]).sum()

    (gradient,) = torch.autograd.grad(loss(values), values)
    step = 1e-4 * torch.eye(6, dtype=torch.float64)[2]
    difference = (loss(values.detach() + step) - loss(values.detach() - step)) / 2e-4
    assert float(gradient[2]) == pytest.approx(float(difference), rel=1e-5)


def test_fields_may_be_resected(uniform):
    grid = uniform((8, 8, 8)).grid
    cavity = np.zeros((8, 8, 8), bool)
    cavity[3:5, 3:5, 3:5] = True
    cut = Treatments((Resection(2.0, Volume(cavity, grid)),))
    initial = torch.full((8, 8, 8), 0.2, dtype=torch.float64, requires_grad=True)
    speed = torch.full((8, 8, 8), 0.1, dtype=torch.float64)
    grown = adjoint.grow_fields(initial, speed, 0.05, spacing=(1.0, 1.0, 1.0), days=[4.0], treatments=cut)[0]
    assert not grown.detach()[torch.from_numpy(cavity)].any()
    (gradient,) = torch.autograd.grad(grown.sum(), initial)
    assert float(gradient[3, 3, 3]) < float(gradient[0, 0, 0])  # only what had left by then counts


def test_one_member_that_cannot_be_resolved_costs_the_others_nothing(uniform):
    values = np.array([(0.1, 0.05, *CENTER), (0.1, 1e7, *CENTER)])
    for backend in ("numba", "torch"):
        good, bad = Simulator(backend=backend).batch(values, uniform(SHAPE), days=[10.0])
        assert good is not None
        assert bad is None


def test_a_batch_prepares_an_anatomy_once(uniform):
    simulator, anatomy = Simulator(), uniform(SHAPE)
    list(simulator.batch(np.array([(0.1, 0.05, *CENTER)]), anatomy, days=[10.0]))
    assert anatomy in simulator._domains


@pytest.mark.parametrize("days", [[], [np.nan, 5.0], [1.0, np.nan, 3.0], [3.0, 3.0], [0.0], 5.0, [np.inf]])
def test_days_without_order_are_refused_before_any_work(uniform, days):
    with pytest.raises(InputError):
        Simulator().snapshots((0.1, 0.05, *CENTER), uniform(SHAPE), days=days)
    field = torch.full((4, 4, 4), 0.1)
    with pytest.raises(InputError):
        adjoint.grow_fields(field, field, 0.1, spacing=(1.0, 1.0, 1.0), days=days)


@pytest.mark.parametrize("values", [(0.1, 0.05), (0.1, 0.05, *CENTER, 1.0)])
def test_a_wrong_number_of_values_is_refused_with_their_names(uniform, values):
    with pytest.raises(InputError, match="proliferation_rate"):
        Simulator()(values, uniform(SHAPE), days=[10.0])


@pytest.mark.parametrize("options", [{"device": "cuda"}, {"device": "gpu", "backend": "torch"}])
def test_a_senseless_device_is_refused(options):
    with pytest.raises(InputError, match="device"):
        Simulator(**options)


def test_treatments_of_a_single_scan_are_refused(uniform):
    cut = Treatments((Resection(2.0, Volume(np.ones(SHAPE, bool), uniform(SHAPE).grid)),))
    with pytest.raises(InputError, match="without treatment"):
        SingleScan(Simulator(treatments=cut))


def test_a_senseless_anisotropy_is_refused(uniform, turning):
    with pytest.raises(InputError, match="anisotropy"):
        TensorFisherKolmogorov(turning(uniform(SHAPE).grid), anisotropy=np.nan)


def test_a_negative_diameter_is_called_that():
    with pytest.raises(InputError, match="diameter"):
        DiameterReached(-5.0)


def test_the_gradient_in_diffusivity_begins_at_zero(uniform):
    anatomy = uniform((12, 11, 10))
    values = torch.tensor([0.0, 0.08, 6.2, 5.1, 5.4], dtype=torch.float64, requires_grad=True)
    simulator = Simulator(dtype="float64", accuracy=0.05)

    def loss(point):
        return adjoint.grow(simulator, point, anatomy, days=[3.0])[0].pow(2).sum()

    with pytest.MonkeyPatch.context() as patch:
        frozen = simulator.tempo(values.tolist(), anatomy.grid)
        patch.setattr(Simulator, "tempo", lambda *_: frozen)
        patch.setattr(Simulator, "place", lambda self, numbers, anatomy, days, crop: (self._domain(anatomy), None))
        (gradient,) = torch.autograd.grad(loss(values), values)
        step = 1e-6 * torch.eye(5, dtype=torch.float64)[0]
        difference = (loss(values.detach() + step) - loss(values.detach())) / 1e-6
    assert abs(float(difference)) > 1e-3
    assert float(gradient[0]) == pytest.approx(float(difference), rel=1e-4)
