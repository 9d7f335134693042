"""Training tumors as examples: outlined anew each time, mirrored, seen through the network's window. Synthetic."""

from dataclasses import dataclass, field

import numpy as np

from gliocast.cohort.atlas_tumors import AtlasTumor, TumorRanges, learning_anatomy
from gliocast.inference.morph_infer.scaling import Scaling
from gliocast.inference.morph_infer.window import Window, look, mirrored

#: Thresholds that are tried before a tumor is outlined by those that it was accepted with.
_MAX_DRAWS = 8


@dataclass(frozen=True, eq=False)
class Batch:
    """Examples for one step of training.

    Args:
        windows: float32 (batch, 3, x, y, z).
        moments: float32 (batch, num_moments).
        truth: scaled parameters, float32 (batch, num_outputs).
    """

    windows: np.ndarray
    moments: np.ndarray
    truth: np.ndarray


@dataclass(frozen=True, eq=False)
class Examples:
    """Draws batches from tumors; a batch depends on the seed and its number alone.

    Args:
        tumors: what there is to learn from.
        scaling: what is to be answered.
        batch_size: examples in a batch.
        seed: of the order, the thresholds and the mirrors.
        vary: whether tumors are outlined anew and mirrored; otherwise as they were accepted (for validation).
        ranges: of the thresholds and sizes.
    """

    tumors: list[AtlasTumor]
    scaling: Scaling
    batch_size: int = 32
    seed: int = 0
    vary: bool = True
    ranges: TumorRanges = field(default_factory=TumorRanges)

    def __getitem__(self, number: int) -> Batch:
        """Batch of a number; every tumor comes once before any comes again."""
        first = number * self.batch_size
        indices = [self._tumor(first + place) for place in range(self.batch_size)]
        generator = np.random.default_rng([self.seed, 1, number])
        parts = [self._example(self.tumors[index], generator) for index in indices]
        fields, moments, truth = (np.stack(part).astype(np.float32) for part in zip(*parts, strict=True))
        return Batch(fields, moments, truth)

    def _tumor(self, place: int) -> int:
        epoch, index = divmod(place, len(self.tumors))
        return int(np.random.default_rng([self.seed, 2, epoch]).permutation(len(self.tumors))[index])

    def _example(self, tumor: AtlasTumor, generator: np.random.Generator) -> tuple[np.ndarray, ...]:
        thresholds = self._thresholds(tumor, generator) if self.vary else tumor.thresholds
        window = see(tumor, thresholds)
        offset = tumor.seed - window.center
        flips = 1 - 2 * generator.integers(2, size=3) if self.vary else np.ones(3, int)
        fields, moments = mirrored(window, flips.tolist())
        offset = offset * flips
        return fields, moments, self.scaling.encode(tumor.growth, offset, thresholds)

    def _thresholds(self, tumor: AtlasTumor, generator: np.random.Generator) -> np.ndarray:
        density, anatomy = tumor.density, learning_anatomy()
        limits = (self.ranges.core_ml, self.ranges.whole_ml)
        for _ in range(_MAX_DRAWS):
            _, drawn = self.ranges.draw(generator)
            volumes = [np.count_nonzero(density > level) * anatomy.grid.voxel_ml for level in drawn]
            if all(low <= volume <= high for volume, (low, high) in zip(volumes, limits, strict=True)):
                return drawn
        return tumor.thresholds


def see(tumor: AtlasTumor, thresholds: np.ndarray) -> Window:
    """A tumor outlined at two densities, as the network sees it."""
    anatomy = learning_anatomy()
    whole = np.zeros(anatomy.grid.shape, np.float32)
    core = np.zeros_like(whole)
    core[tumor.box.slices], whole[tumor.box.slices] = (tumor.density > level for level in thresholds)
    return look(core, whole, anatomy.white_matter, anatomy.gray_matter, anatomy.grid)
