r"""What averages over blocks don't show of an image, as a few numbers of each channel.

With voxels v_i at places r_i, of which w_i = max(v_i, 0) has mass:

- noise,  ln median |v_i - v_j|  over neighbors that both aren't zero: what voxels differ by from each other. Averages
  over a block take it away, and a tumor's edge, where few voxels lie, doesn't enter a median. Inside an outline voxels
  don't differ, so this is one constant for all outlines;
- burden,  arsinh sum v_i;
- center  r = sum w_i^2 r_i / sum w_i^2  and log-variances  ln(1 + sum w_i^2 (r_i - r)^2 / sum w_i^2)  along the axes:
  the square leaves a tumor its place in a noisy image;
- the mean of each other channel where this one is, sum_i w_i u_i / (1 + sum_i w_i), say of PET inside an outline.

Multiplicative parameters act on logarithms additively; a network that sees both needn't learn to take them.
"""

import numpy as np

from gliocast.core.box import Box, bounding_box

#: What is added to a noise before its logarithm is taken [units of the image]: rounding of single precision.
_LEAST_NOISE = 1e-6

#: Images have their three spatial axes last, behind one axis for the channels; numbers that each channel has by itself:
#: noise, burden, center and widths along three axes.
_IMAGE_AXES, _NUM_OWN = 4, 8


class Traits:
    """Numbers of an image, (channels, x, y, z); anything else has none.

    Args:
        shape: of one observation.
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        channels = shape[0] if len(shape) == _IMAGE_AXES else 0
        self.count = channels * (_NUM_OWN + channels - 1)
        self._extents = np.maximum(np.array(shape[1:]) - 1, 1)

    def __call__(self, observation: np.ndarray) -> np.ndarray:
        """Traits of one observation, (count,) float32."""
        if not self.count:
            return np.zeros(0, dtype=np.float32)
        anything = np.asarray(observation.any(axis=0))
        part = bounding_box(anything) if anything.any() else Box((0, 0, 0), (1, 1, 1))  # what is zero adds nothing
        images = observation[:, *part.slices].astype(np.float32)
        own = [number for image in images for number in (_noise(image), *self._mass(image, part))]
        return np.array([*own, *_shared(images)], dtype=np.float32)

    def _mass(self, image: np.ndarray, part: Box) -> list[float]:
        """Burden, center [extents of the whole image, from its middle] and log-variances [voxels^2] along the axes."""
        squares = np.square(np.maximum(image, 0))
        total = max(float(squares.sum(dtype=np.float64)), 1.0)
        centers, widths = [], []
        for axis, extent in enumerate(self._extents):
            others = tuple(n for n in range(3) if n != axis)
            profile = squares.sum(axis=others, dtype=np.float64) / total
            places = np.arange(part.lower[axis], part.upper[axis]) - extent / 2
            center = float(profile @ places)
            centers.append(center / extent)
            widths.append(float(np.log1p(profile @ (places - center) ** 2)))
        return [float(np.arcsinh(image.sum(dtype=np.float64))), *centers, *widths]


def _noise(image: np.ndarray) -> float:
    """Logarithm of the median difference of neighbors along the last axis, among voxels that aren't zero."""
    before, after = image[..., :-1], image[..., 1:]
    both = (before != 0) & (after != 0)
    steps = np.abs(after[both] - before[both])
    return float(np.log(_LEAST_NOISE + (np.median(steps) if steps.size else 0.0)))


def _shared(images: np.ndarray) -> list[float]:
    """Mean of each channel where each other one is, pair after pair."""
    flat = images.reshape(len(images), -1)
    mass = np.maximum(flat, 0)
    means = (mass @ flat.T) / (1 + mass.sum(axis=1, keepdims=True))
    return means[~np.eye(len(images), dtype=bool)].tolist()
