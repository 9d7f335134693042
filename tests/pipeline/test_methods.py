"""How a method is found, run, interrupted and resumed, on a problem of a few milliseconds."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from gliocast.core import REAL, Anatomy, Density, Grid, InputError, Parameter, Posterior, Silence
from gliocast.data import cache_folder
from gliocast.inference import IndependentPrior
from gliocast.pipeline import Options, methods
from gliocast.pipeline.methods import METHODS, Method, find_method, fit
from gliocast.pipeline.personalize import _posterior_warnings
from gliocast.problem import Guess, Problem

HEIGHT = Parameter("height", "h", "1", REAL, (-2.0, 2.0), "test")
GRID = Grid((2, 2, 2), np.eye(4))
TISSUE = np.ones(GRID.shape, dtype=np.float32)


@dataclass(frozen=True)
class Flat:
    """A density that is one number."""

    parameters: tuple = (HEIGHT,)

    def __call__(self, values, anatomy, *, days):
        return [Density(np.full(anatomy.grid.shape, values[0], dtype=np.float32), anatomy.grid)]


@dataclass(frozen=True)
class Reading:
    """That number, measured with noise of a tenth."""

    value: float = 0.5
    parameters: tuple = ()

    @property
    def observed(self):
        return np.array([self.value])

    def log_likelihood(self, density, values):
        return -0.5 * float((density.data[0, 0, 0] - self.value) / 0.1) ** 2

    def sample(self, density, values, generator):
        return np.array([density.data[0, 0, 0] + 0.1 * generator.standard_normal()])


@dataclass(frozen=True)
class Steps:
    """How many, and what comes out of them."""

    num_samples: int = 20
    num_steps: int = 3


class Note(Silence):
    """Remembers what was noted."""

    def __init__(self):
        self.notes = []

    def note(self, message):
        self.notes.append(message)


def make_problem(value=0.5, white_matter=TISSUE):
    anatomy = Anatomy(white_matter, 0 * TISSUE, 0 * TISSUE, TISSUE > 0, GRID)
    prior = IndependentPrior.from_typical((HEIGHT,))
    return Problem(Flat(), anatomy, Reading(value), prior, num_threads=1), Guess(np.array([0.4]), np.array([0.3]))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLIOCAST_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def stepwise():
    """A method that keeps the steps it has done, and is interrupted after each one that `stops` names."""
    done, stops = [], [1]

    def solve(task, options):
        kept = np.load(task.checkpoint)["steps"] if task.checkpoint.exists() else np.zeros(0)
        steps = list(kept)
        while len(steps) < options.num_steps:
            steps.append(len(steps))
            done.append(steps[-1])
            with task.checkpoint.open("wb") as file:
                np.savez(file, steps=np.array(steps))
            if len(steps) in stops:
                stops.remove(len(steps))
                raise KeyboardInterrupt
        samples = task.generator.normal(size=(options.num_samples, 1))
        weights = np.full(options.num_samples, 1 / options.num_samples)
        return Posterior((HEIGHT,), samples, weights, np.zeros(options.num_samples), samples[0])

    return Method("stepwise", "step by step", lambda: Steps, solve, resumes=True), done


def run(method, *, problem=None, seed=0, num_samples=None, resume=True, monitor=None):
    posed = problem or make_problem()
    return fit(method, *posed, num_samples=num_samples, seed=seed, resume=resume, monitor=monitor or Silence())


def test_an_interrupted_method_goes_on_and_its_checkpoint_is_forgotten_in_the_end(stepwise):
    method, done = stepwise
    with pytest.raises(KeyboardInterrupt):
        run(method)
    monitor = Note()
    found = run(method, monitor=monitor)
    assert done == [0, 1, 2]
    assert any("interrupted run" in note for note in monitor.notes)
    assert found.checkpoint.exists()
    found.forget()
    found.forget()
    assert list((cache_folder() / "unfinished").iterdir()) == []


def test_a_fresh_run_drops_what_was_kept(stepwise):
    method, done = stepwise
    with pytest.raises(KeyboardInterrupt):
        run(method)
    run(method, resume=False)
    assert done == [0, 0, 1, 2]


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 1},
        {"num_samples": 21},
        {"problem": make_problem(value=0.6)},
        {"problem": make_problem(white_matter=0.9 * TISSUE)},
    ],
)
def test_another_run_never_sees_the_checkpoint(stepwise, change):
    method, done = stepwise
    with pytest.raises(KeyboardInterrupt):
        run(method)
    run(method, **change)
    assert done == [0, 0, 1, 2]


def test_a_cache_that_cannot_be_written_costs_only_the_checkpoint(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("GLIOCAST_CACHE", str(tmp_path / "file" / "cache"))
    seen = []

    def solve(task, options):
        seen.append(task.checkpoint)
        return METHODS["laplace"].solve(task, METHODS["laplace"].settings(options.num_samples))

    run(Method("blind", "without a checkpoint", lambda: Steps, solve, resumes=True))
    assert seen == [None]


def test_laplace_by_name_is_the_normal_posterior_of_a_normal_problem():
    """Prior N(0, (2/1.96)^2), reading 0.5 with sd 0.1: precision-weighted mean and width."""
    found = run(find_method("laplace"), num_samples=4000)
    precision = (1.96 / 2) ** 2 + 100
    assert found.posterior.mode[0] == pytest.approx(50 / precision, abs=1e-2)
    # 4,000 samples know a standard deviation to 1.1 %
    assert found.posterior.standard_deviation[0] == pytest.approx(precision**-0.5, rel=0.05)
    assert len(found.posterior.samples) == 4000
    assert found.posterior.method
    record = found.record()
    assert (record["name"], record["settings"]["num_samples"]) == ("laplace", 4000)
    assert found.checkpoint is None


#: Options of which a method takes a second or two, by its name.
QUICK = {"laplace": {}, "tmcmc": {"num_samples": 256}, "npe": {"num_rounds": 2, "num_simulations": 200}}


@pytest.mark.parametrize("name", list(QUICK))
def test_a_method_for_any_problem_finds_the_normal_posterior_of_a_normal_one(name):
    quick = METHODS[name].options()(**QUICK[name])
    method = replace(METHODS[name], options=lambda: lambda: quick)
    monitor = Note()
    found = run(method, monitor=monitor)
    precision = (1.96 / 2) ** 2 + 100
    deviation = precision**-0.5
    # 256 samples, half of them independent, know a mean to a tenth of the deviation; networks are rougher
    assert found.posterior.mean[0] == pytest.approx(50 / precision, abs=0.5 * deviation)
    assert found.posterior.standard_deviation[0] == pytest.approx(deviation, rel=0.5)
    assert found.posterior.method
    assert set(found.record()["settings"]) >= {"num_samples"}
    if name == "npe":
        assert "looks like simulations of its posterior" in monitor.notes[-1]


def test_the_other_methods_are_those_that_read_outlines():
    assert set(METHODS) - set(QUICK) == {"morph-infer", "morph-infer-network", "morph-infer-tmcmc"}
    with pytest.raises(InputError, match="outlines of core and whole tumor"):
        run(METHODS["morph-infer-network"])


def test_the_method_is_titled_by_itself_where_it_says_more(stepwise):
    method, _ = stepwise
    titled = replace(method, solve=lambda task, options: replace(_point(), method="in its own words"))
    assert run(titled).posterior.method == "in its own words"


def test_a_person_is_warned_of_a_posterior_that_does_not_explain_the_scan():
    sentences = [
        _posterior_warnings(replace(_point(), diagnostics={"misfit_percentile": percentile, "misfit_distance": 3.0}))
        for percentile in (60.0, 100.0, 0.0)
    ]
    assert not any("distrust" in sentence for sentence in sentences[0])
    assert any("farther out than 100 %" in sentence for sentence in sentences[1])
    assert any("simulations of the posterior don't look like" in sentence for sentence in sentences[2])


def _point():
    return Posterior((HEIGHT,), np.zeros((1, 1)), np.ones(1), np.zeros(1), np.zeros(1))


def test_unknown_methods_and_senseless_numbers_are_refused_before_anything_runs():
    with pytest.raises(InputError, match="one of laplace"):
        Options(method="gradient-descent")
    with pytest.raises(InputError, match="positive counts"):
        Options(num_samples=0)


def test_every_row_is_found_by_its_name():
    for name, method in METHODS.items():
        assert find_method(name) is method
        assert method.name == name
    assert methods.DEFAULT_METHOD in METHODS
