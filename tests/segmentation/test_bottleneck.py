"""Principal components of clouds that are known, and pooling."""

import numpy as np
import pytest
import torch

from gliocast.core import InputError
from gliocast.segmentation.bottleneck import pooled, principal_components


def cloud(variances, *, num_patients, offset=0.0, seed=0):
    """Normal, with these variances along random orthogonal directions, its mean at a distance from the origin."""
    generator = np.random.default_rng(seed)
    directions = np.linalg.qr(generator.standard_normal((len(variances), len(variances))))[0]
    spread = generator.standard_normal((num_patients, len(variances))) * np.sqrt(variances)
    return (spread + offset / np.sqrt(len(variances))) @ directions.T


def test_shares_of_variance_are_those_of_the_covariance():
    """The standard error of a share is about sqrt(2 / 20,000) = 1 % of it."""
    variances = np.array([9.0, 4.0, 2.0, 0.5, 0.01])
    found = principal_components(cloud(variances, num_patients=20_000))
    np.testing.assert_allclose(found.explained, variances / variances.sum(), rtol=0.05)
    assert found.explained.sum() == pytest.approx(1)


def test_collapsed_cloud_is_told_by_its_numbers():
    """A normal spread along one direction has a mean of sqrt(2 / pi) sigma: 1.6 as in the paper for sigma 2."""
    found = principal_components(cloud(np.array([4.0, 1e-4, 1e-4]), num_patients=20_000, offset=18.4))
    assert found.explained[0] == pytest.approx(1, abs=1e-4)
    assert found.mean_norm == pytest.approx(18.4, abs=0.05)
    assert found.mean_spread == pytest.approx(2 * np.sqrt(2 / np.pi), rel=0.02)
    assert found.num_components() == 1


def test_neither_place_nor_size_nor_turn_of_a_cloud_changes_shares():
    features = cloud(np.array([5.0, 2.0, 1.0]), num_patients=40)
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((3, 3)))[0]
    expected = principal_components(features)
    found = principal_components(100 + 3 * features @ turn)
    np.testing.assert_allclose(found.explained, expected.explained)
    assert found.mean_spread == pytest.approx(3 * expected.mean_spread)


def test_number_of_components_that_explain_a_share():
    """Patients at +- along each axis: variances of 8, 1 and 1 of 10 exactly."""
    features = np.diag(np.sqrt([8.0, 1.0, 1.0]))
    found = principal_components(np.concatenate([features, -features]))
    np.testing.assert_allclose(found.explained, [0.8, 0.1, 0.1])
    assert [found.num_components(share) for share in (0.5, 0.8, 0.81, 0.9, 0.98, 1.0)] == [1, 1, 2, 2, 3, 3]


def test_there_are_fewer_components_than_patients():
    found = principal_components(cloud(np.ones(20), num_patients=6))
    assert found.explained.shape == (5,)
    assert (found.explained > 1e-6).all()
    assert (np.diff(found.explained) <= 0).all()


def test_features_are_averaged_over_space_in_float32():
    fields = torch.arange(2 * 3 * 8, dtype=torch.float32).reshape(2, 3, 2, 2, 2)
    expected = fields.numpy().reshape(2, 3, 8).mean(axis=-1)
    np.testing.assert_array_equal(pooled(fields.requires_grad_()), expected)
    halves = torch.ones(1, 1, 4, 4, 4, dtype=torch.bfloat16)
    halves[..., :2] += 2**-7  # the digit after the last one of the mean
    assert pooled(halves).dtype == np.float32
    assert pooled(halves).item() == 1 + 2**-8


@pytest.mark.parametrize(
    "features", [np.zeros((1, 4)), np.full((5, 4), 0.1), np.array([[1.0], [np.nan]]), np.zeros((3, 0)), np.zeros(4)]
)
def test_features_that_say_nothing_are_refused(features):
    with pytest.raises(InputError, match="bottleneck"):
        principal_components(features)
