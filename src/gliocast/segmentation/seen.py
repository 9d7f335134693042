"""A study as the network sees it, in training and afterwards: turned into its frame, scaled in the brain."""

import numpy as np
import torch
from torch import Tensor

from gliocast.core import MODALITIES, InputError, Study
from gliocast.segmentation.frame import Frame
from gliocast.segmentation.intensities import scaled


def in_frame(study: Study) -> tuple[Tensor, Tensor, Frame]:
    """Scans, brain and the frame that both are in.

    Returns:
        t1, t1c, t2 and flair, scaled, zero outside of the brain, (4, x, y, z), float32; bool, (x, y, z).

    Raises:
        InputError: the brain mask or a scan is empty.
    """
    frame = Frame.of(study.grid)
    data = np.stack([np.asarray(study.volumes[name].data, np.float32) for name in MODALITIES])
    brain = frame.enter(torch.from_numpy(study.brain[None].astype(np.float32)), "nearest")[0] > 0.5
    if not bool(brain.any()):
        raise InputError("brain mask", expected="a brain", got="none", advice="check the scans")
    return scaled(frame.enter(torch.from_numpy(data)), brain), brain, frame
