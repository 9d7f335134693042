"""A stand-in whose expensive growth is known by formula: what is learned from which anchors."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from gliocast.core import Anatomy, Density, Grid
from gliocast.growth import DIFFUSION_LENGTH, GROWTH_NUMBER
from gliocast.problem.stand_in import Anchor, StandIn

GRID = Grid((8, 9, 10), np.diag([2.0, 2.0, 2.0, 1.0]))
PART = np.ones(GRID.shape, np.float32)
ANATOMY = Anatomy(PART, 0 * PART, 0 * PART, PART > 0, GRID)
HERE = np.array([5.0, 3.0])


@dataclass(frozen=True)
class Front:
    """A front whose logit is linear in log length and log number, with slopes that may be wrong."""

    slopes: tuple[float, float] = (1.0, 2.0)
    tilt: float = 0.0
    wall: int | None = None
    parameters = (DIFFUSION_LENGTH, GROWTH_NUMBER)

    def __call__(self, values, anatomy, *, days):
        depth = np.arange(GRID.shape[2]) - 5.0
        turn = np.log(np.asarray(values) / HERE) @ self.slopes
        logits = np.broadcast_to(1.5 * turn - depth + self.tilt * depth * turn, GRID.shape)
        data = (1 / (1 + np.exp(-logits))).astype(np.float32)
        if self.wall is not None:
            data[: self.wall] = 0
        return [Density(data, anatomy.grid) for _ in days]


def stand_in(cheap, expensive, points):
    anchors = [Anchor(point, expensive(point, ANATOMY, days=[1.0])[0]) for point in points]
    return StandIn.exact_at(cheap, anchors, ANATOMY)


def apart(one, other, point):
    first, second = (growth(point, ANATOMY, days=[1.0])[0].data for growth in (one, other))
    return np.abs(first - second).max()


def test_one_anchor_is_exact_there_and_keeps_the_slopes_of_the_cheap_growth():
    cheap, expensive = Front(), Front(slopes=(1.5, 1.0), tilt=0.2)
    single = stand_in(cheap, expensive, [HERE * 1.1])
    assert apart(single, expensive, HERE * 1.1) < 1e-5
    assert apart(single, expensive, HERE * 1.3) > 0.02


def test_anchors_in_all_directions_teach_the_slopes():
    """Corrections are linear in the straightened parameters here, so between its anchors the stand-in is exact."""
    cheap, expensive = Front(), Front(slopes=(1.5, 1.0), tilt=0.2)
    taught = stand_in(cheap, expensive, [HERE, HERE * [1.3, 1], HERE * [1, 1.3], HERE * [1.1, 0.8]])
    for point in (HERE * [1.2, 1.1], HERE * [0.9, 1.2]):
        assert apart(taught, expensive, point) < 1e-4


def test_an_anchor_next_to_the_first_is_too_near_to_tell_slopes():
    """What differs between neighbors is the solver's roughness, and would be stretched to all that is around."""

    @dataclass(frozen=True)
    class Rough(Front):
        def __call__(self, values, anatomy, *, days):
            rough = 1 + 1e-3 * np.sin(1e5 * values[0])
            return [
                replace(density, data=density.data * rough) for density in super().__call__(values, anatomy, days=days)
            ]

    cheap, expensive = Front(), Front(slopes=(1.5, 1.0), tilt=0.2)
    points = [HERE, HERE * [1.03, 1], HERE * [1, 1.03], HERE * [1.3, 1.2], HERE * [1 + 1e-4, 1 - 1e-4]]
    taught = stand_in(cheap, Rough(slopes=(1.5, 1.0), tilt=0.2), points)
    assert apart(taught, expensive, HERE * [1.2, 1.1]) < 0.05


def test_beyond_the_anchors_nothing_is_extrapolated():
    cheap, expensive = Front(), Front(slopes=(1.5, 1.0))
    taught = stand_in(cheap, expensive, [HERE, HERE * [1.1, 1], HERE * [1, 1.1]])
    edge, far = (taught(HERE * [times, 1], ANATOMY, days=[1.0])[0].data for times in (1.1, 2.0))
    own_edge, own_far = (cheap(HERE * [times, 1], ANATOMY, days=[1.0])[0].data for times in (1.1, 2.0))
    logit = [np.log(data / (1 - data)) for data in (edge, own_edge, far, own_far)]
    np.testing.assert_allclose(logit[2] - logit[3], logit[0] - logit[1], atol=2e-3)


def test_anchors_that_differ_in_thresholds_alone_or_not_at_all_do_no_harm():
    cheap, expensive = Front(), Front(slopes=(1.5, 1.0))
    taught = stand_in(cheap, expensive, [HERE, HERE, HERE * 1.1])
    assert apart(taught, expensive, HERE) < 1e-5
    assert apart(taught, expensive, HERE * 1.1) < 1e-4


def test_cells_where_the_cheap_growth_has_none_stay():
    cheap, expensive = Front(wall=3), Front()
    filled = stand_in(cheap, expensive, [HERE])
    assert apart(filled, expensive, HERE) < 2e-5 + 1e-5
    emptied = stand_in(expensive, cheap, [HERE])
    assert apart(emptied, cheap, HERE) < 2e-5 + 1e-5
    assert (emptied(HERE, ANATOMY, days=[1.0])[0].data[:3] == 0).all()


def test_what_stands_in_has_the_parameters_of_the_cheap_growth():
    cheap = Front()
    taught = stand_in(cheap, replace(cheap, tilt=0.1), [HERE])
    assert taught.parameters == cheap.parameters
    with pytest.raises(ValueError, match="need at least one"):
        StandIn.exact_at(cheap, [], ANATOMY)
