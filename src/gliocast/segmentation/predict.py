"""A trained network on whole scans: windows that overlap, mirrored views, the grid and the labels of the patient."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from gliocast.core import SCHEMAS, Box, LabelMap, LabelSchema, Study, bounding_box
from gliocast.segmentation.classes import labels_of
from gliocast.segmentation.frame import Frame
from gliocast.segmentation.intensities import standardized
from gliocast.segmentation.seen import in_frame
from gliocast.segmentation.specks import Specks
from gliocast.segmentation.unet import UNet

#: Neighboring windows overlap by this share of their edge [1].
_OVERLAP = 0.25

#: Width of the border around the brain's box that windows see [voxels].
_MARGIN = 2


@dataclass(frozen=True, eq=False)
class Segmenter:
    """Segments scans with a trained network.

    Args:
        network: with its weights.
        edge: of the windows that it was taught with [voxels].
        mirrored: whether left and right are exchanged as well, and both answers averaged.
        device: that it computes on.
        specks: what is too small to be shown.
    """

    network: UNet
    edge: int
    mirrored: bool = True
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    specks: Specks = field(default_factory=Specks)

    def segment(
        self,
        study: Study,
        *,
        schema: LabelSchema = SCHEMAS["brats-2021"],
        progress: Callable[[float], None] | None = None,
    ) -> LabelMap:
        """The tumor in skull-stripped scans, on their grid.

        Args:
            study: the scans.
            schema: of the labels.
            progress: called with the share that is done.

        Raises:
            InputError: a scan is empty.
        """
        classes = self.specks.removed(self.classes(study, progress=progress), study.grid.voxel_volume)
        return LabelMap(labels_of(classes, schema), study.grid, schema)

    def classes(self, study: Study, *, progress: Callable[[float], None] | None = None) -> np.ndarray:
        """Likeliest class of every voxel of the brain, specks included, uint8, shape of the grid; as `segment`."""
        classes = self.probabilities(study, progress=progress).argmax(axis=0).astype(np.uint8)
        classes[~study.brain] = 0
        return classes

    def probabilities(self, study: Study, *, progress: Callable[[float], None] | None = None) -> np.ndarray:
        """Probability of each class, (num_classes, *grid.shape), float32; as `segment`."""
        seen, box, frame = _seen(study)
        answer = self._answer(seen, progress)
        whole = torch.zeros((len(answer), *frame.shape))
        whole[0] = 1
        whole[(slice(None), *box.slices)] = answer
        return frame.leave(whole, study.grid).numpy()

    @torch.inference_mode()
    def features(self, study: Study) -> Tensor:
        """The deepest features of a study, seen as a whole; (channels, x', y', z')."""
        seen, *_ = _seen(study)
        return self.network.bottleneck(self._padded(seen)[None].to(self.device))[0].cpu()

    @torch.inference_mode()
    def _answer(self, scans: Tensor, progress: Callable[[float], None] | None) -> Tensor:
        """Probabilities of standardized scans, averaged over windows and mirrors."""
        from monai.inferers import sliding_window_inference  # takes seconds to import

        padded, views = self._padded(scans), [(), (1,)] if self.mirrored else [()]
        total = len(views) * _num_windows(padded.shape[1:], self.edge)
        done = 0

        def look(window: Tensor) -> Tensor:
            nonlocal done
            seen = self.network(window.to(self.device)).float().softmax(dim=1).cpu()
            done += 1
            if progress is not None:
                progress(min(1.0, done / total))
            return seen

        sums = [
            sliding_window_inference(
                padded.flip(view)[None], (self.edge,) * 3, 1, look, overlap=_OVERLAP, mode="gaussian"
            )[0].flip(view)
            for view in views
        ]
        mean = torch.stack(sums).mean(dim=0)
        x, y, z = scans.shape[1:]
        return mean[:, :x, :y, :z]

    def _padded(self, scans: Tensor) -> Tensor:
        """With zeros behind, so that edges are multiples of what the network needs, and a window fits."""
        multiple = self.network.config.multiple
        sizes = [max(self.edge, -(-size // multiple) * multiple) for size in scans.shape[1:]]
        ends = [part for size, old in zip(sizes[::-1], scans.shape[:0:-1], strict=True) for part in (0, size - old)]
        return functional.pad(scans, ends)


def _seen(study: Study) -> tuple[Tensor, Box, Frame]:
    """Standardized scans around the brain in the frame of the network, where that lies, and the frame."""
    scans, brain, frame = in_frame(study)
    box = bounding_box(brain.numpy()).grown((_MARGIN,) * 3, frame.shape)
    return standardized(scans[(slice(None), *box.slices)], brain[box.slices]), box, frame


def _num_windows(shape: tuple[int, ...], edge: int) -> int:
    step = max(1, int(edge * (1 - _OVERLAP)))
    counts = [1 if size <= edge else -(-(size - edge) // step) + 1 for size in shape]
    return int(np.prod(counts))
