import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from gliocast.core import Anatomy, Grid, InputError, Parameter, Support
from gliocast.inference.morph_infer import (
    NUM_MOMENTS,
    PRINTED,
    SCALINGS,
    TIME_DEPENDENT,
    TIME_INDEPENDENT,
    WINDOW,
    InverseNetwork,
    MorphInfer,
    NetworkConfig,
    Weights,
    inverse_loss,
    load_weights,
    look,
    look_at_patient,
    save_weights,
)

SPACING = 3.0
SHAPE = (44, 50, 46)
GROWTH = np.array([0.1, 0.02, 400.0])


@pytest.fixture(scope="module")
def grid():
    affine = np.diag([SPACING, SPACING, SPACING, 1.0])
    affine[:3, 3] = (-60, -80, -40)
    return Grid(SHAPE, affine)


def ball(grid, center, radius):
    places = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    world = places @ grid.affine[:3, :3].T + grid.affine[:3, 3]
    return np.linalg.norm(world - center, axis=-1) < radius


@pytest.fixture(scope="module")
def tissue(grid):
    white = np.random.default_rng(0).random(grid.shape).astype(np.float32)
    return white, 1 - white


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(0)
    network = InverseNetwork(NetworkConfig(NUM_MOMENTS, 7, channels=4)).eval()
    return Weights(network, "fisher-kolmogorov", "time-independent", SPACING)


def test_moments_are_the_radii_and_centers_of_balls(grid, tissue):
    center = np.array([3.0, -12.0, 21.0])
    seen = look(ball(grid, center, 12.0), ball(grid, center, 24.0), *tissue, grid)
    np.testing.assert_allclose(20 * np.exp(seen.moments[:2]), [24.0, 12.0], rtol=0.02)  # voxels of 3 mm
    for start in (2, 5):
        np.testing.assert_allclose(seen.center + 20 * seen.moments[start : start + 3], center, atol=0.7)


def test_the_window_follows_the_tumor_and_is_zero_outside_of_the_brain(grid, tissue):
    here, there = (ball(grid, np.array([x, -12.0, 21.0]), 20.0) for x in (0.0, 21.0))
    first, second = (look(part, part, *tissue, grid) for part in (here, there))
    np.testing.assert_array_equal(first.fields[0], second.fields[0])
    np.testing.assert_allclose(second.center - first.center, [21.0, 0.0, 0.0])
    corner = look(here * (np.arange(SHAPE[0]) < 18)[:, None, None], here, *tissue, grid)
    assert corner.fields.shape == (3, WINDOW, WINDOW, WINDOW)


def test_a_patient_on_another_grid_is_seen_as_on_the_networks_own(grid):
    """One millimeter, left to right reversed: what BraTS has."""
    center = np.array([3.0, -12.0, 21.0])
    fine_affine = np.diag([-1.0, 1.0, 1.0, 1.0])
    fine_affine[:3, 3] = (65, -80, -40)
    fine = Grid((130, 140, 128), fine_affine)
    empty = np.zeros(fine.shape, np.float32)
    anatomy = Anatomy(np.ones(fine.shape, np.float32), empty, empty, np.ones(fine.shape, bool), fine)
    seen = look_at_patient(ball(fine, center, 12.0), ball(fine, center, 24.0), anatomy, SPACING)
    own = look(ball(grid, center, 12.0), ball(grid, center, 24.0), np.ones(SHAPE), np.zeros(SHAPE), grid)
    np.testing.assert_allclose(seen.moments[:2], own.moments[:2], atol=0.03)
    np.testing.assert_allclose(seen.center + 20 * seen.moments[2:5], center, atol=0.5)
    # the same ball on lattices that are shifted by less than a voxel: only its surface may differ
    assert np.mean(seen.fields[0] != own.fields[0]) < 0.03


def test_outlines_without_voxels_or_on_a_turned_grid_are_refused(grid, tissue):
    full, empty = np.ones(SHAPE, bool), np.zeros(SHAPE, bool)
    with pytest.raises(InputError, match="outline without voxels"):
        look(empty, full, *tissue, grid)
    turned = Grid(SHAPE, np.array([[0, 3, 0, 0], [3, 0, 0, 0], [0, 0, 3, 0], [0, 0, 0, 1.0]]))
    with pytest.raises(InputError, match="another orientation"):
        look(full, full, *tissue, turned)


@pytest.mark.parametrize("scaling", SCALINGS.values(), ids=list(SCALINGS))
def test_scaling_and_its_inverse_cancel(scaling):
    offset, thresholds = np.array([4.0, -3.0, 2.0]), np.array([0.7, 0.2])
    found = scaling.decode(scaling.encode(GROWTH, offset, thresholds))
    truth = [np.sqrt(40.0), np.sqrt(8.0), *offset, *thresholds]
    np.testing.assert_allclose(found, truth[: len(found)], rtol=1e-9)


def test_parameters_that_one_scan_identifies_do_not_depend_on_time_but_the_others_do():
    offset, thresholds = np.zeros(3), np.array([0.7, 0.2])
    slower = GROWTH * np.array([0.5, 0.5, 2.0])  # the same tumor, later
    for scaling, same in ((TIME_INDEPENDENT, True), (PRINTED, True), (TIME_DEPENDENT, False)):
        both = [scaling.encode(growth, offset, thresholds) for growth in (GROWTH, slower)]
        assert np.allclose(*both) is same


def test_the_loss_is_least_at_the_true_precision():
    """Errors of covariance S: the expected likelihood is highest where L L^T = S^-1."""
    torch.manual_seed(0)
    root = torch.tensor([[1.0, 0.0], [0.6, 0.5]])
    errors = torch.randn(20_000, 2) @ root.T
    best = torch.linalg.cholesky(torch.linalg.inv(root @ root.T))
    zero, weight = torch.zeros_like(errors), torch.ones(2)

    def likelihood(factor):
        return float(inverse_loss(zero, factor.expand(len(errors), 2, 2), errors, weight)[1])

    for direction in (torch.tensor([[0.1, 0.0], [0.0, 0.0]]), torch.tensor([[0.0, 0.0], [0.1, 0.0]])):
        assert likelihood(best) < likelihood(best + direction)
        assert likelihood(best) < likelihood(best - direction)


def test_weights_come_back_as_they_were_written_in_half_precision(tmp_path, weights):
    path = tmp_path / "w.safetensors"
    save_weights(path, weights)
    found = load_weights(path)
    assert (found.model, found.parametrization, found.spacing_mm) == ("fisher-kolmogorov", "time-independent", SPACING)
    for name, tensor in weights.network.state_dict().items():
        torch.testing.assert_close(found.network.state_dict()[name], tensor.half().float())


def test_weights_that_were_changed_do_not_fit_or_are_absent_are_refused(tmp_path, weights):
    path = tmp_path / "w.safetensors"
    with pytest.raises(InputError, match="train them: gliocast train morph-infer"):
        load_weights(path)
    save_weights(path, weights)
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    tensors["answer.bias"] = tensors["answer.bias"] + 1
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(InputError, match="hash"):
        load_weights(path)
    save_file(tensors, path, metadata={"gliocast": metadata["gliocast"].replace("morph-infer 1", "morph-infer 0")})
    with pytest.raises(InputError, match="format"):
        load_weights(path)
    path.write_bytes(b"not weights")
    with pytest.raises(InputError, match="something else"):
        load_weights(path)


def test_posterior_is_the_normal_distribution_that_the_network_answers(weights, grid, tissue):
    seen = look(ball(grid, np.zeros(3), 12.0), ball(grid, np.zeros(3), 24.0), *tissue, grid)
    estimator = MorphInfer(weights)
    names = ("diffusion_length", "growth_number", "seed_x", "seed_y", "seed_z", "t1c_threshold", "flair_threshold")
    parameters = tuple(Parameter(name, name, "1", Support(), (0.1, 1.0), "test") for name in names)
    posterior = estimator.condition(seen, parameters, generator=np.random.default_rng(0), num_samples=20_000)
    mean, factor = estimator.answer(seen)
    covariance = np.linalg.inv(factor @ factor.T)
    travel = np.log(posterior.samples[:, 0] * posterior.samples[:, 1])
    half = (TIME_INDEPENDENT.upper[0] - TIME_INDEPENDENT.lower[0]) / 2
    middle = TIME_INDEPENDENT.unscale(mean)[0]
    assert travel.mean() == pytest.approx(middle, abs=4 * travel.std() / np.sqrt(20_000))
    assert travel.std() == pytest.approx(half * np.sqrt(covariance[0, 0]), rel=0.03)
    np.testing.assert_allclose(posterior.mode, estimator.point(seen))
    with pytest.raises(InputError, match="7 parameters"):
        estimator.condition(seen, parameters[:5], generator=np.random.default_rng(0))
