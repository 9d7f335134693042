"""Time steps are short enough for what happens, and no shorter than a solve can afford."""

import numpy as np
import pytest

from gliocast.core import ConvergenceError
from gliocast.growth import Simulator, VolumeReached
from gliocast.growth.models import ProliferativeNecrotic
from gliocast.growth.time_grid import Pace

SHAPE, CENTER = (18, 18, 16), (8.6, 9.1, 7.2)


@pytest.mark.parametrize(
    "own",
    [
        # nutrient spreads 500 times as fast as cells, and is used up and supplied slowly or fast
        (0.02, 0.02, 0.05, 0.3, 10.0, 0.1, 0.1),
        (0.02, 0.05, 0.2, 0.5, 10.0, 1.0, 0.1),
        (0.0, 0.002, 0.07, 0.14, 10.0, 0.17, 0.18),
    ],
)
def test_steps_are_short_enough_for_a_nutrient_that_spreads_fast(patchy, own):
    anatomy = patchy(SHAPE)
    default, reference = (
        next(
            Simulator(ProliferativeNecrotic(), backend="numba-single", **options).snapshots(
                (*own, *CENTER), anatomy, days=[25.0]
            )
        )
        for options in ({}, {"accuracy": 5e-3 / 25})
    )
    # Twice the accuracy asked for: Without a limit from the nutrient the error is 3 to 6 %.
    ours, exact = default.density.data, reference.density.data
    assert np.linalg.norm(ours - exact) < 1e-2 * np.linalg.norm(exact)
    deficit = default.fields["nutrient_deficit"]
    assert deficit.min() > -1e-6  # it was -0.01
    assert np.abs(deficit - reference.fields["nutrient_deficit"]).max() < 0.02  # it was 0.2
