"""How to train."""

import math
from dataclasses import dataclass

from gliocast.core import InputError


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
        checkpoint_every_s: time between checkpoints [s].
        accumulate: micro-batches in a step, for each process, whose gradients are averaged.
        patience: validations without improvement that end a run early; None for never.
        tensorboard: whether the log is written for TensorBoard, too.
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
    accumulate: int = 1
    patience: int | None = None
    tensorboard: bool = False

    def __post_init__(self) -> None:
        if self.num_steps < 1 or self.learning_rate <= 0 or not 0 <= self.averaging < 1:
            raise InputError(
                "training", expected="positive steps and rate", got=f"{self}", advice="begin with the defaults"
            )
        if self.accumulate < 1 or (self.patience is not None and self.patience < 1):
            raise InputError(
                "training",
                expected="one micro-batch and one validation at least",
                got=f"accumulate={self.accumulate}, patience={self.patience}",
                advice="begin with the defaults",
            )

    def rate(self, step: int) -> float:
        """Learning rate of a step."""
        warm = max(1, round(self.warm_up * self.num_steps))
        if step < warm:
            return self.learning_rate * (step + 1) / warm
        share = (step - warm) / max(1, self.num_steps - warm)
        floor = self.final_rate
        return self.learning_rate * (floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * share)))
