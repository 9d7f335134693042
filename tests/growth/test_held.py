import numpy as np
import pytest

from gliocast.core import InputError
from gliocast.growth import Held, Simulator


def test_a_held_parameter_is_no_parameter_any_more():
    held = Held(Simulator(), {"proliferation_rate": 0.02})
    assert [p.name for p in held.parameters] == ["white_matter_diffusivity", "seed_x", "seed_y", "seed_z"]


def test_values_go_to_their_places():
    seen = []

    class Echo:
        parameters = Simulator().parameters

        def __call__(self, values, anatomy, *, days):
            seen.append(list(values))
            return []

    Held(Echo(), {"proliferation_rate": 0.02, "seed_z": 3.0})(np.array([0.5, 1.0, 2.0]), None, days=[1.0])
    assert seen == [[0.5, 0.02, 1.0, 2.0, 3.0]]


def test_unknown_names_and_impossible_values_are_refused():
    with pytest.raises(InputError, match="held parameter"):
        Held(Simulator(), {"pressure": 1.0})
    with pytest.raises(InputError, match="proliferation_rate"):
        Held(Simulator(), {"proliferation_rate": -1.0})
