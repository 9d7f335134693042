"""Training: one small loop that knows no loss and no data, its checkpoint, its feed, and files of weights."""

from gliocast.train.checkpoint import load_checkpoint, save_checkpoint
from gliocast.train.feed import Feed
from gliocast.train.loop import train
from gliocast.train.options import TrainOptions
from gliocast.train.runtime import Runtime, device_of, open_runtime
from gliocast.train.weights_file import not_weights, read_weights, refuse_weights, write_weights

__all__ = [
    "Feed",
    "Runtime",
    "TrainOptions",
    "device_of",
    "load_checkpoint",
    "not_weights",
    "open_runtime",
    "read_weights",
    "refuse_weights",
    "save_checkpoint",
    "train",
    "write_weights",
]
