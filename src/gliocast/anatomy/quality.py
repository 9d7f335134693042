"""How well the atlas lies on the patient."""

from dataclasses import dataclass

import numpy as np

from gliocast.core import InputError, QualityError

#: Below this an affinely matched atlas shares so little with the image that the image is hardly a T1 of a brain [1];
#: patients reach 0.48 and more, smooth balls in the place of a brain 0.20 at most.
MIN_AFFINE_CORRELATION, MIN_AFFINE_DICE = 0.3, 0.85

#: Below this the deformed atlas is no estimate of the anatomy [1]; good matches reach 0.65-0.75 and 0.98.
MIN_CORRELATION, MIN_DICE = 0.35, 0.93


@dataclass(frozen=True)
class Match:
    """Agreement of the moved atlas with the patient's T1.

    Args:
        correlation: of intensities over brain voxels outside the lesion [1].
        dice: of the brain masks [1].
    """

    correlation: float
    dice: float

    def __str__(self) -> str:
        return f"intensity correlation {self.correlation:.2f}, brain mask Dice {self.dice:.3f}"


def match(t1: np.ndarray, brain: np.ndarray, healthy: np.ndarray, moved: np.ndarray) -> Match:
    """Compare a patient's T1 with an atlas moved onto it, all arrays of one shape."""
    covered = moved > 0
    dice = 2 * (brain & covered).sum() / max(int(brain.sum() + covered.sum()), 1)
    return Match(correlation(t1, moved, healthy & covered), float(dice))


def correlation(a: np.ndarray, b: np.ndarray, where: np.ndarray) -> float:
    """Pearson correlation of two images over some voxels; zero where one of them is constant."""
    x, y = a[where].astype(np.float64), b[where].astype(np.float64)
    x, y = x - x.mean(), y - y.mean()
    scale = np.sqrt((x @ x) * (y @ y))
    return float(x @ y / scale) if scale > 0 else 0.0


def require_brain_match(affine: Match) -> None:
    """Raise InputError if no affine map lays a brain onto the image: then it isn't a T1 of one."""
    if affine.correlation < MIN_AFFINE_CORRELATION or affine.dice < MIN_AFFINE_DICE:
        raise InputError(
            "t1",
            expected="a skull-stripped T1 of a brain that the atlas can be laid on",
            got=str(affine),
            advice="check that the file is a T1, that its orientation is right and that it shows the whole brain",
        )


def require_good_match(final: Match) -> None:
    """Raise QualityError if the deformed atlas doesn't fit well enough to carry tissue maps."""
    if final.correlation < MIN_CORRELATION or final.dice < MIN_DICE:
        raise QualityError(
            "anatomy",
            expected=f"a match above correlation {MIN_CORRELATION} and Dice {MIN_DICE}",
            got=str(final),
            advice="check the brain extraction of the T1",
        )
