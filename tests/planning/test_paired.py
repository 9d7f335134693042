import numpy as np
import pytest

from gliocast.core import InputError
from gliocast.planning.paired import compare_paired


def compare(first, second):
    return compare_paired(np.array(first), np.array(second), generator=np.random.default_rng(0))


def test_wilcoxons_test_has_the_value_of_its_table():
    """Signed ranks 1 to 8 with 1 and 2 negative: W = 3, two-sided p = 10 / 256 by the exact distribution."""
    difference = np.array([-0.01, -0.02, 0.03, 0.04, 0.05, 0.06, 0.07, 0.08])
    found = compare(0.5 + difference, np.full(8, 0.5)).everyone
    assert found.p_value == pytest.approx(10 / 256)
    assert (found.wins, found.ties, found.losses, found.num_patients) == (6, 0, 2, 8)
    assert found.mean_difference == pytest.approx(difference.mean())


def test_the_smallest_p_of_six_patients_is_a_thirty_second():
    found = compare(np.linspace(0.5, 0.8, 6), np.linspace(0.4, 0.5, 6)).everyone
    assert found.p_value == pytest.approx(2.0**-5)


def test_saturated_patients_are_told_and_left_out_of_the_second_statistics():
    found = compare([1.0, 1.0, 0.0, 0.9, 0.5, 0.4], [1.0, 1.0, 0.0, 0.7, 0.5, 0.5])
    assert (found.num_full, found.num_none) == (2, 1)
    assert (found.everyone.wins, found.everyone.ties, found.everyone.losses) == (1, 4, 1)
    assert (found.unsaturated.wins, found.unsaturated.ties, found.unsaturated.losses) == (1, 1, 1)
    assert found.everyone.mean_difference == pytest.approx(0.1 / 6)
    assert found.unsaturated.mean_difference == pytest.approx(0.1 / 3)


def test_ties_never_make_a_difference_surer():
    first, second = [0.9, 0.8, 0.7, 0.9, 0.6, 0.8], [0.4, 0.5, 0.5, 0.3, 0.5, 0.1]
    without = compare(first, second).everyone.p_value
    assert compare([*first, *[1.0] * 4], [*second, *[1.0] * 4]).everyone.p_value >= without


def test_where_nobody_is_saturated_both_statistics_are_one():
    found = compare([0.9, 0.8, 0.7], [0.4, 0.5, 0.9])
    assert found.everyone == found.unsaturated


def test_without_any_difference_there_is_no_p():
    found = compare([0.3, 1.0], [0.3, 1.0])
    assert (found.everyone.p_value, found.everyone.mean_difference) == (None, 0.0)
    assert found.unsaturated.num_patients == 1


@pytest.mark.parametrize(("count", "said"), [(1, False), (2, False), (3, True)])
def test_how_sure_a_difference_is_is_said_of_three_patients_and_more(count, said):
    found = compare(np.linspace(0.5, 0.8, count), np.linspace(0.2, 0.4, count)).everyone
    assert found.wins == count
    assert found.mean_difference == pytest.approx((np.linspace(0.3, 0.4, count)).mean())
    assert ((found.interval is not None), (found.p_value is not None)) == (said, said)


def test_without_patients_there_are_no_numbers():
    found = compare([], [])
    assert (found.everyone.mean_difference, found.everyone.interval, found.everyone.p_value) == (None, None, None)


def test_the_interval_holds_the_mean_of_a_known_law_as_often_as_it_says():
    """Differences are uniform with mean 0.1; 95 % intervals of 40 patients hold it 50 to 60 times in sixty."""
    generator = np.random.default_rng(5)
    held = 0
    for _ in range(60):
        second = generator.uniform(0.1, 0.7, 40)
        low, high = compare_paired(
            second + generator.uniform(-0.1, 0.3, 40), second, generator=generator
        ).everyone.interval
        held += low <= 0.1 <= high
    assert 50 <= held <= 60


@pytest.mark.parametrize(("first", "second"), [([0.5, np.nan], [0.5, 0.5]), ([1.2], [0.5]), ([0.5], [0.5, 0.6])])
def test_what_are_no_paired_shares_is_refused(first, second):
    with pytest.raises(InputError, match="paired comparison: expected a share"):
        compare(first, second)
