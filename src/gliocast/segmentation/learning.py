"""What training the segmentation network takes: windows by number, weights of classes, figures of a validation."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from gliocast.segmentation.augment import Augmentation, augmented
from gliocast.segmentation.classes import CLASSES, NUM_PLAIN, NUM_WITH_BRAIN, REGION_CLASSES
from gliocast.segmentation.examples import ExampleFolder
from gliocast.segmentation.losses import inverse_frequency_weights
from gliocast.segmentation.recipe import SegmentationTraining


@dataclass(frozen=True, eq=False)
class Windows:
    """Micro-batches by number; each depends on the seed and its number alone."""

    training: SegmentationTraining
    examples: ExampleFolder
    names: Sequence[str]

    def __call__(self, number: int) -> tuple[Tensor, Tensor]:
        """Windows (batch, 4, edge, edge, edge) and their classes (batch, edge, edge, edge)."""
        size = self.training.batch_size
        pairs = [self._window(number * size + place) for place in range(size)]
        scans, classes = zip(*pairs, strict=True)
        return torch.stack(scans), torch.stack(classes)

    def _window(self, index: int) -> tuple[Tensor, Tensor]:
        """Every patient once before one comes again, in another order each time."""
        epoch, place = divmod(index, len(self.names))
        order = np.random.default_rng([self.training.seed, 1, epoch]).permutation(len(self.names))
        example = self.examples.read(self.names[order[place]])
        generator = np.random.default_rng([self.training.seed, 2, index])
        edge = self.training.edge
        center = example.middle if self.training.crop == "center" else example.place(edge, generator)
        scans, classes = augmented(
            example.scans,
            example.classes,
            center=center,
            edge=edge,
            augmentation=self.training.augmentation,
            generator=generator,
        )
        return scans, _told_apart(classes, self.training.network.num_classes)


def _told_apart(classes: Tensor, num_classes: int) -> Tensor:
    """Classes of a network; healthy brain is background where it isn't one of them."""
    return classes if num_classes == NUM_WITH_BRAIN else classes * (classes < NUM_PLAIN)


def class_weights(training: SegmentationTraining, examples: ExampleFolder, names: Sequence[str]) -> Tensor | None:
    """Weights of the classes in the cross-entropy, (num_classes,); None where all are the same or there is none."""
    if not (training.beta and training.weighted):
        return None
    counts = np.zeros(len(CLASSES))
    for name in names:
        example = examples.read(name)
        counts += np.bincount(example.classes.numpy().ravel(), minlength=len(CLASSES))
        counts[0] += np.prod(example.shape) - example.classes.numel()
    if training.network.num_classes == NUM_PLAIN:
        counts = np.array([counts[0] + counts[NUM_PLAIN], *counts[1:NUM_PLAIN]])
    return inverse_frequency_weights(torch.from_numpy(counts))


@torch.inference_mode()
def validate(
    network: nn.Module,
    training: SegmentationTraining,
    examples: ExampleFolder,
    names: Sequence[str],
    device: torch.device,
) -> dict[str, float]:
    """Dice of WT, TC and ET over windows around the middle of patients held back, and the mean of the three.

    It has the smoothing of the loss: by the rules of BraTS a few false voxels in a patient without enhancement would
    decide the mean, and so which weights are kept.
    """
    rows = []
    for name in names:
        example = examples.read(name)
        scans, classes = augmented(
            example.scans,
            example.classes,
            center=example.middle,
            edge=training.edge,
            augmentation=Augmentation.none(),
            generator=np.random.default_rng(0),
        )
        found = network(scans[None].to(device))[0].argmax(dim=0).cpu()
        regions = [(np.isin(found, part), np.isin(classes, part)) for part in REGION_CLASSES.values()]
        rows.append([_smoothed_dice(seen, there, training.smoothing) for seen, there in regions])
    means = np.mean(rows, axis=0)
    return {**dict(zip(REGION_CLASSES, means.tolist(), strict=True)), "dice": float(means.mean())}


def _smoothed_dice(a: np.ndarray, b: np.ndarray, smoothing: float) -> float:
    """(2 |a and b| + eps) / (|a| + |b| + eps) [1]; eps in voxels."""
    common, sizes = np.count_nonzero(a & b), np.count_nonzero(a) + np.count_nonzero(b)
    return float((2 * common + smoothing) / (sizes + smoothing))
