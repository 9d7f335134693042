"""Training of the network that reads references, at a size that takes seconds."""

import numpy as np
import pytest

from gliocast.cohort import impressions
from gliocast.core import InputError
from gliocast.inference.morph_infer import ReadingConfig, load_reading
from gliocast.pipeline.train_references import ReferencesTraining, train_references
from gliocast.train import TrainOptions


def small(steps):
    return ReferencesTraining(
        num_courses=3,
        num_validation=1,
        batch_size=8,
        hidden=8,
        optimization=TrainOptions(num_steps=steps),
    )


def test_impressions_networks_and_weights_are_made_and_found_again(tmp_path, monkeypatch):
    monkeypatch.setattr(impressions, "SHARD_SIZE", 4)
    path = train_references(small(5), tmp_path, num_workers=1)
    networks = load_reading(path)
    assert [network.config for network in networks] == [ReadingConfig(False, 8), ReadingConfig(True, 8)]
    assert all(0 < float(network.widening) < np.inf for network in networks)
    written = path.read_bytes()
    assert train_references(small(5), tmp_path, num_workers=1).read_bytes() == written  # nothing is done again
    with pytest.raises(InputError, match="another run"):
        train_references(small(6), tmp_path, num_workers=1)


def test_a_training_of_nothing_is_refused():
    with pytest.raises(InputError, match="positive counts"):
        ReferencesTraining(num_courses=0)
