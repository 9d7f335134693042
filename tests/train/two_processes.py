"""What each process of `test_runtime` does: torchrun two_processes.py FOLDER."""

import sys
from pathlib import Path

import torch
from torch import nn

from gliocast.core import ConvergenceError, InputError
from gliocast.train import TrainOptions, open_runtime, train

NUM_STEPS = 12


class Unused(nn.Module):
    """A layer beside one that no loss depends on, and one that only odd micro-batches use."""

    def __init__(self):
        super().__init__()
        self.used, self.unused, self.odd = nn.Linear(2, 8), nn.Linear(2, 8), nn.Linear(2, 8)

    def forward(self, points, number):
        hidden = self.used(points)
        return torch.tanh(hidden + self.odd(points) if number % 2 else hidden).sum(dim=1)


def points_of(number):
    return torch.randn(16, 2, generator=torch.Generator().manual_seed(number))


def losses(net, number):
    points = points_of(number)
    error = net(points, number) - points[:, 0]
    return {"squared": error.square().mean(), "absolute": 0.1 * error.abs().mean()}


def plain(folder, *, accumulate, **choices):
    options = TrainOptions(num_steps=NUM_STEPS, learning_rate=1e-2, accumulate=accumulate)
    torch.manual_seed(0)
    network = Unused()
    if accumulate == 1 and choices["rank"] == 1:
        nn.init.zeros_(network.used.weight)  # the first process's weights have to replace these
    train(network, losses, options=options, folder=folder, key="a", validate_every=6, progress=choices.get("progress"))
    return dict(network.state_dict())


def random(folder, runtime, *, last=None):
    """A network that drops units and has running statistics; interrupted after a step."""

    def drawn(net, number):
        if number // runtime.world_size == last:
            raise KeyboardInterrupt
        points = points_of(number)
        return {"squared": (net(points)[:, 0] - points[:, 0]).square().mean()}

    runtime.seed(5)
    network = nn.Sequential(nn.Linear(2, 8), nn.Dropout(0.5), nn.BatchNorm1d(8), nn.Linear(8, 1))
    options = TrainOptions(num_steps=NUM_STEPS, checkpoint_every_s=0.0)
    return dict(train(network, drawn, options=options, folder=folder, key="a").state_dict())


def main(folder):
    with open_runtime("cpu") as runtime:
        found = {"drawn": None, "told": 0}

        def count(share, smooth):
            found["told"] += 1

        found["weights"] = plain(folder / "plain", accumulate=1, rank=runtime.rank, progress=count)
        runtime.seed(5)
        found["drawn"] = float(torch.rand(1))
        found["whole"] = random(folder / "whole", runtime)
        try:
            random(folder / "parts", runtime, last=7)
        except KeyboardInterrupt:
            torch.rand(3)
        found["resumed"] = random(folder / "parts", runtime)

        def broken(net, number):
            parts = losses(net, number)
            return {name: part * (float("nan") if number == 7 else 1.0) for name, part in parts.items()}

        try:
            train(Unused(), broken, options=TrainOptions(num_steps=9), folder=folder / "broken", key="a")
        except ConvergenceError as error:
            found["said"] = str(error)
        try:
            random(folder / ("whole" if runtime.is_first else "elsewhere"), runtime)
        except InputError as error:
            found["apart"] = str(error)
        asked = []

        def validate(net):
            asked.append(net.used.bias.clone())
            return {"dice": float(len(asked) if runtime.rank == 1 else -len(asked))}

        chosen = train(
            Unused(),
            losses,
            options=TrainOptions(num_steps=NUM_STEPS),
            folder=folder / "best",
            key="a",
            validate=validate,
            validate_every=6,
            select="dice",
        )
        found["best"] = 6 * (1 + [torch.equal(chosen.used.bias, bias) for bias in asked].index(True))
        found["tensorboard"] = "torch.utils.tensorboard" in sys.modules
        torch.save(found, folder / f"rank-{runtime.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
