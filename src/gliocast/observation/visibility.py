"""Loops over voxels behind the likelihood of outlines (see `gliocast.observation.mri`): distances, shares, sums."""

import numba
import numpy as np

#: Density below which a voxel is taken as free of tumor cells [1], and its mark in logits.
_EMPTY, _NO_CELLS = 1e-5, -99.0

#: Flattest slope of logit u that a distance is computed with [1/mm]: the plateau inside a tumor has no outline.
_FLATTEST = 0.05

#: Distances beyond this many widths need neither exponential nor logarithm [1].
_FAR = 12.0

#: The search for m begins here, stays below the limit and ends with steps shorter than the tolerance [1].
_MISSED_START, MISSED_LIMIT, _MISSED_TOLERANCE = 0.2, 0.9, 1e-5


@numba.njit(nogil=True, cache=True)
def logits_of(density):  # type: ignore[no-untyped-def]
    """Logit of the density, `_NO_CELLS` where there are none."""
    logits = np.empty(density.shape, np.float32)
    flat, u = logits.reshape(-1), density.reshape(-1)
    for n in range(flat.size):
        v = min(u[n], np.float32(1 - 1e-6))
        flat[n] = np.log(v / (1 - v)) if v > _EMPTY else _NO_CELLS
    return logits


@numba.njit(nogil=True, cache=True, inline="always")
def _slope2(here, before, after, step):  # type: ignore[no-untyped-def]
    """Squared derivative along one axis, from the neighbors that hold cells."""
    rise, spans = 0.0, 0
    if before != _NO_CELLS:
        rise += here - before
        spans += 1
    if after != _NO_CELLS:
        rise += after - here
        spans += 1
    return (rise / (spans * step)) ** 2 if spans else 0.0


@numba.njit(nogil=True, cache=True, inline="always")
def _distance(logits, i, j, k, level, spacing):  # type: ignore[no-untyped-def]
    """Signed distance from a voxel with cells to the outline at `level` [mm], positive inside."""
    nx, ny, nz = logits.shape
    here = logits[i, j, k]
    slope2 = _slope2(
        here,
        logits[i - 1, j, k] if i > 0 else _NO_CELLS,
        logits[i + 1, j, k] if i + 1 < nx else _NO_CELLS,
        spacing[0],
    )
    slope2 += _slope2(
        here,
        logits[i, j - 1, k] if j > 0 else _NO_CELLS,
        logits[i, j + 1, k] if j + 1 < ny else _NO_CELLS,
        spacing[1],
    )
    slope2 += _slope2(
        here,
        logits[i, j, k - 1] if k > 0 else _NO_CELLS,
        logits[i, j, k + 1] if k + 1 < nz else _NO_CELLS,
        spacing[2],
    )
    return (here - level) / max(np.sqrt(slope2), _FLATTEST)


@numba.njit(nogil=True, cache=True)
def visibility(logits, labeled, level, width, spacing):  # type: ignore[no-untyped-def]
    """Visibility and label of every voxel that may be visible, and the labeled volume of all others [voxels]."""
    visible, label = np.empty(logits.size, np.float32), np.empty(logits.size, np.float32)
    count, unseen = 0, 0.0
    for i in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            for k in range(logits.shape[2]):
                x = -np.inf
                if logits[i, j, k] != _NO_CELLS:
                    x = _distance(logits, i, j, k, level, spacing) / width
                if x < -_FAR:
                    unseen += labeled[i, j, k]
                    continue
                visible[count] = 1 / (1 + np.exp(-x)) if x < _FAR else 1.0
                label[count] = labeled[i, j, k]
                count += 1
    return visible[:count], label[:count], unseen


@numba.njit(nogil=True, cache=True)
def best_missed(visible, label, false, prior, weight):  # type: ignore[no-untyped-def]
    """The miss rate m of highest likelihood times prior: Newton's method on a concave function."""
    a, b = prior[0] - 1, prior[1] - 1
    missed = _MISSED_START
    for _ in range(20):
        slope = (a / missed - b / (1 - missed)) / weight
        curvature = -(a / missed**2 + b / (1 - missed) ** 2) / weight
        for n in range(visible.size):
            v, y = visible[n], label[n]
            p = false + (1 - false - missed) * v
            shown, hidden = y * v / p, (1 - y) * v / (1 - p)
            slope += hidden - shown
            curvature -= shown * v / p + hidden * v / (1 - p)
        step = -slope / curvature
        missed = min(max(missed + step, missed / 4), MISSED_LIMIT)
        if abs(step) < _MISSED_TOLERANCE:
            break
    return missed


@numba.njit(nogil=True, cache=True)
def outline_log_likelihood(visible, label, unseen, false, prior, weight):  # type: ignore[no-untyped-def]
    """weight * sum over voxels of [log p(label | density) - log p(no label | no cells)] + log prior, at the best m."""
    missed = best_missed(visible, label, false, prior, weight)
    nothing = np.log(1 - false)
    total = unseen * (np.log(false) - nothing)
    for n in range(visible.size):
        p = false + (1 - false - missed) * visible[n]
        total += label[n] * np.log(p) + (1 - label[n]) * np.log(1 - p) - nothing
    return weight * total + (prior[0] - 1) * np.log(missed) + (prior[1] - 1) * np.log(1 - missed)


@numba.njit(nogil=True, cache=True)
def labeled_share(logits, lower, upper, level, width, spacing, false, missed):  # type: ignore[no-untyped-def]
    """Probability that a voxel is labeled, f + (1 - f - m) v, in the box [lower, upper)."""
    shape = (upper[0] - lower[0], upper[1] - lower[1], upper[2] - lower[2])
    share = np.full(shape, false, np.float32)
    for i in range(shape[0]):
        for j in range(shape[1]):
            for k in range(shape[2]):
                a, b, c = lower[0] + i, lower[1] + j, lower[2] + k
                if logits[a, b, c] != _NO_CELLS:
                    x = _distance(logits, a, b, c, level, spacing) / width
                    if x > -_FAR:
                        v = 1 / (1 + np.exp(-x)) if x < _FAR else 1.0
                        share[i, j, k] = false + (1 - false - missed) * v
    return share


@numba.njit(nogil=True, cache=True)
def stabilize(share, label, weight, phi, z):  # type: ignore[no-untyped-def]
    """Write sqrt(weight) times 2 arcsin(sqrt p) into phi and times (y - p) / sqrt(p (1 - p)) into z, all flat."""
    root = np.sqrt(weight)
    for n in range(share.size):
        p = np.float64(share[n])
        phi[n] = root * 2 * np.arcsin(np.sqrt(p))
        z[n] = root * (label[n] - p) / np.sqrt(p * (1 - p))


@numba.njit(nogil=True, cache=True)
def distance_map(logits, level, spacing):  # type: ignore[no-untyped-def]
    """Signed distance of every voxel to the outline at `level` [mm]; -inf without cells."""
    distance = np.full(logits.shape, -np.inf, np.float32)
    for i in range(logits.shape[0]):
        for j in range(logits.shape[1]):
            for k in range(logits.shape[2]):
                if logits[i, j, k] != _NO_CELLS:
                    distance[i, j, k] = _distance(logits, i, j, k, level, spacing)
    return distance
