"""Vessels painted into training images: bright where contrast agent flows, dark on T2 and FLAIR, and never tumor.

Digital patients have no vessels. A network that has seen none takes the sinuses of a real patient, the brightest there
is on T1c, for enhancing tumor. So tubes are drawn along the surface of the brain and through fluid, from the width of a
vein to that of a sinus.
"""

import numpy as np
import torch
from torch import Tensor

from gliocast.core import bounding_box

#: Tubes in an image, at most [1]; steps of one, least and most [1]; length of a step [voxels].
_MOST, _STEPS, _STRIDE = 8, (4, 45), 1.5

#: Radius, least and largest, log-uniform [voxels].
_RADIUS = (0.8, 4.0)

#: Gray values of T1, T1c, T2 and FLAIR in them, least and largest, in those of the brightest tissue [1].
_VALUES = np.array([(0.3, 0.9), (0.8, 1.5), (0.05, 0.5), (0.05, 0.7)])

#: Places that are looked at for a beginning, and directions for a step [1]; how much a tube turns in a step [1].
_PLACES, _DIRECTIONS, _TURN = 600, 5, 0.35

#: The surface is nearer than this to the background [voxels]; fluid is darker on T1 than this [1].
_NEAR, _DARK = 3, 0.3

#: Number of the class of healthy brain.
_HEALTHY = 4


def paint_vessels(scans: Tensor, classes: Tensor, generator: np.random.Generator) -> Tensor:
    """Scans with vessels where the brain is healthy.

    Args:
        scans: T1, T1c, T2 and FLAIR, scaled, (4, x, y, z), float32.
        classes: with healthy brain, (x, y, z), uint8.
        generator: source of randomness.
    """
    t1, labels = scans[0].numpy(), classes.numpy()
    starts = _places(t1, labels, generator)
    share = np.zeros(labels.shape, np.float32)
    for start in starts[: int(generator.integers(1, _MOST + 1))]:
        radius = float(np.exp(generator.uniform(*np.log(_RADIUS))))
        _paint(share, _walk(start, t1, labels, generator), radius)
    share *= labels == _HEALTHY
    values = torch.from_numpy(generator.uniform(*_VALUES.T)).float()[:, None, None, None]
    if not share.any():
        return scans
    box = bounding_box(share > 0).slices
    opaque, painted = torch.from_numpy(share[box]), scans.clone()
    painted[(slice(None), *box)] = painted[(slice(None), *box)] * (1 - opaque) + values * opaque
    return painted


def _places(t1: np.ndarray, labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Some voxels at the surface of healthy brain or in fluid, (num, 3)."""
    places = generator.integers(0, labels.shape, (_PLACES, 3))
    return places[[_fits(place, t1, labels) for place in places]]


def _fits(place: np.ndarray, t1: np.ndarray, labels: np.ndarray) -> bool:
    x, y, z = place
    if labels[x, y, z] != _HEALTHY:
        return False
    if t1[x, y, z] < _DARK:
        return True
    near = (slice(max(a - _NEAR, 0), a + _NEAR + 1, _NEAR) for a in (x, y, z))
    return bool((labels[tuple(near)] == 0).any())


def _walk(start: np.ndarray, t1: np.ndarray, labels: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """A winding way along surface and fluid as long as there is one, (num, 3)."""
    place, direction = start.astype(float), _unit(generator.standard_normal(3))
    way = [place]
    for _ in range(int(generator.integers(*_STEPS))):
        turns = generator.standard_normal((_DIRECTIONS, 3))
        for turn in turns:
            ahead = _unit(direction + _TURN * turn)
            there = np.rint(place + _STRIDE * ahead).astype(int)
            if (there >= 0).all() and (there < labels.shape).all() and _fits(there, t1, labels):
                place, direction = place + _STRIDE * ahead, ahead
                way.append(place)
                break
        else:
            break
    return np.array(way)


def _paint(share: np.ndarray, way: np.ndarray, radius: float) -> None:
    """Balls along a way, with an edge of one voxel."""
    reach = int(np.ceil(radius)) + 1
    for place in way:
        lower = np.maximum(np.rint(place).astype(int) - reach, 0)
        upper = np.minimum(np.rint(place).astype(int) + reach + 1, share.shape)
        box = tuple(slice(a, b) for a, b in zip(lower, upper, strict=True))
        axes = np.ogrid[box]
        away = np.sqrt(sum((axis - at) ** 2 for axis, at in zip(axes, place, strict=True)))
        np.maximum(share[box], np.clip(radius + 0.5 - away, 0, 1), out=share[box])


def _unit(vector: np.ndarray) -> np.ndarray:
    return np.asarray(vector / np.linalg.norm(vector))
