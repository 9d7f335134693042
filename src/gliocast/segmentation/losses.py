"""What training makes small: soft Dice, and cross-entropy beside it.

With P_c in [0, 1] the probability of class c in a voxel and T_c in {0, 1} whether it is there, sums over voxels,

    L_Dice = mean over c of 1 - (2 sum P_c T_c + eps) / (sum P_c + sum T_c + eps),    L = L_Dice + beta L_CE,

where the mean leaves out the background (class 0). The paper doesn't say whether a batch is one sum or a mean of sums;
here voxels of all patients of a batch are summed, so that a patient without a compartment doesn't decide its loss.

Source: Colle, Brain Tumor Segmentation and Survival Prediction, Section 3.2.2.
"""

import torch
from torch import Tensor
from torch.nn import functional

from gliocast.core import InputError

#: Keeps the quotient defined where a class is neither seen nor there [voxels]; the paper says "small". As in MONAI. So
#: small it also keeps L_Dice from saying anything about a class that is seen and isn't there.
SMOOTHING = 1e-5


def segmentation_losses(
    logits: Tensor, truth: Tensor, *, beta: float = 0.0, weights: Tensor | None = None, smoothing: float = SMOOTHING
) -> dict[str, Tensor]:
    """The parts of the loss by name; their sum is what is made small.

    Args:
        logits: of classes, (batch, classes, x, y, z), of any precision: losses are computed in float32 at least.
        truth: class of each voxel, integer, (batch, x, y, z).
        beta: of the cross-entropy [1]; with 0 there is none. The paper trains with 0 (best), 1/3 and 1/2; from 2/3 on
            its training failed.
        weights: of classes in the cross-entropy, (classes,), or None for equal ones.
        smoothing: eps of the equation [voxels].

    Returns:
        "soft dice" and, where beta is above 0, "cross entropy", already multiplied by beta; scalars.

    Raises:
        InputError: shapes don't fit, the truth isn't of integers, or beta is negative.
    """
    if not beta >= 0:
        raise InputError("loss", expected="a beta of 0 or more", got=f"{beta}", advice="use 0 for soft Dice alone")
    logits = _precise(logits)
    losses = {"soft dice": soft_dice_loss(logits.softmax(dim=1), truth, smoothing=smoothing)}
    if beta > 0:
        losses["cross entropy"] = beta * cross_entropy(logits, truth, weights)
    return losses


def soft_dice_loss(probabilities: Tensor, truth: Tensor, *, smoothing: float = SMOOTHING) -> Tensor:
    """Soft Dice loss, mean over all classes but the background.

    The truth is never spread over float channels: each class costs one mask, a byte per voxel.

    Args:
        probabilities: of classes, (batch, classes, x, y, z).
        truth: class of each voxel, integer, (batch, x, y, z).
        smoothing: eps of the equation [voxels].

    Returns:
        A scalar in [0, 1].

    Raises:
        InputError: shapes don't fit, the truth isn't of integers, or there is only background.
    """
    _require_fit(probabilities, truth)
    losses = []
    # unbound at once: the gradient of one slice after the other would fill a full array for each
    for number, probability in enumerate(_precise(probabilities).unbind(dim=1)[1:], start=1):
        there = truth == number
        common = (probability * there).sum()
        sizes = probability.sum() + torch.count_nonzero(there)
        losses.append(1 - (2 * common + smoothing) / (sizes + smoothing))
    return torch.stack(losses).mean()


def cross_entropy(logits: Tensor, truth: Tensor, weights: Tensor | None = None) -> Tensor:
    """Cross-entropy, weighted mean over voxels: each weighs what the class weighs that it truly is of.

    Args:
        logits: of classes, (batch, classes, x, y, z).
        truth: class of each voxel, integer, (batch, x, y, z).
        weights: of classes, (classes,), or None for equal ones.

    Returns:
        A scalar [nat].

    Raises:
        InputError: shapes don't fit, or the truth isn't of integers.
    """
    _require_fit(logits, truth)
    logits = _precise(logits)
    return functional.cross_entropy(logits, truth.long(), weight=None if weights is None else weights.to(logits))


def inverse_frequency_weights(counts: Tensor) -> Tensor:
    """Weights of classes inversely proportional to how frequent they are, with a mean of 1 over those that occur.

    Args:
        counts: voxels of each class in the training set, background included, (classes,).

    Returns:
        float32, (classes,); 0 for a class that never occurs.

    Raises:
        InputError: a count is negative, or all are 0.
    """
    occurs = counts > 0
    if counts.ndim != 1 or not occurs.any() or (counts < 0).any():
        raise InputError(
            "class weights",
            expected="voxels of each class, none negative, not all 0",
            got=f"{counts.tolist()}",
            advice="count the labels of the training set",
        )
    inverse = torch.where(occurs, 1 / counts.double().clamp_min(1), 0)
    return (inverse / inverse[occurs].mean()).float()


def _precise(fields: Tensor) -> Tensor:
    """In float32 at least: sums over millions of voxels don't fit half a number."""
    return fields.to(torch.promote_types(fields.dtype, torch.float32))


def _require_fit(fields: Tensor, truth: Tensor) -> None:
    classes = fields.shape[1] if fields.ndim == 5 else 0
    if classes < 2 or fields.shape[:1] + fields.shape[2:] != truth.shape:
        raise InputError(
            "loss",
            expected="fields (batch, classes, x, y, z), 2 classes or more, and a truth (batch, x, y, z)",
            got=f"{tuple(fields.shape)} and {tuple(truth.shape)}",
            advice="pass one class of truth per voxel",
        )
    if truth.is_floating_point() or truth.dtype == torch.bool:
        raise InputError("loss", expected="a truth of integers", got=f"{truth.dtype}", advice="pass classes by number")
