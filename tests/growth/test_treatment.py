import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate

from gliocast.core import (
    ALPHA,
    KILL_RATE,
    Box,
    Chemotherapy,
    Grid,
    InputError,
    Radiotherapy,
    Resection,
    Treatments,
    Volume,
    cycle_doses,
    weekday_fractions,
)
from gliocast.core.treatment import TEMOZOLOMIDE_HALF_LIFE
from gliocast.growth.treatment import (
    break_days,
    exposure,
    fraction_survival,
    instants,
    linear_quadratic,
    log_survival,
    peak_rate,
)

SHAPE = (7, 6, 5)
GRID = Grid(SHAPE, np.eye(4))
WINDOW = Box((1, 2, 0), (6, 5, 4))

#: Two courses of doses of several sizes, with half-lives short and long against their distances.
DRUGS = (
    Chemotherapy((1.0, 2.0, 3.5), kill_rate=0.3, half_life=0.4, doses=(1.0, 0.5, 2.0)),
    Chemotherapy((5.0, 6.0, 7.0), kill_rate=0.05, half_life=3.0),
)


def dose_map(order="C"):
    return Volume(np.asarray(np.random.default_rng(0).uniform(0, 70, SHAPE), dtype=np.float32, order=order), GRID)


def cavity():
    data = np.zeros(SHAPE, dtype=bool)
    data[2:5, 1:4, 3:] = True
    return Volume(data, GRID)


def course(dose=None, num_fractions=30, start=60):
    return Radiotherapy(dose or dose_map(), weekday_fractions(start, num_fractions), alpha=0.06)


def rate(drugs, time):
    """kappa C(t) straight from its definition."""
    return sum(
        drug.kill_rate * dose * 0.5 ** ((time - day) / drug.half_life)
        for drug in drugs
        for day, dose in zip(drug.days, drug.doses, strict=True)
        if day <= time
    )


def test_one_fraction_leaves_what_the_linear_quadratic_formula_says():
    dose = 2.0
    beta = 0.06 / 10  # the formula in its other form, alpha d + beta d^2
    expected = math.exp(-0.06 * dose - beta * dose**2)
    assert fraction_survival(dose, alpha=0.06, alpha_beta=10) == pytest.approx(expected, rel=1e-14)


def test_sixty_gray_in_thirty_fractions_leave_one_cell_in_seventy_five():
    survivors = instants(Treatments((course(Volume(np.full(SHAPE, 60.0), GRID)),)))
    assert len(survivors) == 30
    total = np.prod([instant.survivors for instant in survivors], axis=0, dtype=np.float64)
    # alpha D (1 + d / (alpha/beta)) = 0.06 * 60 * 1.2 = 4.32; thirty roundings to float32
    np.testing.assert_allclose(total, 0.013300, rtol=30 * 6e-8 + 1e-4)
    np.testing.assert_allclose(np.log(total), -4.32, rtol=1e-6)


def test_typical_alphas_differ_in_survival_by_the_stated_factor():
    low, high = (30 * linear_quadratic(2.0, alpha=alpha, alpha_beta=10) for alpha in ALPHA.typical)
    assert math.exp(low - high) == pytest.approx(2700, rel=0.05)
    assert "factor of 2700" in ALPHA.source


def test_fewer_larger_fractions_kill_more():
    few, many = (
        num_fractions * linear_quadratic(60 / num_fractions, alpha=0.06, alpha_beta=10) for num_fractions in (15, 30)
    )
    assert few < many


@pytest.mark.parametrize("order", ["C", "F"])
def test_survivors_in_a_window_are_those_of_the_grid_there(order):
    treatments = Treatments((Resection(30, cavity()), course(dose_map(order))))
    for whole, part in zip(instants(treatments), instants(treatments, WINDOW), strict=True):
        np.testing.assert_array_equal(part.survivors, whole.survivors[WINDOW.slices])
        assert part.survivors.dtype == np.float32
        assert part.survivors.flags.c_contiguous
        assert part.day == whole.day


def test_survivors_follow_the_dose_of_each_voxel():
    dose = dose_map()
    (first, *_) = instants(Treatments((course(dose),)))
    share = dose.data.astype(np.float64) / 30
    np.testing.assert_allclose(first.survivors, np.exp(-0.06 * share - 0.006 * share**2), rtol=1e-6)
    assert first.closed is None


def test_resection_without_residue_empties_and_closes_the_cavity():
    (instant,) = instants(Treatments((Resection(30, cavity()),)), WINDOW)
    inside = cavity().data[WINDOW.slices]
    assert inside.any()
    np.testing.assert_array_equal(instant.survivors, np.where(inside, 0, 1))
    np.testing.assert_array_equal(instant.closed, inside)
    assert instant.closed.flags.c_contiguous


def test_resection_with_residue_leaves_its_share_in_open_tissue():
    (instant,) = instants(Treatments((Resection(30, cavity(), residual_fraction=0.25),)))
    np.testing.assert_array_equal(instant.survivors, np.where(cavity().data, np.float32(0.25), 1))
    assert instant.closed is None


def test_changing_an_instant_leaves_the_treatment_as_it_was():
    treatment = Resection(30, cavity())
    (instant,) = instants(Treatments((treatment,)))
    instant.closed[:] = False
    assert treatment.cavity.data.any()


def test_instants_and_breaks_stand_in_order_of_time():
    drug = Chemotherapy(cycle_doses(62, days_on=3), kill_rate=0.1, half_life=0.1)
    treatments = Treatments((Resection(30, cavity()), course(num_fractions=6), drug, Resection(80, cavity())))
    assert [instant.day for instant in instants(treatments)] == [30, 60, 61, 62, 63, 64, 67, 80]
    assert [type(instant.treatment) for instant in instants(treatments)][::7] == [Resection, Resection]
    assert break_days(treatments) == (30, 60, 61, 62, 63, 64, 67, 80)
    late = Chemotherapy((65.5,), kill_rate=0.1, half_life=0.1)
    assert break_days(Treatments((course(num_fractions=6), late))) == (60, 61, 62, 63, 64, 65.5, 67)


@pytest.mark.parametrize(("start", "stop"), [(0, 20), (1.2, 1.9), (1.5, 3.5), (3.5, 8), (6.9, 100), (20, 21)])
def test_drug_survival_is_the_integral_of_its_rate(start, stop):
    treatments = Treatments(DRUGS)
    jumps = [start, *(day for day in break_days(treatments) if start < day < stop), stop]
    integral = sum(
        # the rate jumps at a dose; just before it the dose isn't there yet
        integrate.quad(lambda time: rate(DRUGS, time), a, np.nextafter(b, a), epsabs=1e-13, epsrel=1e-13)[0]
        for a, b in pairwise(jumps)
    )
    assert log_survival(treatments, start, stop) == pytest.approx(-integral, rel=1e-10)


def test_drug_survival_of_joined_intervals_multiplies():
    treatments, times = Treatments(DRUGS), np.sort(np.random.default_rng(1).uniform(0, 15, 40))
    parts = sum(log_survival(treatments, a, b) for a, b in pairwise(times))
    assert parts == pytest.approx(log_survival(treatments, times[0], times[-1]), rel=1e-12)


def test_doses_add():
    days, doses = (1.0, 2.0, 2.5), (1.0, 0.5, 3.0)
    whole = Treatments((Chemotherapy(days, kill_rate=0.2, half_life=0.7, doses=doses),))
    alone = [
        Treatments((Chemotherapy((day,), kill_rate=0.2, half_life=0.7, doses=(dose,)),))
        for day, dose in zip(days, doses, strict=True)
    ]
    for interval in ((0, 10), (1.5, 2.2), (2.5, 3)):
        parts = [log_survival(treatments, *interval) for treatments in alone]
        assert log_survival(whole, *interval) == pytest.approx(sum(parts), rel=1e-13)
    double = Treatments((Chemotherapy((1.0,), kill_rate=0.2, half_life=0.7, doses=(2.0,)),))
    assert log_survival(double, 0, 9) == pytest.approx(2 * log_survival(alone[0], 0, 9), rel=1e-13)


def test_one_dose_kills_by_its_decay_time_in_the_end():
    treatments = Treatments((Chemotherapy((1.0,), kill_rate=0.2, half_life=0.5),))
    assert log_survival(treatments, 0, 100) == pytest.approx(-0.2 * 0.5 / math.log(2), rel=1e-14)
    assert log_survival(treatments, 0, 1) == 0
    assert log_survival(treatments, 1, 1) == 0


def test_typical_kill_rates_are_those_of_the_stated_convention():
    killed = [
        -math.expm1(log_survival(Treatments((Chemotherapy((0.0,), rate, TEMOZOLOMIDE_HALF_LIFE),)), 0, 50))
        for rate in KILL_RATE.typical
    ]
    assert killed == pytest.approx([0.001, 0.1], rel=0.1)


def test_without_drugs_every_cell_survives():
    treatments = Treatments((course(),))
    assert log_survival(treatments, 0, 200) == 0
    assert peak_rate(treatments, 0, 200) == 0
    assert break_days(Treatments(())) == instants(Treatments(())) == ()


@pytest.mark.parametrize(("start", "stop"), [(0, 1), (0, 1.5), (0, 20), (1.2, 2), (2, 3.5), (3.6, 5), (7.5, 30)])
def test_peak_rate_is_the_greatest_on_a_fine_grid_of_times(start, stop):
    treatments = Treatments(DRUGS)
    times = np.union1d(np.linspace(start, stop, 2001)[:-1], [day for day in break_days(treatments) if day < stop])
    sampled = max(rate(DRUGS, time) for time in times[times >= start])
    assert peak_rate(treatments, start, stop) == pytest.approx(sampled, rel=1e-12, abs=0)


def test_backward_interval_is_refused():
    for function in (log_survival, peak_rate):
        with pytest.raises(InputError, match="a start before its end"):
            function(Treatments(DRUGS), 2, 1)
        with pytest.raises(InputError, match="a start before its end"):
            function(Treatments(DRUGS), float("nan"), 1)


def test_torch_and_numpy_compute_the_same_survival():
    dose = np.random.default_rng(2).uniform(0, 5, (4, 5))
    expected = fraction_survival(dose, alpha=0.06, alpha_beta=10)
    tensor = fraction_survival(torch.from_numpy(dose), alpha=0.06, alpha_beta=torch.tensor(10.0, dtype=torch.float64))
    np.testing.assert_allclose(tensor.numpy(), expected, rtol=1e-14)


def test_gradient_of_survival_is_that_of_finite_differences():
    dose = torch.from_numpy(np.random.default_rng(3).uniform(0, 5, (3, 4)))
    alpha, alpha_beta = (torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in (0.06, 10.0))
    assert torch.autograd.gradcheck(lambda a, b: fraction_survival(dose, alpha=a, alpha_beta=b), (alpha, alpha_beta))


def test_gradient_of_exposure_is_that_of_finite_differences():
    half_life = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda h: exposure((1, 2, 5), (1, 2, 1), 1.5, 6, half_life=h), (half_life,))
    assert torch.autograd.gradcheck(lambda h: exposure((1,), (1,), 0, 0.5, half_life=h), (half_life,))
