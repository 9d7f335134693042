"""Agreement against known shapes, against all distances one by one, and where regions are empty."""

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.distance import cdist

from gliocast.core import SCHEMAS, Grid, InputError, LabelMap
from gliocast.segmentation.metrics import (
    BOTH_EMPTY,
    MISSED_HD95_MM,
    ONE_EMPTY,
    REGIONS,
    Agreement,
    agreement_of,
    bootstrap_interval,
    compare,
    composite_dice,
    hd95,
)

ISOTROPIC, ANISOTROPIC = (1.0, 1.0, 1.0), (0.7, 1.0, 3.0)
SHAPE = (24, 22, 20)


def ball(radius, center, shape=SHAPE, spacing=ISOTROPIC):
    """Bool; radius and center in mm."""
    points = np.moveaxis(np.indices(shape), 0, -1) * np.array(spacing)
    return np.linalg.norm(points - np.array(center), axis=-1) < radius


def cube(lower, upper):
    mask = np.zeros(SHAPE, dtype=bool)
    mask[tuple(slice(a, b) for a, b in zip(lower, upper, strict=True))] = True
    return mask


def ragged(generator, center, spacing):
    """A ball with a rough surface and a few islands."""
    points = np.moveaxis(np.indices(SHAPE), 0, -1) * np.array(spacing)
    radius = np.linalg.norm(points - np.array(center), axis=-1)
    noise = ndimage.gaussian_filter(generator.standard_normal(SHAPE), 1.0)
    return radius + 10 * noise < 6


def border_one_by_one(mask):
    """Voxels that have a neighbor outside, each asked in turn."""
    padded = np.pad(mask, 1)
    steps = [np.roll(np.eye(3, dtype=int)[0] * sign, axis) for axis in range(3) for sign in (-1, 1)]
    return np.array([v for v in np.argwhere(mask) if not all(padded[tuple(v + 1 + step)] for step in steps)])


def labels_of(data, schema="brats-2021", spacing=ISOTROPIC):
    return LabelMap(data.astype(np.uint8), Grid(data.shape, np.diag([*spacing, 1.0])), SCHEMAS[schema])


@pytest.mark.parametrize("spacing", [ISOTROPIC, ANISOTROPIC])
@pytest.mark.parametrize("seed", range(3))
def test_hd95_is_that_of_all_distances_between_borders(seed, spacing):
    generator = np.random.default_rng(seed)
    middle = np.array(SHAPE) * np.array(spacing) / 2
    a, b = ragged(generator, middle, spacing), ragged(generator, middle + 1.5, spacing)
    distances = cdist(border_one_by_one(a) * np.array(spacing), border_one_by_one(b) * np.array(spacing))
    expected = max(np.percentile(distances.min(axis=axis), 95) for axis in (0, 1))
    assert hd95(a, b, spacing=spacing) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("spacing", [ISOTROPIC, ANISOTROPIC])
def test_hd95_is_that_of_a_distance_transform(spacing):
    generator = np.random.default_rng(7)
    middle = np.array(SHAPE) * np.array(spacing) / 2
    a, b = ragged(generator, middle, spacing), ragged(generator, middle + 2, spacing)
    edges = [mask & ~ndimage.binary_erosion(mask) for mask in (a, b)]
    fields = [ndimage.distance_transform_edt(~edge, sampling=spacing) for edge in edges]
    expected = max(np.percentile(fields[1][edges[0]], 95), np.percentile(fields[0][edges[1]], 95))
    assert hd95(a, b, spacing=spacing) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(("axis", "expected_mm"), [(0, 4 * 0.7), (1, 4 * 1.0), (2, 4 * 3.0)])
def test_a_shifted_bar_is_as_far_as_it_was_shifted(axis, expected_mm):
    """A bar of one voxel across: most of its border, all of the rest aside, moves by the shift and no less."""
    lower = np.array([4, 4, 4])
    upper = np.array([20, 20, 16])
    upper[axis] = lower[axis] + 1
    step = 4 * np.eye(3, dtype=int)[axis]
    found = hd95(cube(lower, upper), cube(lower + step, upper + step), spacing=ANISOTROPIC)
    assert found == pytest.approx(expected_mm)


def test_a_shifted_cube_overlaps_as_geometry_says():
    """Edge of 10, shifted by 2: 800 of 1000 voxels in common; one face is 2 away, and that is more than 5 % of all."""
    found = agreement_of(cube((4, 4, 4), (14, 14, 14)), cube((6, 4, 4), (16, 14, 14)), spacing=ISOTROPIC)
    assert found == Agreement(0.8, 800 / 1200, 2.0)


def test_concentric_balls_are_as_far_as_their_radii_differ():
    """Voxels of borders lie up to one voxel inside of the radius, 0.58 mm on average."""
    shape, center = (60, 60, 60), (30, 30, 30)
    found = hd95(ball(25, center, shape), ball(15, center, shape), spacing=ISOTROPIC)
    assert found == pytest.approx(10, abs=0.8)


def test_hd95_leaves_out_a_small_island():
    """A far voxel is a hundredth of the border: the largest distance would be 14."""
    a = cube((4, 4, 4), (12, 12, 12))
    b = a.copy()
    b[21, 8, 8] = True
    assert hd95(a, b, spacing=ISOTROPIC) == 0


def test_a_mask_at_the_edge_of_the_grid_has_a_border_there():
    """Two slabs over the whole grid; without a border at the edge, the larger one's would only be at its inner face."""
    a, b = cube((0, 0, 0), (2, 22, 20)), cube((0, 0, 0), (6, 22, 20))
    assert hd95(a, b, spacing=ISOTROPIC) == pytest.approx(4)
    whole = np.ones(SHAPE, dtype=bool)
    assert hd95(whole, whole, spacing=ISOTROPIC) == 0


def test_iou_is_that_of_dice():
    """J = D / (2 - D)."""
    found = agreement_of(ball(7, (11, 11, 10)), ball(6, (13, 11, 10)), spacing=ISOTROPIC)
    assert found.iou == pytest.approx(found.dice / (2 - found.dice))


def test_empty_regions_follow_the_rules_of_brats():
    empty, full = np.zeros(SHAPE, dtype=bool), ball(5, (10, 10, 10))
    assert agreement_of(empty, empty, spacing=ISOTROPIC) == BOTH_EMPTY == Agreement(1.0, 1.0, 0.0)
    for pair in ((empty, full), (full, empty)):
        assert agreement_of(*pair, spacing=ISOTROPIC) == ONE_EMPTY == Agreement(0.0, 0.0, MISSED_HD95_MM)
    assert pytest.approx(np.linalg.norm([240, 240, 155]), abs=0.005) == MISSED_HD95_MM


def test_nothing_on_both_sides_is_a_perfect_match():
    nothing = labels_of(np.zeros(SHAPE))
    assert compare(nothing, nothing) == dict.fromkeys(REGIONS, BOTH_EMPTY)


def layered(necrosis, enhancing, edema, center=(11, 11, 10)):
    """Concentric balls with these numbers."""
    data = np.zeros(SHAPE)
    for radius, number in ((8, edema), (5, enhancing), (3, necrosis)):
        data[ball(radius, center)] = number
    return data


def test_regions_are_those_of_brats():
    truth = layered(1, 4, 2)
    found = layered(1, 4, 2, center=(12, 11, 10))
    found[found == 1] = 0
    result = compare(labels_of(found), labels_of(truth))
    members = {"necrosis": [1], "edema": [2], "enhancing": [4], "WT": [1, 2, 4], "TC": [1, 4], "ET": [4]}
    assert list(result) == list(members)
    for region, numbers in members.items():
        expected = agreement_of(np.isin(found, numbers), np.isin(truth, numbers), spacing=ISOTROPIC)
        assert result[region] == expected, region
    assert result["necrosis"] == ONE_EMPTY
    mean = (result["WT"].dice + result["TC"].dice + result["ET"].dice) / 3
    assert composite_dice(result) == pytest.approx(mean)


def test_schemas_may_differ():
    result = compare(labels_of(layered(1, 3, 2), "brats-2023"), labels_of(layered(4, 1, 2), "swapped"))
    assert result == dict.fromkeys(REGIONS, Agreement(1.0, 1.0, 0.0))


def test_distances_are_in_mm_of_the_grid():
    found, truth = np.zeros(SHAPE), np.zeros(SHAPE)
    found[5:15, 5:15, 8], truth[5:15, 5:15, 10] = 2, 2
    result = compare(labels_of(found, spacing=ANISOTROPIC), labels_of(truth, spacing=ANISOTROPIC))
    assert result["WT"].hd95_mm == pytest.approx(2 * 3.0)
    assert result["WT"].dice == 0


def test_cavity_is_no_region():
    truth = layered(1, 3, 2)
    found = truth.copy()
    found[cube((1, 1, 1), (4, 4, 4))] = 4
    result = compare(labels_of(found, "brats-2024"), labels_of(truth, "brats-2024"))
    assert result == dict.fromkeys(REGIONS, Agreement(1.0, 1.0, 0.0))


def test_different_grids_are_refused():
    with pytest.raises(InputError, match="resample"):
        compare(labels_of(layered(1, 4, 2)), labels_of(layered(1, 4, 2), spacing=ANISOTROPIC))


def test_bootstrap_of_a_normal_sample_is_that_of_theory():
    """Mean +- 1.96 s / sqrt(n); the ends of 20,000 resamples vary by 2 % of a standard error."""
    values = np.random.default_rng(1).normal(0.8, 0.1, size=400)
    lower, upper = bootstrap_interval(values, generator=np.random.default_rng(2), num_resamples=20_000)
    error = values.std() / np.sqrt(len(values))
    assert (lower - values.mean()) / error == pytest.approx(-1.96, abs=0.08)
    assert (upper - values.mean()) / error == pytest.approx(1.96, abs=0.08)


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_bootstrap_covers_the_mean_as_often_as_it_says(level):
    """Of 400 samples of 50 from an exponential distribution; three standard errors, and 2 % that skewness takes."""
    generator = np.random.default_rng(3)
    hits = []
    for values in generator.exponential(size=(400, 50)):
        lower, upper = bootstrap_interval(values, generator=generator, num_resamples=300, level=level)
        hits.append(lower <= 1 <= upper)
    assert np.mean(hits) == pytest.approx(level - 0.02, abs=3 * np.sqrt(level * (1 - level) / 400))


def test_bootstrap_depends_on_its_generator_alone():
    values = np.array([0.2, 0.5, 0.9, 0.4])
    same = [bootstrap_interval(values, generator=np.random.default_rng(5)) for _ in range(2)]
    assert same[0] == same[1] != bootstrap_interval(values, generator=np.random.default_rng(6))


@pytest.mark.parametrize(
    ("values", "options"), [([], {}), ([1.0, np.nan], {}), ([1.0], {"level": 1.0}), ([1.0], {"num_resamples": 0})]
)
def test_bootstrap_refuses_what_means_nothing(values, options):
    with pytest.raises(InputError, match="bootstrap"):
        bootstrap_interval(np.array(values), generator=np.random.default_rng(0), **options)
