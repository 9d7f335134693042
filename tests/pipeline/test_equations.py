import numpy as np
import pytest

from gliocast.core import POSITIVE, REAL, UNIT_INTERVAL, InputError, Parameter
from gliocast.growth.models import ProliferativeNecrotic
from gliocast.growth.models.proliferative_necrotic import NECROSIS_RATE
from gliocast.pipeline import EQUATIONS, Ending
from gliocast.pipeline.equations import default_value, parameter_values
from gliocast.pipeline.simulate import frame_days


def parameter(support, typical):
    return Parameter("x", "x", "1", support, typical, "test")


def test_default_is_the_middle_of_the_typical_range():
    assert default_value(parameter(POSITIVE, (0.01, 1.0))) == pytest.approx(0.1)
    assert default_value(parameter(UNIT_INTERVAL, (0.1, 0.4))) == pytest.approx(0.2)
    assert default_value(parameter(REAL, (-1.0, 3.0))) == 1.0
    assert default_value(parameter(POSITIVE, (0.0, 4.0))) == 2.0


@pytest.mark.parametrize("name", EQUATIONS)
def test_defaults_of_every_model_lie_inside_their_typical_range(name):
    for p in EQUATIONS[name].model().parameters:
        assert p.typical[0] < default_value(p) < p.typical[1]


def test_settings_replace_defaults_by_name_and_zero_turns_a_process_off():
    model = ProliferativeNecrotic()
    values = parameter_values(model, diffusivity=0.3, proliferation_rate=0.02, settings=["necrosis_rate=0"])
    usual = parameter_values(model, diffusivity=0.3, proliferation_rate=0.02, settings=[])
    place = model.parameters.index(NECROSIS_RATE)
    assert (values[:2], values[place]) == ((0.3, 0.02), 0)
    assert np.flatnonzero(np.array(values) != usual).tolist() == [place]


def test_parameters_with_options_of_their_own_cant_be_set():
    with pytest.raises(InputError, match="--diffusivity"):
        parameter_values(
            ProliferativeNecrotic(), diffusivity=0.1, proliferation_rate=0.02, settings=["proliferation_rate=1"]
        )


@pytest.mark.parametrize(
    ("ending", "last", "days"),
    [
        (Ending(), 400.0, (400.0,)),
        (Ending(days=(30.0, 10.0, 30.0)), 30.0, (10.0, 30.0)),
        (Ending(every=25.0, days=(100.0,)), 100.0, (25.0, 50.0, 75.0, 100.0)),
        (Ending(every=0.1, days=(0.3,)), 0.3, (0.1, 0.2, 0.3)),  # 0.3 / 0.1 is a little more than 3 in floats
        (Ending(every=500.0), 400.0, (400.0,)),
    ],
)
def test_schedule_is_ascending_and_ends_on_the_last_day(ending, last, days):
    np.testing.assert_allclose(ending.schedule(last), days)
    assert ending.schedule(last)[-1] == last


def test_frames_are_even_and_meet_the_days_that_are_asked_for():
    third = 100 / 3
    days = frame_days(100.0, 4, (third * (1 + 1e-9), 100.0))
    assert days == (third * (1 + 1e-9), pytest.approx(2 * third), 100.0)
