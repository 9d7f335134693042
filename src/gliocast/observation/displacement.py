r"""How far a drawn outline lies from a fitted one, and over which length the two stay apart.

With d the signed distance to the fitted outline, positive inside, errors drawn as  {d + e > 0}  (`draw_outlines`) have
e = -d  on the drawn outline. So there e is read off: its standard deviation s and the length l over which it is
correlated by  exp(-r^2 / l^2).  Of two parts that a rater and the model have in it, either is meant: simulations that
err less than the observation does don't look like it.

Departures from moments: s is the 68th percentile of |e|, since holes deep inside a core and foci far outside, where d
means little, would decide a mean square; and l is where the correlation of e, cut off at 3 s, has fallen to 1/e, for
one outline tells no more. A fit takes away a part of both, translations and size above all; it isn't given back.
"""

import numpy as np

#: Share of a normal distribution within one standard deviation [1]; errors beyond so many of these are cut off [1].
_WITHIN, _CUT_OFF = 0.6827, 3.0

#: Places on an outline that pairs are taken of, at most; below the least there is no outline to speak of.
_NUM_PLACES, _FEWEST_PLACES = 1500, 50

_GOLDEN_RATIO = (1 + 5**0.5) / 2

#: Width of the bins of distance [mm], and how many [1]: errors larger, or correlated over more, than these reach are no
#: displacement of a fitted outline.
_BIN_MM, _NUM_BINS = 2.0, 15

#: An unknown distance is taken as this [mm], beyond all that may decide anything.
_UNKNOWN_MM = 1000.0

#: Least displacement that is drawn [mm]: outlines on voxels aren't known better.
_LEAST_MM = 0.1


def displacement_of(
    labeled: np.ndarray, distance: np.ndarray, spacing: tuple[float, float, float]
) -> tuple[float, float] | None:
    """Standard deviation and correlation length of the displacement of an outline [mm], None where they mean nothing.

    Args:
        labeled: share of each voxel inside the drawn outline, which runs where it crosses one half, (x, y, z).
        distance: signed distance of each voxel to the fitted outline, positive inside, -inf where it is unknown [mm],
            (x, y, z).
        spacing: of the voxels [mm].
    """
    places, errors = _crossings(labeled, distance, spacing)
    if len(errors) < _FEWEST_PLACES:
        return None
    deviation = max(float(np.quantile(np.abs(errors), _WITHIN, method="lower")), _LEAST_MM)
    if deviation > _NUM_BINS * _BIN_MM:
        return None
    some = _spread_out(len(errors))
    cut = np.clip(errors[some], -_CUT_OFF * deviation, _CUT_OFF * deviation)
    return deviation, _correlation_length(places[some], cut)


def _spread_out(count: int) -> np.ndarray:
    """At most `_NUM_PLACES` of so many indices, in no step with the rows of a grid: multiples of the golden ratio."""
    if count <= _NUM_PLACES:
        return np.arange(count)
    return np.unique((count * (np.arange(_NUM_PLACES) * _GOLDEN_RATIO % 1)).astype(np.intp))


def _crossings(
    labeled: np.ndarray, distance: np.ndarray, spacing: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Places between neighboring voxels where the outline runs [mm], (num, 3), and its errors there [mm], (num,)."""
    places, errors = [], []
    for axis in range(3):
        first, second = (np.moveaxis(labeled, axis, 0)[side] for side in (slice(None, -1), slice(1, None)))
        near, far = (np.moveaxis(distance, axis, 0)[side] for side in (slice(None, -1), slice(1, None)))
        crossed = (first > 0.5) != (second > 0.5)
        share = (0.5 - first[crossed]) / (second[crossed] - first[crossed])
        before, after = (np.maximum(side[crossed], -_UNKNOWN_MM) for side in (near, far))
        place = np.argwhere(crossed).astype(np.float64)
        place[:, 0] += share
        places.append(np.insert(place[:, 1:], axis, place[:, 0], axis=1) * spacing)
        errors.append(-(before + share * (after - before)))
    return np.concatenate(places), np.concatenate(errors)


def _correlation_length(places: np.ndarray, errors: np.ndarray) -> float:
    """Distance at which the correlation of errors has fallen to 1/e [mm], within the bins."""
    a, b = np.triu_indices(len(errors), 1)
    bins = (np.linalg.norm(places[a] - places[b], axis=1) / _BIN_MM).astype(np.intp)
    near = bins < _NUM_BINS
    sums = np.bincount(bins[near], (errors[a] * errors[b])[near], minlength=_NUM_BINS)
    counts = np.bincount(bins[near], minlength=_NUM_BINS)
    filled = counts > 0  # voxels may lie further apart than a bin is wide
    correlation = sums[filled] / counts[filled] / float(np.mean(errors**2))
    middles = (np.flatnonzero(filled) + 0.5) * _BIN_MM
    fallen = int(np.argmax(np.append(correlation, 0.0) < 1 / np.e))
    if fallen == 0:
        return _BIN_MM
    if fallen == len(middles):
        return float(middles[-1])
    before, after = correlation[fallen - 1], correlation[fallen]
    share = (before - 1 / np.e) / (before - after)
    return float(middles[fallen - 1] + share * (middles[fallen] - middles[fallen - 1]))
