"""Training images made from one patient's scans: turned, bent, dimmed, with vessels; each from its own seed.

Flips, turns, scales, shifts and elastic deformations are one map from the places of a window to those of the scans, so
that everything is interpolated once, whatever is done. A field of the receive coil is a polynomial that is evaluated on
a coarse lattice. Both cost a fraction of a second for four scans of 128^3 (`benchmarks/augmentation.py`), which the
paper had to do without.

Source: Colle, Brain Tumor Segmentation and Survival Prediction, Section 3.1.2, for the ranges.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
from scipy import ndimage
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional

from gliocast.segmentation.intensities import standardized
from gliocast.segmentation.vessels import paint_vessels

#: Points of the lattice that a receive field is evaluated on along each axis, before it is interpolated; order of its
#: polynomial [1].
_FIELD_POINTS, _FIELD_ORDER = 17, 3

#: Parts that the way from one control point of a deformation to the next is cut into [1].
_BETWEEN = 5


@dataclass(frozen=True)
class Augmentation:
    """How far training images differ from scans; probabilities and ranges [1] unless stated.

    Args:
        flip: probability of left and right exchanged.
        affine: probability of a scale, a turn and a shift.
        scale: least and largest.
        turn: largest about each axis [degrees].
        shift: largest along each axis [voxels].
        gamma: probability of a bent contrast, for each scan, ...
        log_gamma: ... and the largest logarithm of its exponent.
        elastic: probability of an elastic deformation, ...
        elastic_points: ... control points inside the window along each axis, and ...
        elastic_size: ... the largest displacement of one [voxels].
        field: probability of a receive field, for each scan, ...
        field_size: ... and the largest coefficient of its polynomial's logarithm.
        vessels: probability of painted vessels, see `paint_vessels`.
        noise: probability of noise, for each scan, ...
        noise_size: ... and its largest standard deviation, relative to the brain's.
    """

    flip: float = 0.5
    affine: float = 1 / 3
    scale: tuple[float, float] = (0.6, 1.4)
    turn: float = 15.0
    shift: float = 5.0
    gamma: float = 1.0
    log_gamma: float = 0.3
    elastic: float = 0.2
    elastic_points: int = 5
    elastic_size: float = 7.5
    field: float = 0.2
    field_size: float = 0.3
    vessels: float = 0.0
    noise: float = 0.0
    noise_size: float = 0.2

    @classmethod
    def printed(cls) -> "Augmentation":
        """As in the paper: neither elastic deformations nor receive fields."""
        return cls(elastic=0.0, field=0.0)

    @classmethod
    def none(cls) -> "Augmentation":
        """Nothing but standardized scans."""
        return cls(flip=0.0, affine=0.0, gamma=0.0, elastic=0.0, field=0.0)


def augmented(
    scans: Tensor,
    classes: Tensor,
    *,
    center: np.ndarray,
    edge: int,
    augmentation: Augmentation,
    generator: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """A window around a place in scans, with what is drawn done to it, standardized in the brain.

    Args:
        scans: scaled, zero outside of the brain, (num, x, y, z), any floating point.
        classes: (x, y, z), uint8; zero outside of the brain.
        center: middle of the window [voxels], (3,).
        edge: of the window [voxels].
        augmentation: what may be done.
        generator: source of randomness.

    Returns:
        (num, edge, edge, edge), float32, and (edge, edge, edge), uint8.
    """
    window, labels = _placed(scans, classes, center, edge, augmentation, generator)
    brain = labels > 0
    if not bool(brain.any()):
        return torch.zeros_like(window), labels
    if generator.uniform() < augmentation.vessels:
        window = paint_vessels(window, labels, generator)
    for scan in window:
        if generator.uniform() < augmentation.gamma:
            exponent = float(np.exp(generator.uniform(-1, 1) * augmentation.log_gamma))
            scan.copy_(scan.clamp_min(0) ** exponent)
        if generator.uniform() < augmentation.field:
            scan.mul_(receive_field(edge, augmentation.field_size, generator))
    window = standardized(window, brain)
    for scan in window:
        if generator.uniform() < augmentation.noise:
            size = generator.uniform() * augmentation.noise_size
            noise = generator.standard_normal(scan.shape, dtype=np.float32)
            scan.add_(torch.from_numpy(noise) * brain, alpha=size)
    return window, labels


def _placed(
    scans: Tensor,
    classes: Tensor,
    center: np.ndarray,
    edge: int,
    augmentation: Augmentation,
    generator: np.random.Generator,
) -> tuple[Tensor, Tensor]:
    """The window, cut out where shapes stay as they are, else interpolated once."""
    flip = generator.uniform() < augmentation.flip
    matrix, shift = np.eye(3), np.zeros(3)
    turned = generator.uniform() < augmentation.affine
    if turned:
        angles = generator.uniform(-augmentation.turn, augmentation.turn, 3)
        matrix = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() / generator.uniform(*augmentation.scale)
        shift = generator.uniform(-augmentation.shift, augmentation.shift, 3)
    bent = generator.uniform() < augmentation.elastic
    if not turned and not bent:
        lower = np.floor(center - (edge - 1) / 2).astype(int)
        window, labels = cut(scans, lower, edge).float(), cut(classes[None], lower, edge)[0]
        return (window.flip(1), labels.flip(0)) if flip else (window, labels)
    control = _lattice(edge, augmentation.elastic_points)
    if bent:
        control = control + _displacements(augmentation, generator)
    if flip:
        control = control * np.array([-1.0, 1.0, 1.0])[:, None, None, None]
    there = np.einsum("ij,jxyz->ixyz", matrix, control) + (center + shift)[:, None, None, None]
    relative = (2 * there + 1) / np.array(classes.shape)[:, None, None, None] - 1
    coarse = torch.from_numpy(relative[::-1].copy()).float()[None]  # grid_sample's axes are the other way round
    fine = functional.interpolate(coarse, (edge, edge, edge), mode="trilinear", align_corners=True)
    places = fine.permute(0, 2, 3, 4, 1).contiguous()
    window = functional.grid_sample(scans[None].float(), places, mode="bilinear", align_corners=False)[0]
    labels = functional.grid_sample(classes[None, None].float(), places, mode="nearest", align_corners=False)[0, 0]
    labels = labels.to(torch.uint8)
    return window * (labels > 0), labels


def cut(fields: Tensor, lower: np.ndarray, edge: int) -> Tensor:
    """A cube of fields (num, x, y, z), from an index on, zero beyond what there is; (num, edge, edge, edge)."""
    window = fields.new_zeros((len(fields), edge, edge, edge))
    shape = np.array(fields.shape[1:])
    first, last = np.clip(lower, 0, shape), np.clip(lower + edge, 0, shape)
    source = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    target = tuple(slice(int(a), int(b)) for a, b in zip(first - lower, last - lower, strict=True))
    window[(slice(None), *target)] = fields[(slice(None), *source)]
    return window


def _displacements(augmentation: Augmentation, generator: np.random.Generator) -> np.ndarray:
    """Of the lattice's points [voxels], (3, *lattice): smooth between random control points, none at the border."""
    count = augmentation.elastic_points
    inner = generator.uniform(-1, 1, (3, count, count, count)) * augmentation.elastic_size
    control = np.pad(inner, ((0, 0), *3 * ((1, 1),)))
    smooth = _splines(count + 2)
    return np.einsum("nijk,xi,yj,zk->nxyz", control, smooth, smooth, smooth, optimize=True)


@lru_cache(maxsize=4)
def _splines(count: int) -> np.ndarray:
    """What each of the control points along a line counts at the lattice's points, (points, count): cubic splines."""
    points = _BETWEEN * (count - 1) + 1
    return np.stack([ndimage.zoom(line, points / count, order=3) for line in np.eye(count)], axis=1)


def receive_field(edge: int, size: float, generator: np.random.Generator) -> Tensor:
    """Factors over a window, (edge, edge, edge): the exponential of a polynomial with random coefficients."""
    line = np.linspace(-1, 1, _FIELD_POINTS)
    powers = line[None] ** np.arange(_FIELD_ORDER + 1)[:, None]
    coefficients = generator.uniform(-size, size, (_FIELD_ORDER + 1,) * 3)
    order = np.indices(coefficients.shape).sum(axis=0)
    coefficients[(order > _FIELD_ORDER) | (order == 0)] = 0
    coarse = np.exp(np.einsum("ijk,ix,jy,kz->xyz", coefficients, powers, powers, powers))
    field = torch.from_numpy(coarse).float()[None, None]
    return functional.interpolate(field, (edge, edge, edge), mode="trilinear", align_corners=True)[0, 0]


def _lattice(edge: int, count: int) -> np.ndarray:
    """Places that a map is known at, from a window's middle [voxels], (3, *lattice); linear between."""
    half = (edge - 1) / 2
    line = np.linspace(-half, half, _BETWEEN * (count + 1) + 1)
    return np.stack(np.meshgrid(line, line, line, indexing="ij"))
