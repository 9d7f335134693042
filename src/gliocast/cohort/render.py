"""MRI of a digital patient, rendered from tissue and tumor-cell density. Synthetic, and labeled so."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliocast.cohort.receive_field import receive_field
from gliocast.core import MODALITIES, Anatomy, Volume


@dataclass(frozen=True)
class Contrast:
    """Mean intensity of each tissue on one modality [arbitrary unit, white matter on T1 = 1]."""

    white_matter: float
    gray_matter: float
    csf: float
    edema: float
    enhancing: float
    necrosis: float


#: Relative intensities as they look on clinical scans: necrosis dark on T1, edema bright on T2 and FLAIR, fluid
#: suppressed on FLAIR, and a rim that takes up contrast agent on T1c alone.
CONTRASTS = {
    "t1": Contrast(1.00, 0.75, 0.35, edema=0.65, enhancing=0.70, necrosis=0.45),
    "t1c": Contrast(1.00, 0.78, 0.38, edema=0.68, enhancing=1.60, necrosis=0.50),
    "t2": Contrast(0.50, 0.70, 1.50, edema=1.15, enhancing=0.95, necrosis=1.35),
    "flair": Contrast(0.60, 0.75, 0.25, edema=1.30, enhancing=1.05, necrosis=0.70),
}

#: Standard deviation of the noise, relative to white matter on T1 [1].
NOISE = 0.03

#: The receive field varies by about this much over the head [1], over about this length [mm].
BIAS_STRENGTH, BIAS_LENGTH_MM = 0.10, 60.0

#: Width of the scanner's point spread (standard deviation) [mm].
BLUR_MM = 0.6

#: Intensities are stored like a scanner's, white matter on T1 near this value.
SCALE = 500.0


def render_mri(
    anatomy: Anatomy, compartments: dict[str, np.ndarray], generator: np.random.Generator
) -> dict[str, Volume]:
    """T1, T1c, T2 and FLAIR, skull-stripped, by modality.

    Args:
        anatomy: healthy tissue.
        compartments: bool masks ``edema``, ``enhancing`` and ``necrosis``, disjoint.
        generator: noise and receive field.
    """
    blur = [BLUR_MM / h for h in anatomy.grid.spacing]
    tumor = {name: ndimage.gaussian_filter(mask.astype(np.float32), blur) for name, mask in compartments.items()}
    healthy = np.clip(1 - sum(tumor.values()), 0, 1)
    shares = {
        "white_matter": healthy * anatomy.white_matter,
        "gray_matter": healthy * anatomy.gray_matter,
        "csf": healthy * anatomy.csf,
        **tumor,
    }
    field = 1 + np.float32(BIAS_STRENGTH / 2) * receive_field(anatomy.grid, BIAS_LENGTH_MM, generator)
    images = {}
    for modality in MODALITIES:
        signal = field * sum(share * np.float32(getattr(CONTRASTS[modality], name)) for name, share in shares.items())
        # The magnitude of a complex signal with noise in both channels is what a scanner stores.
        noise = [NOISE * generator.standard_normal(signal.shape, dtype=np.float32) for _ in range(2)]
        magnitude = np.hypot(signal + noise[0], noise[1])
        images[modality] = Volume(np.round(SCALE * magnitude * anatomy.brain).astype(np.float32), anatomy.grid)
    return images
