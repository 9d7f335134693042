"""Losses against their equations in float64, against a full one-hot, and where classes are absent."""

import pytest
import torch
from torch.nn import functional

from gliocast.core import InputError
from gliocast.segmentation.losses import (
    SMOOTHING,
    cross_entropy,
    inverse_frequency_weights,
    segmentation_losses,
    soft_dice_loss,
)

SHAPE = (5, 4, 3)


@pytest.fixture
def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture
def truth(generator):
    """Of two patients, four classes."""
    return torch.randint(0, 4, (2, *SHAPE), generator=generator)


@pytest.fixture
def logits(generator):
    return torch.randn(2, 4, *SHAPE, generator=generator, dtype=torch.float64)


def one_hot(truth):
    return functional.one_hot(truth.long(), 4).movedim(-1, 1).double()


def written_out(probabilities, truth, smoothing):
    """The paper's equation as it stands."""
    there = one_hot(truth)
    losses = [
        1
        - (2 * (probabilities[:, c] * there[:, c]).sum() + smoothing)
        / (probabilities[:, c].sum() + there[:, c].sum() + smoothing)
        for c in (1, 2, 3)
    ]
    return sum(losses) / 3


@pytest.mark.parametrize("smoothing", [1e-5, 1.0])
def test_soft_dice_is_the_equation_of_the_paper(logits, truth, smoothing):
    probabilities = logits.softmax(dim=1)
    found = soft_dice_loss(probabilities, truth, smoothing=smoothing)
    torch.testing.assert_close(found, written_out(probabilities, truth, smoothing))


def test_soft_dice_is_zero_for_the_truth_and_one_for_its_opposite(truth):
    assert soft_dice_loss(one_hot(truth), truth).item() == pytest.approx(0)
    assert soft_dice_loss(one_hot((truth + 1) % 4), truth).item() == pytest.approx(1, abs=1e-5)  # eps over 10 voxels


def test_soft_dice_of_a_known_overlap():
    """Probability 1/2 everywhere, class 1 in half of the voxels: 1 - 2 (1/4) / (1/2 + 1/2) = 1/2."""
    truth = torch.zeros(1, 4, 4, 4, dtype=torch.uint8)
    truth[:, :2] = 1
    assert soft_dice_loss(torch.full((1, 2, 4, 4, 4), 0.5), truth).item() == pytest.approx(0.5, abs=1e-6)


def test_background_has_no_say(truth):
    probabilities = torch.rand(2, 4, *SHAPE, dtype=torch.float64)
    changed = probabilities.clone()
    changed[:, 0] = 7.0
    assert soft_dice_loss(probabilities, truth) == soft_dice_loss(changed, truth)


def test_patients_of_a_batch_are_one_sum(logits, truth):
    """Halves of a volume as two patients give the loss of the whole; a mean over patients would not."""
    probabilities = logits.softmax(dim=1)
    side_by_side = torch.cat(list(probabilities), dim=1)[None], torch.cat(list(truth), dim=0)[None]
    torch.testing.assert_close(soft_dice_loss(probabilities, truth), soft_dice_loss(*side_by_side))


def test_gradients_are_those_of_finite_differences(logits, truth):
    weights = torch.tensor([0.1, 1.0, 2.0, 0.9], dtype=torch.float64)

    def total(values):
        return sum(segmentation_losses(values, truth, beta=0.5, weights=weights).values())

    truth = truth[..., :2, 0:1]
    assert torch.autograd.gradcheck(total, logits[..., :2, 0:1].clone().requires_grad_())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [1.0, 200.0])
def test_gradients_are_finite_without_any_tumor(dtype, size):
    """In neither truth nor probabilities, which underflow to 0 with the larger logits."""
    truth = torch.zeros(1, *SHAPE, dtype=torch.uint8)
    logits = torch.zeros(1, 4, *SHAPE, dtype=dtype)
    logits[:, 0] = size
    logits.requires_grad_()
    losses = segmentation_losses(logits, truth, beta=1.0, weights=torch.tensor([0.5, 1.5, 1.0, 0.0]))
    sum(losses.values()).backward()
    assert all(loss.dtype == torch.float32 and loss.isfinite() for loss in losses.values())
    assert logits.grad.dtype == dtype
    assert logits.grad.isfinite().all()


def test_bfloat16_logits_lose_nothing_but_their_own_digits():
    """A quarter of a million voxels of one kind: a sum in bfloat16 would stall, and its softmax be off by 0.2 %."""
    logits = torch.tensor([0.0, 0.5, 1.0, -0.5]).view(1, 4, 1, 1, 1)
    share = logits.double().softmax(dim=1).flatten()
    truth = torch.ones(1, 64, 64, 64, dtype=torch.uint8)
    loss = segmentation_losses(logits.bfloat16().expand(-1, -1, 64, 64, 64), truth)["soft dice"]
    assert loss.item() == pytest.approx(1 - 2 * share[1].item() / (share[1].item() + 1) / 3, rel=1e-5)


def test_bfloat16_probabilities_are_summed_in_float32():
    """A quarter each, exact in bfloat16; the loss of class 1 is 1 - 2 (1/4) / (5/4), of the others 1."""
    probabilities = torch.full((1, 4, 64, 64, 64), 0.25, dtype=torch.bfloat16)
    loss = soft_dice_loss(probabilities, torch.ones(1, 64, 64, 64, dtype=torch.uint8))
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx((0.6 + 2) / 3, rel=1e-6)


def test_cross_entropy_is_a_weighted_mean_of_minus_log_probabilities(logits, truth):
    weights = torch.tensor([0.1, 1.0, 2.0, 0.9], dtype=torch.float64)
    picked = logits.log_softmax(dim=1).gather(1, truth[:, None])[:, 0]
    expected = -(weights[truth] * picked).sum() / weights[truth].sum()
    torch.testing.assert_close(cross_entropy(logits, truth, weights.float()), expected)
    torch.testing.assert_close(cross_entropy(logits, truth.to(torch.uint8)), -picked.mean())


def test_beta_multiplies_the_cross_entropy_and_zero_leaves_it_out(logits, truth):
    assert list(segmentation_losses(logits, truth)) == ["soft dice"]
    losses = segmentation_losses(logits, truth, beta=1 / 3)
    torch.testing.assert_close(losses["cross entropy"], cross_entropy(logits, truth) / 3)
    torch.testing.assert_close(losses["soft dice"], written_out(logits.softmax(dim=1), truth, SMOOTHING))


def test_weights_are_inverse_to_frequency_with_a_mean_of_one():
    """1/8, 1/2 and 1/1 of voxels have a mean of 13/24."""
    weights = inverse_frequency_weights(torch.tensor([8, 2, 0, 1]))
    torch.testing.assert_close(weights, torch.tensor([3 / 13, 12 / 13, 0, 24 / 13]))


def test_weights_of_a_billion_voxels_keep_their_proportion():
    weights = inverse_frequency_weights(torch.tensor([3_000_000_000, 6_000_000]))
    assert (weights[1] / weights[0]).item() == pytest.approx(500, rel=1e-6)


@pytest.mark.parametrize("counts", [[0, 0], [3, -1]])
def test_counts_that_mean_nothing_are_refused(counts):
    with pytest.raises(InputError, match="count the labels"):
        inverse_frequency_weights(torch.tensor(counts))


def test_what_does_not_fit_is_refused(logits, truth):
    with pytest.raises(InputError, match="one class of truth per voxel"):
        segmentation_losses(logits, truth[:1])
    with pytest.raises(InputError, match="one class of truth per voxel"):
        soft_dice_loss(logits[:, :1], truth)
    with pytest.raises(InputError, match="classes by number"):
        cross_entropy(logits, truth.float())
    with pytest.raises(InputError, match="beta of 0 or more"):
        segmentation_losses(logits, truth, beta=-0.1)


def test_with_more_smoothing_a_class_that_is_seen_and_not_there_is_pushed_away():
    """At 50 voxels seen of a class that isn't there."""
    truth = torch.zeros((1, 10, 10, 10), dtype=torch.long)
    slopes = []
    for smoothing in (1e-5, 100.0):
        logits = torch.zeros((1, 2, 10, 10, 10), requires_grad=True)
        loss = segmentation_losses(
            logits - torch.tensor([0.0, 3.0])[None, :, None, None, None], truth, smoothing=smoothing
        )
        loss["soft dice"].backward()
        slopes.append(float(logits.grad[:, 1].sum()))
    assert slopes[1] > 1e4 * slopes[0] > 0
