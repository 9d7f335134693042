"""Gray values of any unit become the same numbers."""

import pytest
import torch

from gliocast.core import InputError
from gliocast.segmentation.intensities import scaled, standardized


@pytest.fixture
def brain():
    mask = torch.zeros(12, 10, 9, dtype=torch.bool)
    mask[2:10, 1:9, 3:8] = True
    return mask


@pytest.fixture
def scans(brain):
    """Of different units, with something outside of the brain, too."""
    generator = torch.Generator().manual_seed(0)
    units = torch.tensor([1.0, 50.0, 4000.0, 1e-3])[:, None, None, None]
    return units * (1 + torch.rand(4, *brain.shape, generator=generator))


def test_standardized_scans_have_zero_mean_and_unit_deviation_in_the_brain_and_are_zero_outside(scans, brain):
    found = standardized(scans, brain)
    inside = found[:, brain]
    torch.testing.assert_close(inside.mean(dim=1), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(inside.std(dim=1), torch.ones(4), atol=1e-5, rtol=0)
    assert (found[:, ~brain] == 0).all()
    assert (inside.diff(dim=1).sign() == scans[:, brain].diff(dim=1).sign()).all()


def test_the_unit_of_a_scan_has_no_say(scans, brain):
    units = torch.tensor([7.0, 0.01, 300.0, 2.0])[:, None, None, None]
    expected = standardized(scaled(scans, brain), brain)
    torch.testing.assert_close(standardized(scaled(units * scans, brain), brain), expected, atol=1e-4, rtol=1e-4)


def test_what_is_outside_of_the_brain_has_no_say(scans, brain):
    other = torch.where(brain, scans, 1e6)
    assert torch.equal(scaled(other, brain), scaled(scans, brain))
    assert torch.equal(standardized(scaled(other, brain), brain), standardized(scaled(scans, brain), brain))


def test_the_bright_end_of_every_scan_becomes_one(scans, brain):
    found = scaled(scans, brain)
    torch.testing.assert_close(found[:, brain].quantile(0.995, dim=1), torch.ones(4))
    assert (found[:, ~brain] == 0).all()


def test_the_bright_end_of_a_large_scan_is_that_of_a_sample():
    """Where a share of 0.995 of uniform gray values ends, a sample of 200,000 knows to 2e-4."""
    brain = torch.ones(80, 80, 80, dtype=torch.bool)
    scans = torch.rand(1, *brain.shape, generator=torch.Generator().manual_seed(0))
    assert (scans / scaled(scans, brain)).median().item() == pytest.approx(0.995, abs=1e-3)


def test_a_scan_of_one_gray_value_becomes_zero_and_not_nan(brain):
    found = standardized(torch.ones(2, *brain.shape), brain)
    assert (found.abs() < 1e-3).all()


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_scan_that_shows_nothing_in_the_brain_is_refused(scans, brain, value):
    scans[2, brain] = value
    with pytest.raises(InputError, match="gray values above zero"):
        scaled(scans, brain)
