"""A tumor that pushes."""

import numpy as np
import pytest

from gliocast.core import Anatomy, InputError, Resection, Treatments, Volume
from gliocast.growth import FisherKolmogorov, Simulator
from gliocast.growth.elasticity import Elasticity, centered
from gliocast.growth.models.mass_effect import MassEffect, Stiffness

SHAPE, CENTER = (26, 24, 22), (12.6, 11.3, 10.4)
VALUES = (0.2, 0.1, 1.0, *CENTER)


@pytest.fixture
def layered(uniform):
    """Brain in a stiff shell, with a slab of fluid beside the tumor."""
    points = np.stack(np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in SHAPE), indexing="ij"))
    brain = sum((axis / (n / 2)) ** 2 for axis, n in zip(points, SHAPE, strict=True)) < 1
    fluid = brain & (np.abs(points[0] - 6) < 1.5) & (np.abs(points[1]) < 5)
    tissue = (brain & ~fluid).astype(np.float32)
    return Anatomy(0.8 * tissue, 0.2 * tissue, fluid.astype(np.float32), brain, uniform(SHAPE).grid)


def final(simulator, anatomy, values=VALUES, days=60.0):
    return list(simulator.snapshots(values, anatomy, days=[days]))[-1]


def test_without_pressure_it_is_fisher_kolmogorov(layered):
    pushed = final(Simulator(MassEffect(), accuracy=1e-4, dtype="float64"), layered, (0.2, 0.1, 0.0, *CENTER))
    plain = final(Simulator(FisherKolmogorov(), accuracy=1e-4, dtype="float64"), layered, (0.2, 0.1, *CENTER))
    # migration is taken in two halves, which changes the error of its stepping and nothing else
    assert np.linalg.norm(pushed.density.data - plain.density.data) < 1e-4 * np.linalg.norm(plain.density.data)
    assert not pushed.fields["displacement"].any()
    np.testing.assert_allclose(pushed.fields["white_matter"], layered.white_matter, atol=1e-6)


def test_the_displacement_is_in_equilibrium_with_the_cells(layered):
    model = MassEffect(elastic_tolerance=1e-6)
    grown = final(Simulator(model, accuracy=3e-4, dtype="float64"), layered)
    composition = np.stack([grown.fields[name] for name in ("white_matter", "gray_matter", "csf")]).astype(float)
    outside = 1 - composition.sum(axis=0)
    density = grown.density.data.astype(float)
    moduli = Stiffness().moduli(np.stack([*composition, outside]), density)
    body = Elasticity(*(np.ascontiguousarray(modulus) for modulus in moduli), (1.0, 1.0, 1.0))
    expected = centered(body.solve(VALUES[2] * density, tolerance=1e-8))
    ours = grown.fields["displacement"]
    # what is handed out is extrapolated by half a step
    assert np.linalg.norm(ours - expected) < 5e-3 * np.linalg.norm(expected)
    assert np.abs(ours).max() > 0.1


def test_a_ball_in_uniform_tissue_pushes_outward(uniform):
    anatomy = uniform((25, 25, 25))
    grown = final(Simulator(MassEffect(), dtype="float64"), anatomy, (0.2, 0.1, 4.0, 12.0, 12.0, 12.0))
    displacement = grown.fields["displacement"]
    offset = np.indices((25, 25, 25)) - 12.0
    radius = np.sqrt((offset**2).sum(axis=0))
    shell = (radius > 5) & (radius < 9)
    outward = (displacement * offset).sum(axis=0)[shell] / radius[shell]
    assert (outward > 0).all()
    assert np.linalg.norm(displacement[:, shell]) == pytest.approx(
        np.linalg.norm(outward), rel=0.05
    )  # walls are square


def test_fluid_beside_the_tumor_is_squeezed_and_no_tissue_is_lost(layered):
    model = MassEffect()
    simulator = Simulator(model, dtype="float64")
    domain, dynamics, state = simulator._begin(VALUES, layered, 60.0)
    before = state.tissue.sum(axis=(1, 2, 3))
    for _ in range(6):
        state = dynamics.move(dynamics.react(state, 10.0), 10.0)
    np.testing.assert_allclose(state.tissue.sum(axis=(1, 2, 3)), before, rtol=1e-12)
    assert state.tissue.min() > -1e-12
    fluid = dynamics.fields(state)["csf"]
    first = layered.crop(domain.window).csf
    # displaced and squeezed: the near wall of the slab moves away from the tumor
    centroid = [(field * np.arange(len(field))[:, None, None]).sum() / field.sum() for field in (first, fluid)]
    assert centroid[1] > centroid[0] + 0.02


def test_cells_are_carried_with_the_tissue(layered):
    still = final(Simulator(MassEffect()), layered, (0.0, 0.1, 0.0, *CENTER), 40.0).density
    pushed = final(Simulator(MassEffect()), layered, (0.0, 0.1, 8.0, *CENTER), 40.0).density
    # without migration, tumor that takes more room is wider
    assert pushed.volume_above(0.05) > 1.05 * still.volume_above(0.05)


@pytest.mark.slow
def test_time_stepping_converges_at_second_order(layered):
    model = MassEffect(elastic_tolerance=1e-7)
    reference = final(Simulator(model, accuracy=8e-5, dtype="float64"), layered)
    errors = []
    for accuracy in (2e-2, 5e-3, 1.25e-3):  # steps halve
        ours = final(Simulator(model, accuracy=accuracy, dtype="float64"), layered)
        errors.append(
            [
                np.linalg.norm(a - b) / np.linalg.norm(b)
                for a, b in (
                    (ours.density.data, reference.density.data),
                    (ours.fields["displacement"], reference.fields["displacement"]),
                )
            ]
        )
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    assert (ratios[-1] > 2.5).all(), errors
    assert errors[1][0] < 5e-3, errors
    assert errors[1][1] < 3e-2, errors


def test_density_stays_between_zero_and_one(layered):
    grown = final(Simulator(MassEffect()), layered, (0.5, 0.2, 5.0, *CENTER), 90.0).density.data
    assert np.isfinite(grown).all()
    assert grown.min() >= 0
    assert grown.max() <= 1


def test_tissue_sinks_back_after_a_resection(layered):
    cavity = np.zeros(SHAPE, bool)
    cavity[8:17, 7:16, 6:15] = True
    treated = Treatments((Resection(40.0, Volume(cavity, layered.grid)),))
    before, after = Simulator(MassEffect(), treatments=treated).snapshots(VALUES, layered, days=[40.0, 40.5])
    sizes = [np.linalg.norm(snapshot.fields["displacement"]) for snapshot in (before, after)]
    assert sizes[1] < 0.9 * sizes[0]  # a rim of tumor is left
    assert after.density.burden() < 0.8 * before.density.burden()


@pytest.mark.parametrize("part", ["fluid", "brain", "tumor", "outside"])
@pytest.mark.parametrize("constants", [(0.0, 0.4), (-1.0, 0.4), (np.nan, 0.4), (2.0, 0.5), (2.0, -0.1)])
def test_senseless_stiffness_is_refused(part, constants):
    with pytest.raises(InputError):
        Stiffness(**{part: constants})


def test_negative_pressure_is_refused(layered):
    with pytest.raises(InputError):
        Simulator(MassEffect())((0.2, 0.1, -1.0, *CENTER), layered, days=[10.0])


def test_squeezed_cells_are_as_stiff_as_tumor():
    """Squeezed into fluid they exceed one; the mixture must stay a material."""
    fluid = np.zeros((4, 1, 1, 3))
    fluid[2] = 1
    lam, mu = Stiffness().moduli(fluid, np.array([[[0.0, 1.0, 1.3]]]))
    assert (lam[..., 2], mu[..., 2]) == (lam[..., 1], mu[..., 1])
    assert lam[0, 0, 0] < lam[0, 0, 1]
