import numpy as np
import pytest

from gliocast.cohort import Truth, atlas_anatomy, draw_outlines, make_digital_patient
from gliocast.core import dice
from gliocast.data.atlas import load_mni152

TRUTH = Truth(diffusivity=0.05, rate=0.02)


@pytest.fixture(scope="module")
def digital():
    return make_digital_patient(load_mni152(), TRUTH, np.random.default_rng(0))


def test_same_seed_same_patient(digital):
    again = make_digital_patient(load_mni152(), TRUTH, np.random.default_rng(0))
    for modality, scan in digital.patient.visits[0].scans.items():
        np.testing.assert_array_equal(scan.volume.data, again.patient.visits[0][modality].volume.data)


def test_scans_are_skull_stripped_and_show_what_each_modality_shows(digital):
    visit = digital.patient.visits[0]
    labels = visit.labels
    healthy = (digital.anatomy.white_matter > 0.95) & ~labels.lesion
    gray = (digital.anatomy.gray_matter > 0.95) & ~labels.lesion

    def mean(modality, mask):
        return float(visit[modality].volume.data[mask].mean())

    for modality in ("t1", "t1c", "t2", "flair"):
        assert not visit[modality].volume.data[~visit.brain].any()
    assert mean("t1", healthy) > mean("t1", gray)
    assert mean("t1c", labels.enhancing) > 1.3 * mean("t1c", healthy)
    assert mean("t1", labels.enhancing) < mean("t1", healthy)
    assert mean("flair", labels.edema) > 1.5 * mean("flair", healthy)
    assert mean("t1c", labels.necrosis) < mean("t1c", labels.enhancing) / 2


def test_outlines_err_by_about_a_millimeter(digital):
    for seed in range(3):
        core, whole = draw_outlines(digital.density, TRUTH, np.random.default_rng(seed))
        assert (core <= whole).all()
        assert 0.7 < dice(core, digital.density.data > TRUTH.t1c_threshold) < 0.99
        assert 0.8 < dice(whole, digital.density.data > TRUTH.flair_threshold) < 0.99


def test_atlas_anatomy_is_a_brain():
    anatomy = atlas_anatomy(load_mni152())
    volume = anatomy.brain.sum() * anatomy.grid.voxel_volume / 1e6
    assert 1.5 < volume < 2.2  # liters; MNI152 is larger than most
    tissue = anatomy.white_matter + anatomy.gray_matter + anatomy.csf
    np.testing.assert_allclose(tissue[anatomy.brain], 1, atol=0.05)


def test_truth_is_told_in_what_a_scan_can_identify():
    truth = Truth(diffusivity=0.09, rate=0.01, age_days=400.0)
    assert truth.identifiable()["diffusion_length"] == pytest.approx(6.0)
    assert truth.identifiable()["growth_number"] == pytest.approx(2.0)
