"""What is read off an outline that was displaced by known errors."""

import numpy as np
import pytest

from gliocast.core import SCHEMAS, Density, Grid, LabelMap
from gliocast.observation import LabelErrors, OutlineLikelihood, draw_outlines
from gliocast.observation.displacement import _crossings, displacement_of

GRID = Grid((60, 60, 60), np.diag([1.5, 1.5, 1.5, 1.0]))
RADIUS = 1.5 * np.sqrt(sum((axis - 29.5) ** 2 for axis in np.indices(GRID.shape)))
FRONT = Density((1 / (1 + np.exp((RADIUS - 25) / 4.0))).astype(np.float32), GRID)
VALUES = np.array([0.65, 0.25])
LEVELS = {"core": 0.65, "whole": 0.25}


def exact_distance(level):
    """From the outline of the front at a level [mm], positive inside."""
    return 25 - 4 * np.log(level / (1 - level)) - RADIUS


def likelihood(core, whole):
    labels = (2 * whole - core.astype(int)).astype(np.uint8)
    return OutlineLikelihood.from_labels(LabelMap(labels, GRID, SCHEMAS["brats-2021"]))


@pytest.mark.parametrize(("deviation", "length"), [(1.5, 6.0), (4.0, 12.0)])
def test_the_errors_that_outlines_were_drawn_with_are_read_off(deviation, length):
    """Of one outline a sphere of 25 mm tells both to a third or so; of eight together, to an eighth."""
    errors = LabelErrors(displacement_mm=deviation, correlation_mm=length)
    found = []
    for seed in range(8):
        _, whole = draw_outlines(FRONT, None, 0.25, errors, np.random.default_rng(seed))
        found.append(displacement_of(whole.astype(np.float32), exact_distance(0.25), GRID.spacing))
    deviations, lengths = np.array(found).T
    assert deviations.mean() == pytest.approx(deviation, rel=0.15)
    assert lengths.mean() == pytest.approx(length, rel=0.25)


def test_exact_outlines_of_shares_have_hardly_any_errors():
    shares = np.clip(0.5 + exact_distance(0.25) / 1.5, 0, 1).astype(np.float32)
    deviation, _ = displacement_of(shares, exact_distance(0.25), GRID.spacing)
    assert deviation == 0.1


@pytest.mark.parametrize(("wave", "normal"), [(0, 1), (1, 2), (2, 0), (0, 2)])
def test_errors_are_read_where_they_are(wave, normal):
    """A plane that waves along one axis, by two millimeters: at each place the error is the wave's there."""
    spacing = (1.0, 2.0, 3.0)
    axes = np.indices((60, 30, 20)) * np.reshape(spacing, (3, 1, 1, 1))
    error = 2 * np.sin(axes[wave] * 2 * np.pi / 40)
    distance = 30.0 - axes[normal]
    shares = np.clip(0.5 + (distance + error) / spacing[normal], 0, 1)
    places, errors = _crossings(shares, distance, spacing)
    # where the wave is steep, a crossing between two voxels is known to a tenth of a voxel
    np.testing.assert_allclose(errors, 2 * np.sin(places[:, wave] * 2 * np.pi / 40), atol=0.3)
    # over all directions in the plane, a sine is correlated by J_0(2 pi r / 40), which is 1/e at r = 10.4; the plane is
    # no wider than one and a half waves
    assert displacement_of(shares, distance, spacing)[1] == pytest.approx(10.4, rel=0.25)


def test_holes_and_far_foci_do_not_decide():
    errors = LabelErrors(displacement_mm=1.5, correlation_mm=6.0)
    _, whole = draw_outlines(FRONT, None, 0.25, errors, np.random.default_rng(0))
    distance = exact_distance(0.25)
    clean, _ = displacement_of(whole.astype(np.float32), distance, GRID.spacing)
    whole[28:32, 28:32, 28:32] = False
    whole[2:6, 2:6, 2:6] = True
    distance = np.where(RADIUS > 60, -np.inf, distance)
    assert displacement_of(whole.astype(np.float32), distance, GRID.spacing)[0] == pytest.approx(clean, rel=0.05)


def test_what_has_no_outline_has_no_errors():
    assert displacement_of(np.zeros(GRID.shape), exact_distance(0.25), GRID.spacing) is None
    everywhere = np.full(GRID.shape, -np.inf)
    assert displacement_of((RADIUS < 20).astype(np.float32), everywhere, GRID.spacing) is None


def test_a_displaced_likelihood_draws_the_errors_of_what_was_observed_and_reads_it_as_before():
    rough = LabelErrors(displacement_mm=3.0, correlation_mm=9.0)
    seen = likelihood(*draw_outlines(FRONT, 0.65, 0.25, rough, np.random.default_rng(1)))
    model = seen.displaced(FRONT, VALUES)
    assert model.log_likelihood(FRONT, VALUES) == seen.log_likelihood(FRONT, VALUES)
    assert set(model.displacements) == {"core", "whole"}
    drawn = model.sample(FRONT, VALUES, np.random.default_rng(2)).astype(np.float32)
    for name, outline in zip(("core", "whole"), drawn, strict=True):
        again, _ = displacement_of(outline, exact_distance(LEVELS[name]), GRID.spacing)
        assert again == pytest.approx(model.displacements[name][0], rel=0.4)
    assert (drawn[0] <= drawn[1]).all()


def test_a_small_outline_keeps_the_stated_errors():
    seen = likelihood(RADIUS < 2, RADIUS < 25)
    model = seen.displaced(FRONT, VALUES)
    assert set(model.displacements) == {"whole"}
    assert model._drawn_errors[0].displacement_mm == seen.errors.displacement_mm


def test_errors_drawn_within_reach_scatter_volumes_like_those_drawn_everywhere():
    model = likelihood(RADIUS < 20, RADIUS < 28)
    near = [model.sample(FRONT, VALUES, np.random.default_rng(seed)).sum(axis=(1, 2, 3)) for seed in range(40)]
    far = [
        draw_outlines(FRONT, *VALUES, model.errors, np.random.default_rng(seed)).sum(axis=(1, 2, 3))
        for seed in range(100, 140)
    ]
    # standard errors: of a mean, a sixth of the scatter; of a scatter from forty, a ninth, twice
    scatter = np.std(far, axis=0)
    np.testing.assert_allclose(np.mean(near, axis=0), np.mean(far, axis=0), atol=0.5 * scatter.max())
    np.testing.assert_allclose(np.std(near, axis=0) / scatter, 1, atol=0.4)


def test_nothing_is_drawn_where_there_are_no_cells():
    nothing = Density(np.zeros(GRID.shape, dtype=np.float32), GRID)
    assert not likelihood(RADIUS < 20, RADIUS < 28).sample(nothing, VALUES, np.random.default_rng(0)).any()
