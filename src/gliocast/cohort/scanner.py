"""Scanners that differ: MRI of a brain with a tumor, and FET-PET. Synthetic, and labeled so.

Intensities of tissues, their order kept but little else, noise, receive field, resolution, thick slices and small
errors of registration are drawn anew for every scan, so that a network that learns from such images must learn shapes
and relations of contrast, and not one scanner.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliocast.cohort.brains import ventricles_of
from gliocast.cohort.lesions import Lesion
from gliocast.cohort.receive_field import receive_field
from gliocast.cohort.refine import refine
from gliocast.core import MODALITIES, Anatomy, Box
from gliocast.observation.correlated import correlated_noise, correlation_from_fwhm
from gliocast.observation.pet import PET_RESOLUTION_MM

#: Healthy white and gray matter, fluid, white matter that age has changed; necrosis, enhancing tumor, solid tumor that
#: takes up no contrast agent, edema.
TISSUES = ("white", "gray", "csf", "aged", "necrosis", "enhancing", "solid", "edema")

#: Their mean intensities on each modality [white matter on T1 = 1].
INTENSITIES: Mapping[str, tuple[float, ...]] = {
    "t1": (1.00, 0.76, 0.28, 0.85, 0.42, 0.70, 0.56, 0.70),
    "t1c": (1.00, 0.80, 0.30, 0.86, 0.45, 2.10, 0.58, 0.72),
    "t2": (0.50, 0.68, 1.60, 0.85, 1.40, 0.95, 1.28, 1.02),
    "flair": (0.58, 0.74, 0.16, 1.05, 0.70, 1.10, 1.08, 1.32),
}

#: Intensities are stored like a scanner's, white matter on T1 near this value.
_SCALE = 400.0

#: Compartments blend over about this many voxels. Largest share of necrosis that is debris, and of the rim that takes
#: up nothing [1].
_SOFT_VOXELS, _DEBRIS, _FAINT = 0.5, np.float32(0.45), np.float32(0.45)

#: Standard deviation of how much debris and uptake there is, around one half [1].
_UNEVENNESS = 0.35

#: Correlation of the texture of tissue, of debris in necrosis and of uptake in the rim [mm].
_TEXTURE_MM, _DEBRIS_MM, _UPTAKE_MM = 3.0, 9.0, 5.0

#: White matter begins to change at the first age, and is at its most after the next years [years]; the most, drawn anew
#: for each visit [1]. What age changes is drawn on voxels of so many [1].
_AGE_FROM, _AGE_SPAN, _AGED_SHARE, _COARSE = 35.0, 45.0, (0.2, 1.0), 2

#: Depth of the caps of the ventricles, at the least and what the most adds [mm].
_CAP_MM, _CAP_MORE_MM = 1.0, 2.5

#: How far from the ventricles spots lie, and how they are correlated [mm]; deviations of noise from which on there is a
#: spot, at the least and what the most takes off [1].
_SPOTS_NEAR_MM, _SPOT_MM, _SPOT_FROM, _SPOT_LESS = 18.0, 5.0, 3.2, 1.2

#: Uptake of FET in white and gray matter, and what a tumor at carrying capacity adds [SUV]; its noise [SUV].
_FET_WHITE, _FET_GRAY, _FET_TUMOR, _FET_NOISE = 0.85, 1.1, 2.0, (0.05, 0.15)

#: Full width at half maximum of a normal distribution in standard deviations [1].
_FWHM = 2.355


@dataclass(frozen=True)
class ScannerVariation:
    """How scans differ; standard deviations, or least and largest values.

    Args:
        intensity: of the logarithm of a tissue's intensity [1].
        gamma: exponent that the whole contrast is bent with [1].
        noise: relative to white matter on T1 [1].
        texture: of tissue's intensity over some 3 mm, the same on all scans [1].
        bias: of the receive field [1] ...
        bias_mm: ... and the length of its waves [mm].
        blur_mm: width of the point spread [mm].
        thick_share: probability of thick slices [1] ...
        slice_mm: ... and their thickness [mm].
        shift_mm: error of registration along each axis [mm].
        gain: factor of all intensities, log-uniform [1].
    """

    intensity: float = 0.10
    gamma: tuple[float, float] = (0.85, 1.2)
    noise: tuple[float, float] = (0.008, 0.045)
    texture: tuple[float, float] = (0.01, 0.035)
    bias: tuple[float, float] = (0.02, 0.12)
    bias_mm: tuple[float, float] = (70.0, 160.0)
    blur_mm: tuple[float, float] = (0.3, 0.8)
    thick_share: float = 0.4
    slice_mm: tuple[float, float] = (2.0, 5.0)
    shift_mm: float = 0.35
    gain: tuple[float, float] = (0.4, 2.5)


def scan(
    anatomy: Anatomy,
    lesion: Lesion,
    generator: np.random.Generator,
    *,
    age_years: float = 60.0,
    variation: ScannerVariation | None = None,
) -> dict[str, np.ndarray]:
    """T1, T1c, T2 and FLAIR by modality, float32 on the anatomy's grid, 0 outside the brain, whole numbers inside.

    Args:
        anatomy: tissue of the day.
        lesion: what the tumor made of it.
        generator: source of randomness.
        age_years: the older, the more white matter near the ventricles has changed [years].
        variation: how much scanners differ.
    """
    variation = variation or ScannerVariation()
    shares = _shares(anatomy, lesion, generator, age_years)
    texture = correlated_noise(anatomy.grid, _TEXTURE_MM, generator)
    field = receive_field(anatomy.grid, generator.uniform(*variation.bias_mm) / (2 * np.pi), generator)
    return {name: _acquire(name, shares, texture, field, anatomy, generator, variation) for name in MODALITIES}


def scan_pet(anatomy: Anatomy, cells: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """Uptake of FET [SUV]: more where there are cells, seen through the scanner's resolution, with correlated noise.

    Args:
        anatomy: tissue of the day.
        cells: density [1], shape of the grid.
        generator: source of randomness.
    """
    uptake = _FET_WHITE * anatomy.white_matter + _FET_GRAY * anatomy.gray_matter + _FET_TUMOR * cells
    sigma = [PET_RESOLUTION_MM / _FWHM / h for h in anatomy.grid.spacing]
    correlation = correlation_from_fwhm(PET_RESOLUTION_MM)
    noise = generator.uniform(*_FET_NOISE) * correlated_noise(anatomy.grid, correlation, generator)
    return np.where(anatomy.brain, ndimage.gaussian_filter(uptake, sigma) + noise, 0).clip(min=0).astype(np.float32)


def _shares(
    anatomy: Anatomy, lesion: Lesion, generator: np.random.Generator, age_years: float
) -> dict[str, np.ndarray]:
    """What each voxel is made of, by the names of `TISSUES`."""
    aged = _aged(anatomy, generator, age_years) * anatomy.white_matter
    healthy = {"white": anatomy.white_matter - aged, "aged": aged, "gray": anatomy.gray_matter, "csf": anatomy.csf}
    box = lesion.box.slices
    grid = anatomy.grid.crop(lesion.box.lower, lesion.box.upper)
    # necrosis is fluid here and debris there, and what enhances does so unevenly
    debris, uptake = (
        np.clip(0.5 + _UNEVENNESS * correlated_noise(grid, length, generator), 0, 1)
        for length in (_DEBRIS_MM, _UPTAKE_MM)
    )
    necrosis, solid, enhancing, edema = (
        ndimage.gaussian_filter(part.astype(np.float32), _SOFT_VOXELS)
        for part in (lesion.necrosis, lesion.solid, lesion.enhancing, lesion.edema * lesion.wetness)
    )
    edema *= 1 - anatomy.csf[box]  # sulci stay what they are
    debris *= _DEBRIS
    faint = 1 - np.float32(lesion.avidity) * (1 - (1 - uptake) * _FAINT)
    parts = {
        "necrosis": necrosis * (1 - debris),
        "solid": solid + necrosis * debris + enhancing * faint,
        "enhancing": enhancing * (1 - faint),
        "edema": edema,
    }
    left = np.clip(1 - sum(parts.values()), 0, 1)
    shares = {name: part.copy() for name, part in healthy.items()}
    for part in shares.values():
        part[box] *= left
    for name, part in parts.items():
        shares[name] = np.zeros(anatomy.grid.shape, np.float32)
        shares[name][box] = part
    return shares


def _aged(anatomy: Anatomy, generator: np.random.Generator, age_years: float) -> np.ndarray:
    """How much white matter has changed with age [1]: caps of the ventricles and spots near them."""
    amount = np.clip((age_years - _AGE_FROM) / _AGE_SPAN, 0, 1) * generator.uniform(*_AGED_SHARE)
    coarse = anatomy.coarsen((_COARSE,) * 3)
    noise = correlated_noise(coarse.grid, _SPOT_MM, generator)
    ventricles = ventricles_of(coarse.csf, coarse.brain, coarse.grid)
    if not ventricles.any():
        return np.zeros(anatomy.grid.shape, np.float32)
    away = ndimage.distance_transform_edt(~ventricles, sampling=coarse.grid.spacing)
    caps = np.exp(-away / (_CAP_MM + _CAP_MORE_MM * amount)) * amount
    spots = (noise > _SPOT_FROM - _SPOT_LESS * amount) * np.exp(-away / _SPOTS_NEAR_MM) * amount
    return refine(np.clip(caps + spots, 0, 1), _COARSE, Box((0, 0, 0), anatomy.grid.shape))


def _acquire(
    modality: str,
    shares: Mapping[str, np.ndarray],
    texture: np.ndarray,
    field: np.ndarray,
    anatomy: Anatomy,
    generator: np.random.Generator,
    variation: ScannerVariation,
) -> np.ndarray:
    """One image."""
    spacing = anatomy.grid.spacing
    signal = np.zeros(anatomy.grid.shape, np.float32)
    for tissue, mean in zip(TISSUES, INTENSITIES[modality], strict=True):
        own = mean * np.exp(variation.intensity * generator.standard_normal())
        signal += np.float32(own) * shares[tissue]
    signal *= 1 + np.float32(generator.uniform(*variation.texture)) * texture
    signal = np.power(np.maximum(signal, 0), np.float32(generator.uniform(*variation.gamma)))
    signal *= 1 + np.float32(generator.uniform(*variation.bias)) * field
    signal = ndimage.gaussian_filter(signal, [generator.uniform(*variation.blur_mm) / h for h in spacing])
    thick = generator.uniform() < variation.thick_share
    if thick:
        signal = _thick_slices(signal, int(generator.integers(3)), generator.uniform(*variation.slice_mm), spacing)
    shift = variation.shift_mm * generator.standard_normal(3) / spacing
    signal = ndimage.shift(signal, shift, order=1, mode="nearest", prefilter=False)
    noise = np.float32(generator.uniform(*variation.noise))
    real, imaginary = (noise * generator.standard_normal(signal.shape, dtype=np.float32) for _ in range(2))
    magnitude = np.hypot(signal + real, imaginary)  # both channels of the receiver have noise
    gain = _SCALE * np.exp(generator.uniform(*np.log(variation.gain)))
    return np.where(anatomy.brain, np.maximum(np.rint(gain * magnitude), 1), 0).astype(np.float32)


def _thick_slices(signal: np.ndarray, axis: int, thickness: float, spacing: tuple[float, ...]) -> np.ndarray:
    """What slices of a thickness [mm] leave of an image along an axis, interpolated back."""
    width = thickness / spacing[axis]
    blurred = ndimage.uniform_filter1d(signal, max(1, round(width)), axis=axis, mode="nearest")
    count = signal.shape[axis]
    centers = np.arange((count % width) / 2, count, width)
    lower = np.clip(np.searchsorted(centers, np.arange(count), side="right") - 1, 0, len(centers) - 2)
    share = np.clip((np.arange(count) - centers[lower]) / width, 0, 1).astype(np.float32)
    nearest = np.clip(np.rint(centers).astype(int), 0, count - 1)
    first, second = (np.take(blurred, nearest[lower + step], axis=axis) for step in (0, 1))
    weight = share.reshape([-1 if a == axis else 1 for a in range(3)])
    return (1 - weight) * first + weight * second
