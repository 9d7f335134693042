import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

from gliocast.core import ConvergenceError, InputError
from gliocast.growth.elasticity import Displacement, divergence
from gliocast.growth.transport import transport, warp
from gliocast.growth.transport.torch_transport import torch_transport

from .conftest import ALONG_A_DIRECTION

SPACING = (1.0, 1.5, 0.8)


pytestmark = pytest.mark.usefixtures("one_thread")


def compiled(fields, displacement, spacing):
    return transport(fields, displacement, spacing, parallel=False)


def in_torch(fields, displacement, spacing):
    faces = Displacement(*(torch.from_numpy(np.ascontiguousarray(part)) for part in displacement.faces))
    return torch_transport(torch.from_numpy(np.ascontiguousarray(fields)), faces, spacing).numpy()


@pytest.fixture(params=[compiled, in_torch], ids=["numba", "torch"])
def carry(request):
    return request.param


def random_flow(shape, largest=1.0, seed=0):
    generator = np.random.default_rng(seed)
    parts = []
    for axis in range(3):
        part = generator.uniform(-largest, largest, [n + (a == axis) for a, n in enumerate(shape)])
        np.moveaxis(part, axis, 0)[[0, -1]] = 0
        parts.append(part)
    return Displacement(*parts)


def incompressible_flow(shape, seed=0):
    """The curl of a random vector potential on edges, which is zero on the walls."""
    generator = np.random.default_rng(seed)
    potential = []
    for axis in range(3):
        edges = generator.uniform(-0.5, 0.5, [n + (a != axis) for a, n in enumerate(shape)])
        for other in {0, 1, 2} - {axis}:
            np.moveaxis(edges, other, 0)[[0, -1]] = 0
        potential.append(edges)

    def slope(edges, axis):
        return np.diff(edges, axis=axis) / SPACING[axis]

    a, b, c = potential
    return Displacement(slope(c, 1) - slope(b, 2), slope(a, 2) - slope(c, 0), slope(b, 0) - slope(a, 1))


def random_fields(shape, num_fields=2, seed=1):
    """Half of the cells are empty."""
    generator = np.random.default_rng(seed)
    return np.maximum(generator.uniform(-1, 1, (num_fields, *shape)), 0)


def test_nothing_gets_lost(carry):
    shape = (9, 8, 11)
    fields = random_fields(shape)
    after = carry(fields, random_flow(shape, 2.0), SPACING)
    assert abs(after - fields).max() > 0.1
    np.testing.assert_allclose(after.sum(axis=(1, 2, 3)), fields.sum(axis=(1, 2, 3)), rtol=1e-13)


def test_a_constant_stays_constant_in_an_incompressible_flow(carry):
    shape = (9, 8, 11)
    flow = incompressible_flow(shape)
    assert abs(divergence(flow, SPACING)).max() < 1e-14
    assert max(abs(part).max() for part in flow.faces) > 0.5
    np.testing.assert_allclose(carry(np.full((1, *shape), 0.7), flow, SPACING), 0.7, rtol=1e-13)


@pytest.mark.parametrize("largest", [0.1, 1.0, 5.0])
def test_nothing_becomes_negative(carry, largest):
    shape = (9, 8, 11)
    fields = random_fields(shape)
    for seed in range(3):
        after = carry(fields, random_flow(shape, largest, seed), SPACING)
        assert after.min() >= 0
    single = random_flow(shape, largest)
    single = Displacement(*(part.astype(np.float32) for part in single.faces))
    assert carry(fields.astype(np.float32), single, SPACING).min() >= 0


def exact_averages(n, strength):
    """One axis of v = strength sin(pi x): velocity times time at faces, cell averages before and after.

    tan(pi x / 2) grows like exp(pi strength) along a characteristic, and mass between characteristics stays.
    """
    faces = np.arange(n + 1) / n

    def mass(x):
        return x + 0.4 / np.pi * np.sin(np.pi * x) - 0.3 / (2 * np.pi) * np.sin(2 * np.pi * x)

    origin = 2 / np.pi * np.arctan2(np.exp(-np.pi * strength) * np.sin(np.pi * faces / 2), np.cos(np.pi * faces / 2))
    velocity = strength * np.sin(np.pi * faces)
    velocity[[0, -1]] = 0
    return velocity, np.diff(mass(faces)) * n, np.diff(mass(origin)) * n


def test_smooth_fields_are_carried_with_second_order(carry):
    errors = []
    for n in (16, 32):
        shape = (n, n, n)
        axes = [exact_averages(n, strength) for strength in (0.12, -0.08, 0.05)]
        flow = []
        for axis, (velocity, _, _) in enumerate(axes):
            full = np.expand_dims(velocity, [a for a in range(3) if a != axis])
            flow.append(np.broadcast_to(full, [m + (a == axis) for a, m in enumerate(shape)]))
        before, after = (np.einsum("i,j,k->ijk", *(axis[which] for axis in axes)) for which in (1, 2))
        result = carry(before[None], Displacement(*flow), (1 / n,) * 3)[0]
        errors.append(abs(result - after).mean())
    # 4 but for the cells at extrema, where the slope is cut, and for one substep more or less.
    assert errors[0] / errors[1] > 3.4
    assert errors[1] < 1e-3


def test_a_front_moves_as_far_as_its_tissue(carry):
    """In an even stream through the middle of the box the center of mass moves by the displacement."""
    shape = (40, 3, 3)
    field = np.zeros((1, *shape))
    field[:, 10:16] = 1.0
    x = np.zeros((41, 3, 3))
    x[4:36] = 2.4
    after = carry(field, Displacement(x, np.zeros((40, 4, 3)), np.zeros((40, 3, 4))), (0.8, 1.0, 1.0))[0]
    center = (after.sum(axis=(1, 2)) * (np.arange(40) + 0.5) * 0.8).sum() / after.sum()
    # The slopes before and behind the block don't quite cancel; that is 2e-6 of 2.4 mm.
    assert center == pytest.approx(13 * 0.8 + 2.4, abs=1e-5)
    assert after.max() <= 1 + 1e-12
    assert after[16:18, 1, 1].min() > 0.9


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mirroring_the_flow_mirrors_the_fields(carry, axis):
    shape = (9, 8, 11)
    fields, flow = random_fields(shape), random_flow(shape)
    mirrored = Displacement(*(np.flip(part, axis) * (-1 if a == axis else 1) for a, part in enumerate(flow.faces)))
    after = carry(np.ascontiguousarray(np.flip(fields, axis + 1)), mirrored, SPACING)
    np.testing.assert_allclose(np.flip(after, axis + 1), carry(fields, flow, SPACING), atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_compiled_and_torch_transport_agree(dtype):
    for shape in ((9, 8, 11), (1, 2, 1), (5, 1, 3)):
        fields = random_fields(shape).astype(dtype)
        flow = Displacement(*(part.astype(dtype) for part in random_flow(shape, 1.5).faces))
        results = [compiled(fields, flow, SPACING), in_torch(fields, flow, SPACING), transport(fields, flow, SPACING)]
        for result in results[1:]:
            np.testing.assert_allclose(
                result, results[0], rtol=1e3 * np.finfo(dtype).eps, atol=50 * np.finfo(dtype).eps
            )
        assert results[0].dtype == dtype


def test_the_input_stays_as_it_was(carry):
    shape = (5, 6, 4)
    fields, flow = random_fields(shape), random_flow(shape, 3.0)
    copy = fields.copy()
    carry(fields, flow, SPACING)
    np.testing.assert_array_equal(fields, copy)


def test_gradients_of_transport_agree_with_finite_differences():
    shape = (2, 3, 2)
    generator = torch.Generator().manual_seed(0)
    fields = torch.rand((2, 1, *shape), dtype=torch.float64, generator=generator) + 0.1
    inner = [torch.rand((2, 1, 3, 2), dtype=torch.float64, generator=generator) - 0.5]
    inner += [torch.rand((2, 2, 2, 2), dtype=torch.float64, generator=generator) - 0.5]
    inner += [torch.rand((2, 2, 3, 1), dtype=torch.float64, generator=generator) - 0.5]

    def result(fields, *inner):
        pads = [(0, 0, 0, 0, 1, 1), (0, 0, 1, 1), (1, 1)]
        faces = [torch.nn.functional.pad(part, pad) for part, pad in zip(inner, pads, strict=True)]
        return torch_transport(fields, Displacement(*faces), (1.0, 1.0, 1.0))

    assert torch.autograd.gradcheck(result, [a.requires_grad_() for a in (fields, *inner)], **ALONG_A_DIRECTION)


def test_members_of_a_batch_flow_apart():
    shape = (5, 4, 6)
    fields = np.stack([random_fields(shape, seed=seed) for seed in range(2)])
    flows = [random_flow(shape, 0.2, seed) for seed in range(2)]
    together = torch_transport(
        torch.from_numpy(fields),
        Displacement(*(torch.from_numpy(np.stack(parts)) for parts in zip(*(f.faces for f in flows), strict=True))),
        SPACING,
    )
    for member in range(2):
        np.testing.assert_allclose(together[member], compiled(fields[member], flows[member], SPACING), atol=1e-14)


def test_flow_that_cant_be_meant_is_refused(carry):
    shape = (5, 4, 6)
    fields, flow = random_fields(shape), random_flow(shape)
    through = flow.x.copy()
    through[-1, 0, 0] = 0.1
    nan = flow.x.copy()
    nan[2, 2, 2] = np.nan
    for bad in (
        (fields[0], flow, SPACING),
        (fields[:, 1:], flow, SPACING),
        (fields.astype(np.float32), flow, SPACING),
        (fields, Displacement(through, flow.y, flow.z), SPACING),
        (fields, Displacement(nan, flow.y, flow.z), SPACING),
        (np.where(fields > 0.5, np.nan, fields), flow, SPACING),
        (fields, flow, (1.0, -1.0, 1.0)),
    ):
        with pytest.raises(InputError):
            carry(*bad)
    with pytest.raises(ConvergenceError, match="units"):
        carry(fields, 1000 * flow, SPACING)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_warp_interpolates_like_the_reference(dtype):
    shape = (7, 9, 6)
    generator = np.random.default_rng(0)
    image = generator.uniform(size=shape).astype(dtype)
    u = generator.uniform(-3, 3, (3, *shape)).astype(dtype)
    places = [axis - part / h for axis, part, h in zip(np.indices(shape), u, SPACING, strict=True)]
    expected = map_coordinates(image.astype(float), places, order=1, mode="nearest")
    np.testing.assert_allclose(warp(image, u, SPACING), expected, atol=20 * np.finfo(dtype).eps)


def test_warp_moves_an_image_with_its_tissue():
    image = np.zeros((9, 9, 9))
    image[4, 4, 4] = 1
    u = np.zeros((3, 9, 9, 9))
    u[1] = 3.0
    assert warp(image, u, SPACING)[4, 6, 4] == pytest.approx(1)  # 3 mm are two cells of 1.5 mm
    np.testing.assert_array_equal(warp(image, 0 * u, SPACING), image)


def test_images_that_cant_be_warped_are_refused():
    image, u = np.zeros((3, 4, 5)), np.zeros((3, 3, 4, 5))
    for bad in ((image, u[:2]), (image.astype(int), u), (image, np.full_like(u, np.nan)), (image[0], u)):
        with pytest.raises(InputError, match="warp"):
            warp(*bad, SPACING)
