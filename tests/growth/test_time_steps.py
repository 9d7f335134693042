"""Time steps are short enough for what happens, and no shorter than a solve can afford."""

import numpy as np
import pytest

from gliocast.core import ConvergenceError, Radiotherapy, Treatments, Volume
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


def test_steps_are_short_enough_for_the_edges_of_a_dose(uniform):
    anatomy = uniform((24, 22, 20))
    target = np.zeros(anatomy.grid.shape, bool)
    target[8:16, 7:15, 6:14] = True
    course = Radiotherapy.to_target(Volume(target, anatomy.grid), 60.0, days=[40.0 + n for n in range(10)], alpha=0.08)
    grown = [
        Simulator(treatments=Treatments((course,)), accuracy=accuracy, backend="numba-single")(
            (1.0, 0.005, 12.0, 11.0, 10.0), anatomy, days=[80.0]
        )[0].data
        for accuracy in (5e-3, 2e-4)
    ]
    # The accuracy asked for. A long step would leave half of every edge; with steps of the tumor's age it did.
    assert np.linalg.norm(grown[0] - grown[1]) < 5e-3 * np.linalg.norm(grown[1])


@pytest.mark.parametrize(
    "pace", [Pace(0.1, 4.0, 5e-3), Pace(0.0, 4.0, 5e-3), Pace(0.1, np.inf, 1e-3), Pace(0.0, np.inf, 1e-3)]
)
def test_a_march_takes_the_steps_of_a_known_interval_and_ends_with_it(pace):
    marched, known = list(pace.march(300.0)), pace.steps(0.0, 300.0)
    assert sum(marched) == pytest.approx(300.0)
    assert len(marched) == len(known)
    # those of the interval are shortened alike, so that the last one ends with it
    assert all(a >= b * (1 - 1e-9) for a, b in zip(marched[:-1], known[:-1], strict=True))


def test_a_stop_asks_only_for_the_steps_that_it_takes(patchy):
    """Ten thousand days at this accuracy are more steps than any solve may take."""
    simulator = Simulator(accuracy=1e-4, backend="numba-single")
    grown = simulator.until((0.2, 0.2, *CENTER), patchy(SHAPE), VolumeReached(500.0))
    assert grown.density.volume_above(0.675) == pytest.approx(500, rel=0.02)


def test_a_march_that_would_take_forever_is_refused():
    with pytest.raises(ConvergenceError, match="check the units"):
        list(Pace(1e9, 4.0, 5e-3).march(1e3))
