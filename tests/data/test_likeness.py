"""Whether two images show the same head: what survives between a series and the scan that is planned on."""

import base64
import zlib

import numpy as np
import pytest
from scipy import ndimage

from gliocast.core import Grid, InputError, Volume
from gliocast.data.likeness import ALIKE, fingerprint, likeness

SHAPE = (60, 70, 40)
GRID = Grid(SHAPE, np.diag([3.0, 3.0, 4.0, 1.0]))
RADIUS = np.linalg.norm((np.moveaxis(np.indices(SHAPE), 0, -1) - (29.5, 34.5, 19.5)) / (26, 30, 17), axis=-1)
BRAIN, HEAD = RADIUS < 0.7, RADIUS < 1


def patient(seed):
    """A head whose gray values vary over centimeters, noise around it."""
    generator = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(generator.standard_normal(SHAPE), 3)
    gray = 500 + 200 * smooth / smooth.std()
    return np.where(HEAD, gray, np.abs(generator.normal(0, 10, SHAPE))).astype(np.float32)


def trace(data, brain=None):
    return fingerprint(Volume(np.asarray(data, dtype=np.float32), GRID), brain)


@pytest.mark.parametrize(
    ("change", "least"),
    [
        (lambda data: data, 0.999),
        (lambda data: data * BRAIN, 0.999),
        (lambda data: np.cbrt(data) * BRAIN, 0.999),
        (lambda data: (3 - data / 1000) * -7, 0.999),
        (lambda data: data * np.exp(0.3 * np.linspace(-1, 1, SHAPE[0]))[:, None, None], 0.8),
        (lambda data: ndimage.gaussian_filter(data, 1), 0.9),
    ],
    ids=["itself", "without skull", "cube root", "rescaled", "bias field", "smoothed"],
)
def test_a_scan_and_what_became_of_it_are_alike(change, least):
    data = patient(1)
    found = likeness(trace(change(data)), trace(data, BRAIN))
    assert found is not None
    assert found >= max(least, ALIKE)


@pytest.mark.parametrize("seed", range(2, 12))
def test_two_patients_of_one_protocol_are_not_alike(seed):
    assert likeness(trace(patient(seed)), trace(patient(1), BRAIN)) < ALIKE


def test_a_scan_in_another_place_is_not_alike():
    data = patient(1)
    assert likeness(trace(np.roll(data, 10, axis=1)), trace(data, BRAIN)) < ALIKE


def test_what_shows_too_little_in_common_can_not_be_compared():
    corner = np.zeros(SHAPE, dtype=bool)
    corner[25:30, 30:36, 18:20] = True
    assert likeness(trace(patient(1)), trace(patient(1), corner)) is None
    assert likeness(trace(np.zeros(SHAPE)), trace(patient(1))) is None
    assert likeness(trace(np.ones(SHAPE)), trace(patient(1))) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no base64!",
        base64.b64encode(b"not zipped").decode(),
        base64.b64encode(zlib.compress(b"short")).decode(),
        base64.b64encode(zlib.compress(bytes(10**8))).decode(),
    ],
    ids=["nothing", "text", "bytes", "short", "bomb"],
)
def test_what_is_no_fingerprint_is_not_compared(text):
    assert likeness(text, trace(patient(1))) is None


def test_fingerprints_are_small_and_repeat():
    data = patient(1)
    assert trace(data) == trace(data.copy())
    assert len(trace(data, BRAIN)) < len(trace(data)) < 6000


def test_brain_mask_of_another_shape_is_refused():
    with pytest.raises(InputError, match="brain mask"):
        trace(patient(1), BRAIN[:-1])
