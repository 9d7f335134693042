"""The shipped networks on tumors that they never saw."""

import importlib
from dataclasses import replace

import numpy as np
import pytest

from gliocast.cohort.atlas_tumors import MODELS, TumorSource, learning_anatomy, learning_forward
from gliocast.cohort.courses import course_anatomy
from gliocast.core import SCHEMAS, ConvergenceError, InputError, LabelMap, dice
from gliocast.growth import MassEffect, Simulator
from gliocast.inference.morph_infer import load_weights, shipped_weights
from gliocast.pipeline.morph_infer import MorphInferOptions, answered, drawn_closer, morph_infer
from gliocast.problem import outline_problem

ANATOMY = learning_anatomy()


@pytest.fixture(scope="module")
def tumor():
    return TumorSource("fisher-kolmogorov", seed=1000)[3]


@pytest.fixture(scope="module")
def truth(tumor):
    return learning_forward("fisher-kolmogorov")(tumor.identifiable, ANATOMY, days=[1.0])[0].data


@pytest.fixture(scope="module")
def problem(tumor, truth):
    core, whole = (truth > level for level in tumor.thresholds)
    labels = LabelMap(np.select([core, whole], [1, 2]).astype(np.uint8), ANATOMY.grid, SCHEMAS["brats-2021"])
    return outline_problem(labels, ANATOMY)[0]


def density_of(posterior):
    return learning_forward("fisher-kolmogorov")(posterior.mode[:5], ANATOMY, days=[1.0])[0].data


@pytest.mark.parametrize("model", MODELS)
def test_weights_come_with_the_package_and_say_what_they_are_for(model):
    assert load_weights(shipped_weights(model)).model == model
    assert shipped_weights(model).stat().st_size < 5e6


@pytest.mark.slow
def test_the_network_comes_near_and_its_refinement_nearer(problem, truth):
    options = MorphInferOptions(num_samples=200, closer=False, refinement="none", network="outlines")
    network = morph_infer(problem, generator=np.random.default_rng(0), options=options)
    shares = []
    options = MorphInferOptions(num_samples=200)
    refined = morph_infer(problem, generator=np.random.default_rng(0), options=options, progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] <= 1
    overlaps = [
        [dice(density_of(posterior) > level, truth > level) for level in (0.01, 0.1, 0.8)]
        for posterior in (network, refined)
    ]
    assert min(overlaps[0]) > 0.75  # a tumor of the same outlines anywhere else in the brain has none
    assert min(overlaps[1]) > 0.97
    assert "refined" in refined.method
    assert network.diagnostics["evaluations"] == 0


def test_the_network_that_reads_references_comes_near(tumor):
    """On voxels of 2 mm, which is where it learned and where patients are fitted."""
    anatomy = course_anatomy()
    density = learning_forward("fisher-kolmogorov")(tumor.identifiable, anatomy, days=[1.0])[0].data
    core, whole = (density > level for level in tumor.thresholds)
    labels = LabelMap(np.select([core, whole], [1, 2]).astype(np.uint8), anatomy.grid, SCHEMAS["brats-2021"])
    problem, _ = outline_problem(labels, anatomy)
    overlaps, shares = {}, []
    for closer in (False, True):
        options = MorphInferOptions(num_samples=200, closer=closer, refinement="none")
        answer = morph_infer(problem, generator=np.random.default_rng(0), options=options, progress=shares.append)
        assert "reference" in answer.method
        found = learning_forward("fisher-kolmogorov")(answer.mode[:5], anatomy, days=[1.0])[0].data
        overlaps[closer] = [dice(found > level, density > level) for level in (0.01, 0.1)]
    assert min(overlaps[False]) > 0.75
    assert min(overlaps[True]) > 0.95  # some thirty solves later
    assert shares == sorted(shares)
    assert shares[-1] == 1
    assert "drawn to the outlines" in answer.method
    assert len(answer.samples) == 200


def test_an_answer_from_which_nothing_grows_is_left_to_a_search_or_said(problem, monkeypatch):
    options = MorphInferOptions(num_samples=50, refinement="none")
    answer = answered(problem, options, generator=np.random.default_rng(0))
    away = replace(answer, mode=answer.mode + np.array([0, 0, 500, 500, 500, 0, 0]))
    assert drawn_closer(problem, away) is away
    # the package has a function of this name, too
    module = importlib.import_module("gliocast.pipeline.morph_infer")
    monkeypatch.setattr(module, "answered", lambda *_, **__: away)
    with pytest.raises(ConvergenceError, match="growth at the answer"):
        morph_infer(problem, generator=np.random.default_rng(0), options=options)


def test_the_network_that_reads_references_is_for_growth_that_it_learned_from(problem):
    """Mass effect is answered by the network that looks at outlines."""
    labels = np.select([problem.observation.core > 0.5, problem.observation.whole > 0.5], [1, 2]).astype(np.uint8)
    labels = LabelMap(labels, ANATOMY.grid, SCHEMAS["brats-2021"])
    known = {"tumor_pressure": 10.0}
    pushing = outline_problem(labels, ANATOMY, simulator=Simulator(MassEffect()), known=known)[0]
    answer = answered(pushing, MorphInferOptions(num_samples=10), generator=np.random.default_rng(0))
    assert "mass-effect" in answer.method


def test_unknown_refinements_and_networks_are_refused():
    with pytest.raises(InputError, match="none, map, tmcmc"):
        MorphInferOptions(refinement="guess")
    with pytest.raises(InputError, match="references, outlines"):
        MorphInferOptions(network="guess")
