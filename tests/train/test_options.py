import pytest

from gliocast.core import InputError
from gliocast.train import TrainOptions


def test_the_rate_rises_then_falls_to_its_end():
    options = TrainOptions(num_steps=100, learning_rate=1.0, warm_up=0.1, final_rate=0.01)
    rates = [options.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == pytest.approx(1.0, abs=1e-3)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[-1] == pytest.approx(0.01, abs=1e-3)


@pytest.mark.parametrize("wrong", [{"num_steps": 0}, {"averaging": 1.0}, {"accumulate": 0}, {"patience": 0}])
def test_options_that_make_no_sense_are_refused(wrong):
    with pytest.raises(InputError, match="begin with the defaults"):
        TrainOptions(**{"num_steps": 1, **wrong})
