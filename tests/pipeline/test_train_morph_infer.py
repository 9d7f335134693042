"""Training as a whole, at a size that takes seconds."""

import pytest

from gliocast.cohort import tumor_set
from gliocast.core import InputError
from gliocast.inference.morph_infer import load_weights
from gliocast.pipeline.train_morph_infer import MorphInferTraining, train_morph_infer
from gliocast.train import TrainOptions


def small(steps):
    return MorphInferTraining(
        num_tumors=4,
        num_validation=4,
        batch_size=4,
        channels=4,
        optimization=TrainOptions(num_steps=steps),
    )


def test_tumors_network_and_weights_are_made_and_found_again(tmp_path, monkeypatch):
    monkeypatch.setattr(tumor_set, "SHARD_SIZE", 8)
    path = train_morph_infer(small(4), tmp_path, num_workers=1)
    weights = load_weights(path)
    assert (weights.model, weights.parametrization) == ("fisher-kolmogorov", "time-independent")
    assert weights.network.config.channels == 4
    written = path.read_bytes()
    assert train_morph_infer(small(4), tmp_path, num_workers=1).read_bytes() == written  # nothing is done again
    with pytest.raises(InputError, match="another run"):
        train_morph_infer(small(5), tmp_path, num_workers=1)


def test_a_training_of_nothing_or_of_an_unknown_model_is_refused():
    with pytest.raises(InputError, match="positive counts"):
        MorphInferTraining(num_tumors=0)
    with pytest.raises(InputError, match="mass-effect"):
        MorphInferTraining(model="gompertz")
    with pytest.raises(InputError, match="time-independent"):
        MorphInferTraining(parametrization="guessed")
