"""What references say of two outlines, in numbers, and the coordinates that an answer to them has."""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from gliocast.inference.morph_infer.levels import Levels

#: log(travel / radius), log(width), offset of the seed (3), logits of both thresholds.
NUM_ANSWERS = 7


@dataclass(frozen=True, eq=False)
class Impression:
    """What references say of two outlines.

    Args:
        scalars: the same however a head is turned, (num_scalars,), float32.
        vectors: along R, A and S, (num_vectors, 3), float32.
        center: middle of the core, world coordinates [mm, RAS], (3,).
        radius: of the ball that is as large as the whole tumor [mm].
        origin: coordinates of the answer that this look went out from, (7,); zeros for a first look.
        levels: where the references' densities stand on the surfaces.
    """

    scalars: np.ndarray
    vectors: np.ndarray
    center: np.ndarray
    radius: float
    origin: np.ndarray
    levels: Levels


def coordinates(point: np.ndarray, center: np.ndarray, radius: float) -> np.ndarray:
    """Of a tumor relative to the outlines that are seen of it, so that little is left to learn, (7,).

    Args:
        point: sqrt(D_w T) [mm], sqrt(rho T) [1], seed x, y, z [mm, RAS], thresholds of T1c and FLAIR [1], (7,).
        center: middle of the core [mm, RAS], (3,).
        radius: of the whole tumor [mm].
    """
    length, number = point[:2]
    growth = np.log([length * number / radius, length / number])
    return np.concatenate([growth, (point[2:5] - center) / radius, logit(point[5:])])


def encode(impression: Impression, point: np.ndarray) -> np.ndarray:
    """What a network should answer to an impression of a tumor whose `point` is known, see `coordinates`, (7,)."""
    return coordinates(point, impression.center, impression.radius) - impression.origin


def decode(answer: np.ndarray, impression: Impression) -> np.ndarray:
    """Length [mm], number [1], seed [mm, RAS] and thresholds [1], the inverse of `encode`, (..., 7)."""
    whole = answer + impression.origin
    travel, width = impression.radius * np.exp(whole[..., 0]), np.exp(whole[..., 1])
    seed = impression.center + impression.radius * whole[..., 2:5]
    growth = np.stack([np.sqrt(travel * width), np.sqrt(travel / width)], axis=-1)
    return np.concatenate([growth, seed, expit(whole[..., 5:])], axis=-1)
