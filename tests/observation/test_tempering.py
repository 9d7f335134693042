import numpy as np
import pytest

from gliocast.core import Grid
from gliocast.observation.correlated import correlated_noise
from gliocast.observation.tempering import effective_weight

GRID = Grid((26, 26, 26), np.diag([2.0, 2.0, 2.0, 1.0]))
SPACING = GRID.spacing
PLACES = 2.0 * (np.indices(GRID.shape) - 12.5)
RADIUS = np.sqrt(np.sum(PLACES**2, axis=0))

#: A shell that informs, as the band around an outline does, about radius and position.
BAND = np.exp(-((RADIUS - 20) ** 2) / 4)
X, Y, Z = PLACES / RADIUS
SLOPES = BAND * np.stack([np.ones(GRID.shape), X, Y, Z])
COVARIANCE = np.linalg.inv(np.einsum("axyz,bxyz->ab", SLOPES, SLOPES))


def weight(residuals, slopes=SLOPES, covariance=COVARIANCE, counted=0.0):
    """k of residuals that no fit has touched, unless it says what a voxel counted there."""
    return effective_weight(slopes, residuals, covariance, SPACING, weight=counted)[0]


def test_independent_residuals_count_once_each():
    noise = np.random.default_rng(0).standard_normal(GRID.shape)
    assert weight(noise) == pytest.approx(1, abs=0.1)


def test_correlated_residuals_count_as_their_autocovariance_says():
    """tr(M H) / tr(M J) with the known covariance exp(-d^2 / 36) of the field, by brute force over a sparse band."""
    drawn = [weight(correlated_noise(GRID, 6.0, np.random.default_rng(seed))) for seed in range(6)]
    place = np.argwhere(BAND > 0.05)
    rows = np.random.default_rng(0).choice(len(place), 800, replace=False)
    inside = tuple(place.T)
    near = np.exp(-4 * np.sum((place[rows, None] - place[None]) ** 2, axis=2) / 36)
    slopes = SLOPES[:, *inside]
    claimed = np.einsum("an,ab,bn->", slopes[:, rows], COVARIANCE, slopes[:, rows])
    true = np.einsum("an,ab,nm,bm->", slopes[:, rows], COVARIANCE, near, slopes, optimize=True)
    # one outline of 20 mm has some forty patches of 6 mm: its weight scatters by a fifth
    assert np.mean(drawn) == pytest.approx(claimed / true, rel=0.25)


def test_what_a_fit_absorbs_is_added_back():
    """Seven directions are fitted out of a field that is correlated over 6 mm; k is that of the field before."""
    slopes = np.concatenate([SLOPES, BAND * np.stack([X * Y, Y * Z, Z * X])])
    covariance = np.linalg.inv(np.einsum("axyz,bxyz->ab", slopes, slopes))
    before, naive, after = [], [], []
    for seed in range(6):
        field = correlated_noise(GRID, 6.0, np.random.default_rng(seed))
        left = field - np.tensordot(covariance @ np.einsum("axyz,xyz->a", slopes, field), slopes, axes=1)
        before.append(weight(field, slopes, covariance))
        naive.append(weight(left, slopes, covariance))
        after.append(weight(left, slopes, covariance, counted=1.0))
    assert np.mean(after) == pytest.approx(np.mean(before), rel=0.2)  # each mean of six is known to a tenth
    assert np.mean(naive) > 1.2 * np.mean(after)


def test_residuals_twice_as_large_count_a_quarter():
    field = correlated_noise(GRID, 6.0, np.random.default_rng(1))
    assert weight(2 * field) == pytest.approx(weight(field) / 4)


def test_longer_correlation_counts_less():
    counts = [weight(correlated_noise(GRID, length, np.random.default_rng(2))) for length in (2.0, 5.0, 10.0)]
    assert counts[0] > 2 * counts[1] > 4 * counts[2]


@pytest.mark.parametrize("size", [0.0, 1e-3])
def test_a_voxel_counts_at_most_once(size):
    assert weight(size * correlated_noise(GRID, 6.0, np.random.default_rng(0))) == 1


def test_the_weight_does_not_depend_on_the_coordinates():
    field = correlated_noise(GRID, 6.0, np.random.default_rng(3))
    turn = np.random.default_rng(4).normal(size=(4, 4))
    turned = np.tensordot(turn, SLOPES, axes=1)
    inverse = np.linalg.inv(turn)
    assert weight(field, turned, inverse.T @ COVARIANCE @ inverse) == pytest.approx(weight(field), rel=1e-6)


def test_residuals_where_nothing_informs_do_not_matter():
    field = correlated_noise(GRID, 6.0, np.random.default_rng(5))
    elsewhere = np.where(RADIUS < 10, 50.0, field)
    assert weight(elsewhere) == pytest.approx(weight(field), rel=1e-3)


def test_an_outline_that_informs_of_nothing_keeps_its_voxels():
    assert effective_weight(0 * SLOPES, np.ones(GRID.shape), COVARIANCE, SPACING, weight=1.0) == (1.0, 0.0)
