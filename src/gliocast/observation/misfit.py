"""What a fitted density leaves unexplained of a segmentation."""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from gliocast.core import LabelMap, dice

#: Components of the whole tumor smaller than this are stray voxels of a segmentation, not foci [mm^3].
MIN_FOCUS_MM3 = 100.0

#: A focus of which the model shows less than this share is one it doesn't explain [1].
_MISSED_SHARE = 0.1

#: Below this Dice the reader is told what kind of shape a one-focus model makes [1].
_COMPACT_DICE = 0.8


@dataclass(frozen=True)
class Misfit:
    """Observed against simulated outlines; volumes in ml.

    Args:
        core_dice: Dice of the T1c outline [1]; None where no core is segmented.
        whole_dice: Dice of the FLAIR outline [1].
        missed_ml: whole-tumor volume that the model leaves dark.
        extra_ml: volume that the model shows and the segmentation doesn't.
        farthest_mm: greatest distance of missed tumor from the simulated outline.
        num_foci: separate parts of the observed whole tumor.
        unexplained_foci: how many of them the model leaves dark.
        unexplained_foci_ml: their volume.
    """

    core_dice: float | None
    whole_dice: float
    missed_ml: float
    extra_ml: float
    farthest_mm: float
    num_foci: int
    unexplained_foci: int
    unexplained_foci_ml: float

    def sentences(self) -> tuple[str, ...]:
        """The same for a reader."""
        lines = [
            f"{self.missed_ml:.1f} ml of the segmented tumor lie outside the simulated FLAIR outline, "
            f"up to {self.farthest_mm:.0f} mm from it; {self.extra_ml:.1f} ml inside it aren't segmented.",
        ]
        if self.unexplained_foci:
            parts = "one part" if self.num_foci == 1 else f"{self.num_foci} separate parts"
            dark = "it" if self.num_foci == 1 else f"{self.unexplained_foci} of them"
            lines.append(
                f"The segmentation has {parts}; {dark} ({self.unexplained_foci_ml:.1f} ml) "
                f"{'is' if self.unexplained_foci == 1 else 'are'} out of reach of growth from one focus."
            )
        if min(self.whole_dice, 1.0 if self.core_dice is None else self.core_dice) < _COMPACT_DICE:
            lines.append(
                "Growth from one point with one diffusivity makes compact, rounded outlines; lobes, fingers of edema "
                "along tracts, mass effect and holes in the core are beyond it."
            )
        return tuple(lines)


def misfit(labels: LabelMap, density: np.ndarray, core_threshold: float | None, whole_threshold: float) -> Misfit:
    """Compare a density (shape of the labels' grid) with the segmentation it was fitted to."""
    ml = labels.grid.voxel_ml
    whole, shown = labels.whole, density > whole_threshold
    missed = whole & ~shown
    farthest = 0.0
    if missed.any() and shown.any():
        farthest = float(ndimage.distance_transform_edt(~shown, sampling=labels.grid.spacing)[missed].max())
    parts, count = ndimage.label(whole)
    index = np.arange(1, count + 1)
    sizes = np.asarray(ndimage.sum_labels(whole, parts, index))
    explained = np.asarray(ndimage.sum_labels(shown, parts, index))
    foci = sizes * labels.grid.voxel_volume >= MIN_FOCUS_MM3
    dark = foci & (explained < _MISSED_SHARE * sizes)
    return Misfit(
        core_dice=None if core_threshold is None else dice(density > core_threshold, labels.core),
        whole_dice=dice(shown, whole),
        missed_ml=float(missed.sum()) * ml,
        extra_ml=float((shown & ~whole).sum()) * ml,
        farthest_mm=farthest,
        num_foci=int(foci.sum()),
        unexplained_foci=int(dark.sum()),
        unexplained_foci_ml=float(sizes[dark].sum()) * ml,
    )
