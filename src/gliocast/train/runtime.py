"""Where a training runs: one process or those that torchrun started, on CPUs or GPUs.

Nothing else here talks to another process. Gradients go through `Runtime.average` in one buffer, so that a step costs
one message however many tensors a network has; networks need no wrapper.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
from torch import Tensor, distributed

from gliocast.core import InputError

#: How long a process waits for another one, which may be validating or writing [min].
_PATIENCE_MIN = 60


@dataclass(frozen=True)
class Runtime:
    """One of the processes of a training.

    Args:
        device: where it computes.
        rank: its number.
        world_size: how many there are.
    """

    device: torch.device
    rank: int = 0
    world_size: int = 1

    @classmethod
    def current(cls, device: torch.device) -> "Runtime":
        """The one that this process is in: of an `open_runtime`, else a single one."""
        if not (distributed.is_available() and distributed.is_initialized()):
            return cls(device)
        return cls(device, distributed.get_rank(), distributed.get_world_size())

    @property
    def is_first(self) -> bool:
        """Whether it is the one that writes and reports."""
        return self.rank == 0

    def seed(self, seed: int) -> None:
        """Seed the global generators of torch and numpy; every process draws other numbers."""
        first, second = np.random.SeedSequence([seed, self.rank]).generate_state(2)
        torch.manual_seed(int(first))
        np.random.seed(int(second))  # noqa: NPY002  # what others' code draws from

    def average(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors by their means over the processes; shapes have to agree, and the order.

        Args:
            tensors: of any floating types and shapes; changed in place, to the same bits in every process.
        """
        if self.world_size == 1:
            return
        buffer = torch.cat([tensor.detach().flatten() for tensor in tensors])
        distributed.all_reduce(buffer)
        means = buffer.div_(self.world_size).split([tensor.numel() for tensor in tensors])
        with torch.no_grad():
            for tensor, mean in zip(tensors, means, strict=True):
                tensor.copy_(mean.view_as(tensor))

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Replace tensors, of any types, by those of the first process, in place."""
        if self.world_size == 1 or not tensors:
            return
        own = [tensor.detach().contiguous().flatten().view(torch.uint8) for tensor in tensors]
        buffer = torch.cat(own)
        distributed.broadcast(buffer, src=0)
        with torch.no_grad():
            for tensor, part in zip(tensors, buffer.split([len(part) for part in own]), strict=True):
                tensor.copy_(part.clone().view(tensor.dtype).view(tensor.shape))

    def gather(self, tensor: Tensor) -> list[Tensor]:
        """The tensors of all processes, on the CPU, in the order of their ranks; of one shape."""
        if self.world_size == 1:
            return [tensor.cpu()]
        own = tensor.to(self.device)
        every = [torch.empty_like(own) for _ in range(self.world_size)]
        distributed.all_gather(every, own)
        return [part.cpu() for part in every]


@contextmanager
def open_runtime(device: str | None = None) -> Iterator[Runtime]:
    """This process's part in a training; under torchrun it meets the others here, and parts from them at the end.

    Args:
        device: cpu or cuda; by default a GPU where there is one. Each process of a machine takes a GPU of its own.

    Raises:
        InputError: the device is none of these, there are fewer GPUs than processes, or the environment isn't
            torchrun's.
    """
    place = device_of(device)
    if os.environ.get("WORLD_SIZE", "1") == "1":
        yield Runtime(place)
        return
    try:
        backend = "nccl" if place.type == "cuda" else "gloo"
        distributed.init_process_group(backend, timeout=timedelta(minutes=_PATIENCE_MIN))
    except ValueError as error:
        raise InputError(
            "processes", expected="torchrun's environment", got=str(error), advice="start them with torchrun"
        ) from error
    try:
        yield Runtime.current(place)
    finally:
        distributed.destroy_process_group()


def device_of(kind: str | None = None) -> torch.device:
    """The device of this process; a GPU becomes the one that torch computes on unless told otherwise.

    Args:
        kind: cpu or cuda; by default a GPU where there is one.

    Raises:
        InputError: it is none of these, or there is no GPU for this process.
    """
    kind = kind or ("cuda" if torch.cuda.is_available() else "cpu")
    if kind == "cpu":
        return torch.device("cpu")
    if kind != "cuda":
        raise InputError("device", expected="cpu or cuda", got=kind, advice="pick one, or leave it out")
    number, count = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= count:
        advice = "start fewer processes, or train on the CPU"
        raise InputError("device", expected="a GPU for each process", got=f"{count} in all", advice=advice)
    torch.cuda.set_device(number)
    return torch.device("cuda", number)
