"""Training of networks that stand side by side, by Adam (Kingma and Ba, 2015)."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gliocast.core import ConvergenceError
from gliocast.inference.npe.network import Networks

#: Loss of each network on its own batch: indices of samples, (num_networks, size) -> (num_networks, size).
Loss = Callable[[Tensor], Tensor]

#: Largest norm of the gradient, over all networks; larger ones are scaled down [1].
_MAX_GRADIENT = 5.0


@dataclass(frozen=True)
class Schedule:
    """How long to train.

    Args:
        epochs: at most.
        batch: samples of a step.
        rate: of learning.
        held_out: share of the samples that decides when to stop; zero trains for all epochs.
        patience: epochs without gain on the held-out samples after which training stops.
    """

    epochs: int
    batch: int
    rate: float = 1e-3
    held_out: float = 0.0
    patience: int = 0


def train(
    networks: Networks, loss: Loss, num_samples: int, schedule: Schedule, generator: torch.Generator
) -> dict[str, float]:
    """Minimize the loss; each network ends with the weights that did best on the samples held out from it.

    Returns:
        Mean losses [nat] of the networks in the end, and the number of epochs.

    Raises:
        ConvergenceError: the loss is not a number.
    """
    num_networks = len(networks.weights[0])
    orders = torch.stack([torch.randperm(num_samples, generator=generator) for _ in range(num_networks)])
    held_out, used = orders.tensor_split([round(schedule.held_out * num_samples)], dim=1)
    optimizer = torch.optim.Adam(networks.weights, lr=schedule.rate)
    best = torch.full((num_networks,), torch.inf, dtype=torch.float64)
    kept, last_gain, epoch = [w.detach().clone() for w in networks.weights], 0, 0
    for epoch in range(1, schedule.epochs + 1):
        running = _epoch(networks, loss, used, schedule.batch, optimizer, generator)
        if not np.isfinite(running):
            raise ConvergenceError(
                "npe", expected="a finite loss", got=f"{running} in epoch {epoch}", advice="try another seed"
            )
        if held_out.shape[1] == 0:
            continue
        with torch.no_grad():
            validation = _mean_loss(loss, held_out, schedule.batch)
            better = validation < best
            best = torch.where(better, validation, best)
            for keep, weight in zip(kept, networks.weights, strict=True):
                keep[better] = weight[better]
        last_gain = epoch if better.any() else last_gain
        if epoch - last_gain >= schedule.patience:
            break
    with torch.no_grad():
        if held_out.shape[1]:
            for keep, weight in zip(kept, networks.weights, strict=True):
                weight.copy_(keep)
        training = float(_mean_loss(loss, used, schedule.batch).mean())
    figures = {"training_loss": training, "epochs": float(epoch)}
    return figures | ({"validation_loss": float(best.mean())} if held_out.shape[1] else {})


def _epoch(
    networks: Networks,
    loss: Loss,
    used: Tensor,
    batch: int,
    optimizer: torch.optim.Optimizer,
    generator: torch.Generator,
) -> float:
    """One pass over the samples in random order; the mean loss on the way."""
    order = torch.randperm(used.shape[1], generator=generator)
    total = 0.0
    for chosen in order.split(batch):
        optimizer.zero_grad()
        value = loss(used[:, chosen]).mean(1).sum()
        value.backward()
        torch.nn.utils.clip_grad_norm_(networks.weights, _MAX_GRADIENT)
        optimizer.step()
        total += value.item() / len(used) * len(chosen)
    return total / used.shape[1]


def _mean_loss(loss: Loss, indices: Tensor, batch: int) -> Tensor:
    """Mean over all samples, a batch at a time, of each network, (num_networks,)."""
    return torch.cat([loss(part) for part in indices.split(batch, dim=1)], 1).mean(1)
