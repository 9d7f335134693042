"""State of a run: all that it takes to go on from a checkpoint as if nothing had happened."""

import json
import math
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gliocast.core import InputError
from gliocast.train.checkpoint import load_checkpoint, save_checkpoint
from gliocast.train.options import TrainOptions
from gliocast.train.randomness import random_states, restore_random_states
from gliocast.train.runtime import Runtime

#: A loss averaged over about this many steps is logged.
_SMOOTHING = 100


@dataclass(eq=False)
class Best:
    """The averaged weights that did best in a validation.

    Args:
        figure: the largest so far.
        step: of these weights.
        num_since: validations after it.
        weights: by name; none before the first validation.
    """

    figure: float = -math.inf
    step: int = 0
    num_since: int = 0
    weights: dict[str, Tensor] = field(default_factory=dict)

    def consider(self, figure: float, step: int, network: nn.Module) -> None:
        """Keep a network's weights if it does better; nan never does."""
        if figure > self.figure:
            self.figure, self.step, self.num_since = figure, step, 0
            self.weights = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        else:
            self.num_since += 1


class Run:
    """A training between two steps, and the checkpoint that it is kept in.

    Args:
        network: what is trained; it is given the weights that the first process has.
        options: how to train.
        path: checkpoint.
        key: of what the run depends on besides the options.
        runtime: process that this is.
    """

    def __init__(self, network: nn.Module, *, options: TrainOptions, path: Path, key: str, runtime: Runtime) -> None:
        self.network, self.options, self.runtime = network, options, runtime
        runtime.share(list(network.state_dict().values()))
        self.averaged = deepcopy(network).requires_grad_(False).eval()
        self.optimizer = torch.optim.AdamW(
            network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay
        )
        self.step = 0
        self.smooth: dict[str, float] = {}
        self.best = Best()
        self._path, self._key = path, f"{key}; {_identity(options, runtime)}"

    @property
    def is_over(self) -> bool:
        """Whether all steps are done, or so many validations brought nothing that no more are tried."""
        patience = self.options.patience
        return self.step >= self.options.num_steps or (patience is not None and self.best.num_since >= patience)

    def advance(self, losses: Mapping[str, float]) -> None:
        """Count a step that the network has taken, with the losses it had.

        Parameters are averaged, the more slowly the later; buffers, such as running statistics, are averages already
        and are taken over.
        """
        decay = min(self.options.averaging, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            for mean, value in zip(self.averaged.parameters(), self.network.parameters(), strict=True):
                mean.lerp_(value, 1 - decay)
            for taken, buffer in zip(self.averaged.buffers(), self.network.buffers(), strict=True):
                taken.copy_(buffer)
        for name, loss in losses.items():
            before = self.smooth.get(name, loss)
            self.smooth[name] = before + (loss - before) / _SMOOTHING
        self.step += 1

    def resume(self) -> None:
        """Put the state of the checkpoint in place, where there is one.

        Raises:
            InputError: it is damaged or of another run, or processes see different ones.
        """
        found = load_checkpoint(self._path, key=self._key)
        if found is not None:
            self._restore(*found)
        steps = sorted({int(step) for step in self.runtime.gather(torch.tensor([self.step]))})
        if len(steps) > 1:
            raise InputError(
                f"checkpoint {self._path.name}",
                expected="one that all processes see",
                got="those of steps " + " and ".join(map(str, steps)),
                advice="take a folder that all machines share",
            )

    def _restore(self, tensors: Mapping[str, Tensor], state: Mapping[str, object]) -> None:
        self.network.load_state_dict(_under("network", tensors))
        self.averaged.load_state_dict(_under("averaged", tensors))
        moments: dict[int, dict[str, Any]] = {}
        for name, tensor in _under("optimizer", tensors).items():
            index, moment = name.split(".")
            moments.setdefault(int(index), {})[moment] = tensor
        self.optimizer.load_state_dict({"state": moments, "param_groups": self.optimizer.state_dict()["param_groups"]})
        restore_random_states(_under(f"random.{self.runtime.rank}", tensors), self.runtime.device)
        known: Any = state
        self.step, self.smooth = known["step"], known["smooth"]
        self.best = Best(**known["best"], weights=_under("best", tensors))

    def save(self) -> None:
        """Write the checkpoint; every process gives the states of its generators, the first writes."""
        states = random_states(self.runtime.device)
        gathered = {name: self.runtime.gather(tensor) for name, tensor in states.items()}
        if not self.runtime.is_first:
            return
        tensors = {f"random.{rank}.{name}": part for name, parts in gathered.items() for rank, part in enumerate(parts)}
        tensors |= {f"network.{name}": tensor for name, tensor in self.network.state_dict().items()}
        tensors |= {f"averaged.{name}": tensor for name, tensor in self.averaged.state_dict().items()}
        tensors |= {f"best.{name}": tensor for name, tensor in self.best.weights.items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": torch.as_tensor(value) for name, value in moments.items()}
        best = {"figure": self.best.figure, "step": self.best.step, "num_since": self.best.num_since}
        state = {"step": self.step, "smooth": self.smooth, "best": best}
        save_checkpoint(self._path, tensors, key=self._key, state=state)

    def result(self) -> nn.Module:
        """The averaged network, with the best weights where they were looked for and found."""
        if self.best.weights:
            self.averaged.load_state_dict(self.best.weights)
        return self.averaged


def _identity(options: TrainOptions, runtime: Runtime) -> str:
    """The options that a result depends on; of the micro-batches in a step, how many there are in all processes."""
    chosen = asdict(options)
    chosen["accumulate"] *= runtime.world_size
    return json.dumps({name: chosen[name] for name in chosen if name not in ("checkpoint_every_s", "tensorboard")})


def _under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors whose names begin so, by the rest of the name."""
    start = f"{prefix}."
    return {name.removeprefix(start): tensor for name, tensor in tensors.items() if name.startswith(start)}
