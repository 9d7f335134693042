"""Several visits: what the first suggests, what the second tells, what the third will show."""

from dataclasses import replace

import numpy as np
import pytest

from gliocast.core import SCHEMAS, Density, Grid, InputError, LabelMap, OutsideTissueError, Volume
from gliocast.growth import Simulator
from gliocast.inference import CMAOptions, LaplaceOptions, Mode, laplace
from gliocast.problem import OutlineStart, density_from_adc, predict_visit, visit_problem
from gliocast.problem.residuals import weighed

SPACING, THRESHOLDS = 4.0, np.array([0.68, 0.25])
#: D_w [mm^2/d], rho [1/d] of the truth, and the days of the visits: whole tumors of 35, 77 and 144 ml.
DIFFUSIVITY, RATE, DAYS = 0.1, 0.03, (260.0, 320.0, 380.0)
#: Tail length [mm] and thresholds, what the outlines' start depends on.
START = np.array([1.45 * np.sqrt(DIFFUSIVITY / RATE), *THRESHOLDS])


def distance_from_center(shape, spacing):
    return spacing * np.sqrt(sum((axis - (n - 1) / 2) ** 2 for axis, n in zip(np.indices(shape), shape, strict=True)))


@pytest.fixture(scope="module")
def brain(ball):
    """A ball of white matter on 4 mm voxels."""
    return ball((26, 24, 23), SPACING, white=44)


@pytest.fixture(scope="module")
def truth(brain):
    center = brain.grid.world_from_voxel((np.array(brain.grid.shape) - 1) / 2) + 1.0
    return Simulator(backend="numba-single")((DIFFUSIVITY, RATE, *center), brain, days=DAYS)


def segmented(density):
    data = 2 * (density.data > THRESHOLDS[1]).astype(np.uint8) - (density.data > THRESHOLDS[0])
    return LabelMap(data.astype(np.uint8), density.grid, SCHEMAS["brats-2021"])


def volumes_ml(density):
    return np.array([density.volume_above(level) for level in THRESHOLDS]) / 1000


def test_a_density_drawn_through_the_outlines_of_a_front_is_that_front():
    """Where the logit is linear in the radius, as in a front, outlines and slope give the density back."""
    shape = (40, 40, 40)
    radius = distance_from_center(shape, 1.0)
    front = Density((1 / (1 + np.exp((radius - 11) / 2.0))).astype(np.float32), Grid(shape, np.eye(4)))
    start = OutlineStart.from_labels(segmented(front))
    drawn = start.density(np.array([2.0, *THRESHOLDS]), np.ones(shape, bool))
    flank = np.abs(radius - 11) < 6
    # outlines are known to half a voxel, a quarter of the front's width
    assert np.abs(drawn.data - front.data)[flank].max() < 0.12
    assert np.abs(drawn.data - front.data)[flank].mean() < 0.03


def test_the_density_takes_the_thresholds_on_the_outlines_and_falls_outward(brain, truth):
    labels = segmented(truth[0])
    drawn = OutlineStart.from_labels(labels).density(START, brain.brain).data
    for mask, threshold in ((labels.core, THRESHOLDS[0]), (labels.whole, THRESHOLDS[1])):
        np.testing.assert_array_equal(drawn > threshold, mask)
    line = drawn[:, 12, 11]
    assert (np.diff(line[: line.argmax() + 1]) >= 0).all()
    assert (np.diff(line[line.argmax() :]) <= 0).all()
    assert not drawn[~brain.brain].any()


def test_a_tumor_without_core_begins_at_its_one_outline(brain, truth):
    labels = segmented(truth[0])
    hollow = LabelMap(np.where(labels.data > 0, 2, 0).astype(np.uint8), labels.grid, labels.schema)
    start = OutlineStart.from_labels(hollow)
    assert [p.name for p in start.parameters] == ["tail_length", "flair_threshold"]
    drawn = start.density(np.array([2.6, 0.25]), brain.brain).data
    np.testing.assert_array_equal(drawn > 0.25, labels.whole)


def test_a_start_outside_tissue_is_said(brain, truth):
    start = OutlineStart.from_labels(segmented(truth[0]))
    with pytest.raises(OutsideTissueError):
        start.density(START, np.zeros(brain.grid.shape, bool))


def test_inverse_adc_gives_the_density_back_up_to_its_scale(truth):
    mask = segmented(truth[0]).whole
    adc = np.where(mask, 1 / (0.4 + 0.9 * truth[0].data), 0.8)
    seen = density_from_adc(Volume(adc, truth[0].grid), mask).data
    inside = truth[0].data[mask]
    low, high = np.percentile(inside, [2, 98])
    np.testing.assert_allclose(seen[mask], np.clip((inside - low) / (high - low), 0, 1), atol=1e-5)
    assert not seen[~mask].any()


def test_a_few_voxels_of_fluid_or_without_signal_leave_the_rest_as_it_is(truth):
    mask = segmented(truth[0]).whole
    adc = np.where(mask, 1 / (0.4 + 0.9 * truth[0].data), 0.8)
    spoiled, where = adc.copy(), np.argwhere(mask)[:9]
    for n, voxel in enumerate(where):
        spoiled[tuple(voxel)] = (1e3, 1e-6, 0.0, np.nan, -1.0, 50.0, 1e-3, 0.0, 1e6)[n]
    clean, dirty = (density_from_adc(Volume(part, truth[0].grid), mask).data for part in (adc, spoiled))
    untouched = mask.copy()
    untouched[tuple(where.T)] = False
    assert np.abs(clean - dirty)[untouched].max() < 0.08
    assert dirty.min() >= 0
    assert dirty.max() <= 1


@pytest.fixture(scope="module")
def solved(brain, truth):
    problem, guess = visit_problem(
        segmented(truth[0]), segmented(truth[1]), brain, days=DAYS[1] - DAYS[0], spacing_mm=SPACING
    )
    options = LaplaceOptions(search=CMAOptions(tolerance=0.1, patience=6), num_samples=200, num_rounds=2)
    generator = np.random.default_rng(0)
    return problem, laplace(problem, start=guess.point, spread=guess.spread, generator=generator, options=options)


def test_two_visits_tell_diffusivity_and_rate_in_days(solved):
    problem, posterior = solved
    assert [p.name for p in problem.parameters] == [
        "white_matter_diffusivity",
        "proliferation_rate",
        "t1c_threshold",
        "flair_threshold",
    ]
    low, high = posterior.interval().T
    for n, value in enumerate((DIFFUSIVITY, RATE, *THRESHOLDS)):
        assert low[n] < value < high[n], problem.parameters[n].name
    speed = 2 * np.sqrt(posterior.mode[0] * posterior.mode[1])
    assert speed == pytest.approx(2 * np.sqrt(DIFFUSIVITY * RATE), rel=0.15)


def test_the_third_visit_is_predicted(solved, truth):
    problem, posterior = solved
    prediction = predict_visit(
        problem, posterior, day=DAYS[2] - DAYS[0], generator=np.random.default_rng(1), num_samples=60
    )
    expected = volumes_ml(truth[2])
    for (low, high), volume, before in zip(prediction.interval_ml(), expected, volumes_ml(truth[1]), strict=True):
        assert low < volume < high
        assert volume > before
        assert high - low < volume
    outline, true = prediction.whole.data > 0.5, truth[2].data > THRESHOLDS[1]
    assert 2 * (outline & true).sum() / (outline.sum() + true.sum()) > 0.9
    assert prediction.density.day == 120
    again = predict_visit(problem, posterior, day=120.0, generator=np.random.default_rng(1), num_samples=60)
    np.testing.assert_array_equal(prediction.volumes_ml, again.volumes_ml)


def test_growth_from_outlines_meets_the_later_visits_of_the_truth(brain, truth):
    """What begins at the first visit's outlines, with the true parameters, has the volumes of second and third."""
    problem, _ = visit_problem(segmented(truth[0]), segmented(truth[1]), brain, days=60.0, spacing_mm=SPACING)
    grown = problem.forward((DIFFUSIVITY, RATE, *THRESHOLDS), brain, days=[1.0, 2.0])
    for mine, true in zip(grown, truth[1:], strict=True):
        np.testing.assert_allclose(volumes_ml(mine), volumes_ml(true), rtol=0.1)


def test_a_density_of_the_first_visit_takes_the_place_of_its_outlines(brain, truth):
    problem, guess = visit_problem(truth[0], segmented(truth[1]), brain, days=60.0, spacing_mm=SPACING)
    true = np.array([DIFFUSIVITY, RATE, *THRESHOLDS])
    points = np.stack([true, true * [1, 1.3, 1, 1], true * [1, 0.7, 1, 1]])
    values = problem.log_likelihood(points)
    assert values.argmax() == 0
    assert np.isfinite(problem.log_likelihood(guess.point[None])).all()
    assert problem.simulate(true[None], np.random.default_rng(0)).shape == (1, 2, *brain.grid.shape)


def test_voxels_of_a_visit_whose_thresholds_growth_begins_at_can_be_weighed(solved):
    """A parameter of both start and observation stands once, and both must find it."""
    problem, posterior = solved
    mode = Mode(posterior.mode, 0.0, np.diag([0.01, 0.01, 0.04, 0.04]), 0, "given")
    done, figures = weighed(problem, mode)
    assert done.observation.voxel_weights == {name: figures[f"tempering_{name}"] for name in ("core", "whole")}
    assert done.observation.voxel_weights != problem.observation.voxel_weights
    assert 1 < figures["effective_observations"] < problem.observation.num_features


def test_thresholds_in_the_wrong_order_are_impossible_and_no_fault(brain, truth):
    problem, _ = visit_problem(segmented(truth[0]), segmented(truth[1]), brain, days=60.0, spacing_mm=SPACING)
    assert problem.log_likelihood(np.array([[0.1, 0.02, 0.2, 0.5]]))[0] == -np.inf


def test_bad_input_is_refused(brain, truth, solved):
    first, second = segmented(truth[0]), segmented(truth[1])
    with pytest.raises(InputError, match="check the dates"):
        visit_problem(first, second, brain, days=-3.0)
    empty = LabelMap(np.zeros_like(first.data), first.grid, first.schema)
    for pair in ((empty, second), (first, empty)):
        with pytest.raises(InputError, match="segment it first"):
            visit_problem(*pair, brain, days=60.0)
    other = brain.grid.crop((1, 0, 0), (27, 24, 23))
    with pytest.raises(InputError, match="first visit"):
        visit_problem(LabelMap(first.data, other, first.schema), second, brain, days=60.0)
    mask = first.whole
    with pytest.raises(InputError, match="values that differ"):
        density_from_adc(Volume(np.ones(mask.shape), brain.grid), mask)
    with pytest.raises(InputError, match="most of the outline"):
        density_from_adc(Volume(np.zeros(mask.shape), brain.grid), mask)
    problem, posterior = solved
    with pytest.raises(InputError, match="count days"):
        predict_visit(problem, posterior, day=0.0, generator=np.random.default_rng(0))
    stranger = replace(posterior, parameters=posterior.parameters[::-1])
    with pytest.raises(InputError, match="the one of this problem"):
        predict_visit(problem, stranger, day=9.0, generator=np.random.default_rng(0))
