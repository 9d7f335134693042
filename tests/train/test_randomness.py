# ruff: noqa: NPY002  # the global generator is what has to be kept
import numpy as np
import torch

from gliocast.train.randomness import random_states, restore_random_states


def test_every_generator_draws_again_what_it_drew():
    np.random.standard_normal()  # which keeps a second number for later
    states = random_states(torch.device("cpu"))
    first = torch.rand(3), np.random.standard_normal(3)
    restore_random_states(states, torch.device("cpu"))
    again = torch.rand(3), np.random.standard_normal(3)
    assert torch.equal(first[0], again[0])
    assert (first[1] == again[1]).all()
