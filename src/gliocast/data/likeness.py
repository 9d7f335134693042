"""Whether two images show the same head in the same place, told from gray values on a coarse lattice.

Between a DICOM series and the scan that is planned on, a skull is stripped, a bias field taken out, gray values are
rescaled: no hash survives that, but the order of gray values nearly does. So the ranks of an image's gray values on a
lattice are kept, its fingerprint, and two of one grid are compared by Spearman's correlation where both show something.

`validation/likeness.py` measures it on patients in the frame of one atlas, where heads of different people lie as alike
as they ever do: a scan and itself, smoothed, noisy, moved by a voxel or in another bias field, have 0.6 and more; scans
of two patients 0.41 at most. T1 and T1c of one patient have 0.5 to 0.9; other scans of one patient can't be told from
those of two.
"""

import base64
import zlib

import numpy as np

from gliocast.core import Volume
from gliocast.core.volume import require_mask

#: Points of the lattice along each axis [1]; some hundred of its 4096 lie in a brain.
_NUM_POINTS = 16
#: Ranks are kept as whole numbers up to this [1]; 0 stands for nothing there.
_HIGHEST = 255
#: Fewer points in common say nothing [1]: with fifty, the correlation of unlike images is below 0.5 all but always.
_FEWEST = 50

#: Images that are more alike than this show the same patient in the same place [1].
ALIKE = 0.55


def fingerprint(volume: Volume, brain: np.ndarray | None = None) -> str:
    """The order of an image's gray values on a lattice, as text.

    Args:
        volume: the image.
        brain: bool, shape of the grid, what of it counts; None for all that isn't zero.
    """
    if brain is not None:
        require_mask(brain, volume.grid, "brain mask")
    steps = [((np.arange(_NUM_POINTS) + 0.5) * n / _NUM_POINTS).astype(int) for n in volume.grid.shape]
    places = np.ix_(*steps)
    values = volume.data[places].astype(np.float64).ravel()
    shown = values != 0 if brain is None else brain[places].ravel()
    ranks = np.zeros(len(values), dtype=np.uint8)
    ranks[shown] = np.ceil(_ranks(values[shown]) / max(np.count_nonzero(shown), 1) * _HIGHEST)
    return base64.b64encode(zlib.compress(ranks.tobytes(), 9)).decode("ascii")


def likeness(first: str, second: str) -> float | None:
    """How alike two images of one grid are, by their fingerprints.

    Returns:
        Spearman's correlation, 1 for the same order of gray values; None where too little is shown by both, or one is
        no fingerprint.
    """
    ranks = [_decoded(text) for text in (first, second)]
    if ranks[0] is None or ranks[1] is None:
        return None
    both = (ranks[0] > 0) & (ranks[1] > 0)
    if np.count_nonzero(both) < _FEWEST:
        return None
    a, b = (_ranks(each[both].astype(np.float64)) for each in ranks if each is not None)
    if a.std() == 0 or b.std() == 0:
        return None
    return float(np.corrcoef(a, b)[0, 1])


def _ranks(values: np.ndarray) -> np.ndarray:
    """Ranks from 1 on, the mean of them where values tie."""
    _, index, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[index])


def _decoded(text: str) -> np.ndarray | None:
    size = _NUM_POINTS**3
    try:
        content = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), size + 1)
    except (ValueError, zlib.error):
        return None
    return np.frombuffer(content, dtype=np.uint8) if len(content) == size else None
