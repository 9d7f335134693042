"""Training: one small loop that knows no loss and no data, and its checkpoint."""

from gliocast.train.checkpoint import load_checkpoint, save_checkpoint
from gliocast.train.loop import TrainOptions, train

__all__ = ["TrainOptions", "load_checkpoint", "save_checkpoint", "train"]
