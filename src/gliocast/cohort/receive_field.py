"""The smooth field that a scanner's receiver multiplies images with. Synthetic."""

import numpy as np

from gliocast.core import Grid

#: Waves that a field is made of [1].
_NUM_WAVES = 4


def receive_field(grid: Grid, length_mm: float, generator: np.random.Generator) -> np.ndarray:
    """A smooth field of mean zero and unit variance: a few plane waves in random directions, float32.

    Args:
        grid: where.
        length_mm: over which a wave turns by one radian [mm].
        generator: source of randomness.
    """
    index = np.ogrid[tuple(slice(0, n) for n in grid.shape)]
    field = np.zeros(grid.shape, dtype=np.float32)
    for _ in range(_NUM_WAVES):
        direction = generator.standard_normal(3)
        direction /= np.linalg.norm(direction) * length_mm
        steps = (direction * grid.spacing).astype(np.float32)
        phase = np.float32(generator.uniform(0, 2 * np.pi))
        angle = sum(step * place.astype(np.float32) for step, place in zip(steps, index, strict=True))
        field += np.sin(angle + phase)
    return field / np.float32(np.sqrt(_NUM_WAVES / 2))
