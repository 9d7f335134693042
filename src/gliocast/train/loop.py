"""The training loop: AdamW, warm-up and cosine, clipped gradients, averaged weights, exact resume.

A batch depends on its number alone and the networks here draw no random numbers of their own, so weights, averages,
moments of the optimizer and the number of the step are the whole state: a run that was interrupted and goes on ends
with the weights of one that was not, bit for bit on a CPU with the same number of threads.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gliocast.core import ConvergenceError, InputError
from gliocast.train.checkpoint import load_checkpoint, save_checkpoint

_CHECKPOINT, _LOG = "checkpoint.safetensors", "log.jsonl"

#: A loss averaged over about this many steps is logged.
_SMOOTHING = 100


@dataclass(frozen=True)
class TrainOptions:
    """How to train.

    Args:
        num_steps: steps of the optimizer.
        learning_rate: at its highest.
        final_rate: learning rate at the end, relative to the highest [1].
        warm_up: share of the steps over which the rate rises [1].
        weight_decay: of AdamW.
        clip: largest norm of the gradient.
        averaging: decay of the averaged weights in one step, late in the run.
        mixed_precision: whether convolutions run in bfloat16. On CPUs some of its gradients are nan (torch 2.13).
        checkpoint_every_s: seconds between checkpoints.
    """

    num_steps: int
    learning_rate: float = 1e-3
    final_rate: float = 0.01
    warm_up: float = 0.03
    weight_decay: float = 0.05
    clip: float = 1.0
    averaging: float = 0.998
    mixed_precision: bool = False
    checkpoint_every_s: float = 60.0

    def __post_init__(self) -> None:
        if self.num_steps < 1 or self.learning_rate <= 0 or not 0 <= self.averaging < 1:
            raise InputError(
                "training", expected="positive steps and rate", got=f"{self}", advice="begin with the defaults"
            )

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        warm = max(1, round(self.warm_up * self.num_steps))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        share = (step - warm) / max(1, self.num_steps - warm)
        floor = self.final_rate
        return self.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * share)))


def train(
    network: nn.Module,
    losses: Callable[[nn.Module, int], Mapping[str, Tensor]],
    *,
    options: TrainOptions,
    folder: Path,
    key: str,
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    validate_every: int = 1000,
    progress: Callable[[float, Mapping[str, float]], None] | None = None,
) -> nn.Module:
    """Minimize the sum of the losses; go on from the folder's checkpoint where there is one.

    Args:
        network: what to train, on its device; changed in place.
        losses: of the network on the batch of a step, by name.
        options: how to train.
        folder: checkpoint and log (JSON lines).
        key: of what the run depends on besides the options; a checkpoint of another key is refused.
        validate: figures of the averaged network, by name.
        validate_every: steps between validations.
        progress: called with the share that is done and the smoothed losses.

    Returns:
        The network with averaged weights.

    Raises:
        ConvergenceError: the loss or its gradient is nan; the last checkpoint stays.
    """
    folder.mkdir(parents=True, exist_ok=True)
    averaged = deepcopy(network).requires_grad_(False)
    optimizer = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
    run = _Run(network, averaged, optimizer, folder, f"{key}; {options}")
    step = run.resume()
    smooth: dict[str, float] = {}
    device = next(network.parameters()).device.type
    saved = time.monotonic()
    while step < options.num_steps:
        for group in optimizer.param_groups:
            group["lr"] = options.rate(step)
        lower = torch.autocast(device, torch.bfloat16) if options.mixed_precision else nullcontext()
        with lower:
            parts = losses(network, step)
        total = torch.stack(list(parts.values())).sum()
        _require_finite(total, "loss", step)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        norm = nn.utils.clip_grad_norm_(network.parameters(), options.clip)
        _require_finite(norm, "gradient", step)
        optimizer.step()
        _average(averaged, network, min(options.averaging, (1 + step) / (10 + step)))
        step += 1
        for name, part in parts.items():
            value = float(part.detach())
            smooth[name] = smooth.get(name, value) + (value - smooth.get(name, value)) / _SMOOTHING
        if progress is not None:
            progress(step / options.num_steps, smooth)
        if step % validate_every == 0 or step == options.num_steps:
            figures = dict(validate(averaged)) if validate is not None else {}
            run.log({"step": step, **smooth, **figures})
        if time.monotonic() - saved > options.checkpoint_every_s or step == options.num_steps:
            run.save(step)
            saved = time.monotonic()
    return averaged


@dataclass(frozen=True, eq=False)
class _Run:
    """State of a run, and where it is kept."""

    network: nn.Module
    averaged: nn.Module
    optimizer: torch.optim.AdamW
    folder: Path
    key: str

    def resume(self) -> int:
        """Put the state of the checkpoint in place; the step that comes next."""
        found = load_checkpoint(self.folder / _CHECKPOINT, key=self.key)
        if found is None:
            return 0
        tensors, state = found
        for part, module in (("network", self.network), ("averaged", self.averaged)):
            own = {name.removeprefix(f"{part}."): t for name, t in tensors.items() if name.startswith(f"{part}.")}
            module.load_state_dict(own)
        moments: dict[int, dict[str, Any]] = {}
        for name, tensor in tensors.items():
            if name.startswith("optimizer."):
                _, index, moment = name.split(".")
                moments.setdefault(int(index), {})[moment] = tensor
        self.optimizer.load_state_dict({"state": moments, "param_groups": self.optimizer.state_dict()["param_groups"]})
        return int(str(state["step"]))

    def save(self, step: int) -> None:
        tensors = {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"averaged.{name}": tensor for name, tensor in self.averaged.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in moments.items()}
        save_checkpoint(self.folder / _CHECKPOINT, tensors, key=self.key, state={"step": step})

    def log(self, figures: Mapping[str, float]) -> None:
        with (self.folder / _LOG).open("a", encoding="utf-8") as file:
            file.write(json.dumps(dict(figures)) + "\n")


def _require_finite(value: Tensor, name: str, step: int) -> None:
    if not torch.isfinite(value):
        raise ConvergenceError(
            "training",
            expected=f"a finite {name}",
            got=f"{float(value.detach())} in step {step}",
            advice="lower the learning rate, or compute in float32",
        )


@torch.no_grad()
def _average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    for mean, value in zip(averaged.parameters(), network.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)
