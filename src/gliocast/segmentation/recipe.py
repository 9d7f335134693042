"""How the segmentation network is trained: recipes by name, the paper's among them."""

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from gliocast.core import InputError
from gliocast.segmentation.augment import Augmentation
from gliocast.segmentation.classes import NUM_WITH_BRAIN
from gliocast.segmentation.losses import SMOOTHING
from gliocast.segmentation.unet import DEEPER_CHANNELS, UNetConfig
from gliocast.train import TrainOptions

Crop = Literal["center", "anywhere"]


@dataclass(frozen=True)
class SegmentationTraining:
    """What to train, and how; the defaults are those of the paper.

    Args:
        network: size and kind.
        edge: of the windows [voxels].
        crop: where windows lie: around the middle of the scans, or anywhere over the brain.
        augmentation: what is done to them.
        beta: weight of the cross-entropy beside the soft Dice loss [1].
        weighted: whether classes count in the cross-entropy by the inverse of their frequency.
        smoothing: of the soft Dice loss; with some hundred it tells classes that are seen and aren't there [voxels].
        batch_size: windows in a micro-batch.
        epochs: times that every patient is seen; a step takes `optimization.accumulate` micro-batches.
        held_share: of the patients, to validate on [1].
        seed: of split, network and windows.
        optimization: rates, and the number of steps where `epochs` is 0.
    """

    network: UNetConfig = field(default_factory=UNetConfig)
    edge: int = 128
    crop: Crop = "center"
    augmentation: Augmentation = field(default_factory=Augmentation)
    beta: float = 0.0
    weighted: bool = True
    smoothing: float = SMOOTHING
    batch_size: int = 2
    epochs: int = 30
    held_share: float = 0.2
    seed: int = 0
    optimization: TrainOptions = field(
        default_factory=lambda: TrainOptions(
            num_steps=1, learning_rate=1e-4, final_rate=0.5, warm_up=0.0, weight_decay=1e-3, accumulate=2
        )
    )

    def __post_init__(self) -> None:
        if (
            min(self.edge, self.batch_size) < 1
            or min(self.epochs, self.seed) < 0
            or self.beta < 0
            or self.smoothing <= 0
            or self.edge % self.network.multiple
            or self.crop not in get_args(Crop)
        ):
            raise InputError(
                "training",
                expected=f"positive counts, windows in multiples of {self.network.multiple}, a crop of "
                + ", ".join(get_args(Crop)),
                got=f"{self}",
                advice="use the defaults",
            )

    @classmethod
    def of_size(cls, size: str) -> "SegmentationTraining":
        """A recipe by name: "printed", "deeper", or "small", which two cores can train."""
        if size == "printed":
            return cls()
        if size == "deeper":
            return cls(network=UNetConfig(channels=DEEPER_CHANNELS))
        if size == "small":
            rates = TrainOptions(
                num_steps=4500, learning_rate=1e-3, final_rate=0.01, weight_decay=1e-3, clip=1.0, mixed_precision=True
            )
            return cls(
                network=UNetConfig(channels=(16, 32, 64, 128, 128), patch=2),
                crop="anywhere",
                augmentation=Augmentation(noise=0.2, field=0.3, vessels=0.5),
                beta=0.5,
                weighted=False,
                smoothing=100.0,
                batch_size=1,
                epochs=0,
                held_share=0.1,
                optimization=rates,
            )
        raise InputError("size", expected="printed, deeper or small", got=size, advice="pick one")

    def with_brain(self) -> "SegmentationTraining":
        """The same, with healthy brain as a class of its own."""
        return replace(self, network=replace(self.network, num_classes=NUM_WITH_BRAIN))

    def num_steps(self, num_patients: int, world_size: int = 1) -> int:
        """Steps of the optimizer."""
        if not self.epochs:
            return self.optimization.num_steps
        taken = self.batch_size * self.optimization.accumulate * world_size
        return max(1, round(self.epochs * num_patients / taken))
