"""An expensive growth is drawn to outlines by a cheap one that is corrected on the way. Synthetic."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from gliocast.core import SCHEMAS, Anatomy, ConvergenceError, Forward, Grid, LabelMap, Posterior, dice
from gliocast.growth import Simulator, SingleScan
from gliocast.inference import bend, straighten
from gliocast.problem import Problem, draw_closer, match, outline_problem

SIDE, SPACING = 40, 2.5
TRUTH = np.array([6.0, 3.0, 48.0, 54.0, 50.0, 0.6, 0.2])
DEVIATIONS = np.array([0.2, 0.2, 2.0, 2.0, 2.0, 0.3, 0.3])
CHEAP = SingleScan(Simulator(backend="numba-single", accuracy=2e-2))


@dataclass(frozen=True)
class Larger:
    """Growth that comes farther than the cheap one does with the same parameters."""

    cheap: Forward
    factor: float = 1.25

    @property
    def parameters(self):
        return self.cheap.parameters

    def __call__(self, values, anatomy, *, days):
        return self.cheap((self.factor * values[0], *values[1:]), anatomy, days=days)


@pytest.fixture(scope="module")
def anatomy():
    grid = Grid((SIDE,) * 3, np.diag([SPACING, SPACING, SPACING, 1.0]))
    gray = np.zeros(grid.shape, np.float32)
    gray[:, 24:27] = 1.0
    gray[10:14, :18, 9:] = 1.0
    return Anatomy(1 - gray, gray, np.zeros_like(gray), np.ones(grid.shape, bool), grid)


@pytest.fixture(scope="module")
def density(anatomy):
    return Larger(CHEAP)(TRUTH[:5], anatomy, days=[1.0])[0].data


@pytest.fixture(scope="module")
def problem(anatomy, density):
    core, whole = density > TRUTH[5], density > TRUTH[6]
    labels = LabelMap(np.select([core, whole], [1, 2]).astype(np.uint8), anatomy.grid, SCHEMAS["brats-2021"])
    plain = outline_problem(labels, anatomy)[0]
    return Problem(Larger(CHEAP), plain.anatomy, plain.observation, plain.prior, cheaper=CHEAP)


@pytest.fixture(scope="module")
def answer(problem):
    """Off by most of a deviation in every coordinate."""
    noise = np.random.default_rng(0).standard_normal((400, len(TRUTH)))
    off = np.array([0.6, -0.7, 0.8, 0.6, -0.7, 0.5, -0.5])
    mode = straighten(problem.parameters, TRUTH[None])[0] + off * DEVIATIONS
    point, samples = bend(problem.parameters, mode[None])[0], bend(problem.parameters, mode + noise * DEVIATIONS)
    return Posterior(problem.parameters, samples, np.full(400, 1 / 400), -0.5 * (noise**2).sum(axis=1), point)


def overlap(values, anatomy, density):
    """Of the outlines that the expensive growth shows with these values, with those that were seen; the lesser one."""
    grown = Larger(CHEAP)(values[:5], anatomy, days=[1.0])[0].data
    return min(dice(grown > ours, density > theirs) for ours, theirs in zip(values[5:], TRUTH[5:], strict=True))


def test_the_expensive_growth_is_what_comes_to_lie_at_the_outlines(problem, anatomy, density, answer):
    drawn = draw_closer(problem, answer)
    blind = match(Problem(CHEAP, problem.anatomy, problem.observation, problem.prior), answer)
    assert overlap(drawn.mode, anatomy, density) > 0.97
    assert overlap(answer.mode, anatomy, density) < 0.9
    assert overlap(blind.mode, anatomy, density) < 0.9  # the cheap growth alone leads elsewhere


def test_without_a_cheaper_growth_it_is_a_match(problem, answer):
    alone = Problem(problem.forward, problem.anatomy, problem.observation, problem.prior)
    assert np.array_equal(draw_closer(alone, answer).mode, match(alone, answer).mode)


def test_progress_ends_at_one(problem, answer):
    shares: list[float] = []
    draw_closer(problem, answer, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_an_answer_outside_of_the_brain_is_an_error_that_says_so(problem, answer):
    away = answer.mode.copy()
    away[2:5] = -500.0
    with pytest.raises(ConvergenceError, match="growth at the answer"):
        draw_closer(problem, replace(answer, mode=away))
