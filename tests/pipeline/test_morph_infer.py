"""The shipped network on tumors that it never saw."""

import numpy as np
import pytest

from gliocast.cohort.atlas_tumors import MODELS, TumorSource, learning_anatomy, learning_forward
from gliocast.core import SCHEMAS, InputError, LabelMap, dice
from gliocast.inference.morph_infer import load_weights, shipped_weights
from gliocast.pipeline.morph_infer import MorphInferOptions, morph_infer
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


def test_the_network_comes_near_and_its_refinement_nearer(problem, truth):
    options = MorphInferOptions(num_samples=200, refinement="none")
    network = morph_infer(problem, generator=np.random.default_rng(0), options=options)
    refined = morph_infer(problem, generator=np.random.default_rng(0), options=MorphInferOptions(num_samples=200))
    overlaps = [
        [dice(density_of(posterior) > level, truth > level) for level in (0.01, 0.1, 0.8)]
        for posterior in (network, refined)
    ]
    assert min(overlaps[0]) > 0.75  # a tumor of the same outlines anywhere else in the brain has none
    assert min(overlaps[1]) > 0.97
    assert "refined" in refined.method
    assert network.diagnostics["evaluations"] == 0


def test_an_unknown_refinement_is_refused():
    with pytest.raises(InputError, match="none, map, tmcmc"):
        MorphInferOptions(refinement="guess")
