"""A digital patient: its lesion, its scans, its care; at full size, for there is no other."""

from dataclasses import replace

import numpy as np
import pytest

from gliocast.cohort.lesions import Appearance, lesion_of
from gliocast.cohort.lives import LifeLaw, draw_life
from gliocast.cohort.refine import refine
from gliocast.cohort.scanner import _thick_slices, scan
from gliocast.cohort.synthetic import CohortLaw, make_synthetic_patient
from gliocast.core import SCHEMAS, Box, ConvergenceError, InputError, Radiotherapy, Resection

BRATS = SCHEMAS["brats-2021"]


@pytest.fixture(scope="module")
def patient():
    return make_synthetic_patient(0, CohortLaw(seed=1, growth="fisher-kolmogorov", care="none", pet=True))


@pytest.fixture(scope="module")
def visit(patient):
    return patient.visits[0]


def test_the_tumor_has_the_volume_that_the_life_says(patient, visit):
    volume = visit.density.volume_above(patient.life.flair_threshold) / 1000
    assert volume == pytest.approx(patient.life.whole_ml, rel=0.1)  # its age was found on voxels of 2 mm


def test_compartments_are_disjoint_and_inside_the_brain(visit):
    lesion = visit.lesion
    parts = np.stack([lesion.necrosis, lesion.solid, lesion.enhancing, lesion.edema])
    assert parts.sum(axis=0).max() == 1
    assert all(part.any() for part in (lesion.necrosis | lesion.solid, lesion.enhancing, lesion.edema))
    labels = visit.labels(BRATS)
    assert set(np.unique(labels)) == {0, 1, 2, 4}
    assert not labels[~visit.anatomy.brain].any()


def test_core_is_denser_than_edema_and_edema_than_the_rest(visit):
    labels, cells = visit.labels(BRATS), visit.density.data
    means = [cells[visit.anatomy.brain & (labels == value)].mean() for value in (0, 2, 4)]
    assert means[0] < 0.05 < means[1] < means[2]


def test_a_low_grade_tumor_has_a_core_and_no_rim(patient, visit):
    life = replace(patient.life, high_grade=False)
    appearance = Appearance.draw(visit.anatomy.grid, np.random.default_rng(0))
    lesion = lesion_of(visit.density, life, visit.anatomy, appearance)
    assert lesion.solid.any()
    assert not lesion.enhancing.any()
    assert not lesion.necrosis.any()


def test_a_patchy_tumor_enhances_in_a_part_of_its_rim(patient, visit):
    life = replace(patient.life, high_grade=True)
    rims = {}
    for seed in range(8):
        appearance = Appearance.draw(visit.anatomy.grid, np.random.default_rng(seed))
        whole = lesion_of(visit.density, life, visit.anatomy, replace(appearance, uptake=None))
        patchy = lesion_of(visit.density, life, visit.anatomy, appearance)
        np.testing.assert_array_equal(patchy.core, whole.core)
        np.testing.assert_array_equal(patchy.solid, whole.enhancing & ~patchy.enhancing)
        rims[seed] = patchy.enhancing.sum() / whole.enhancing.sum()
        assert (rims[seed] == 1) == (appearance.uptake is None)
    assert 0.1 < min(rims.values()) < 0.9 < max(rims.values())


def test_a_tumor_of_which_nothing_shows_any_more_has_no_compartments(patient, visit):
    for left in (1e-5, 0.0):
        density = replace(visit.density, data=visit.density.data * np.float32(left))
        appearance = Appearance.draw(visit.anatomy.grid, np.random.default_rng(0))
        lesion = lesion_of(density, patient.life, visit.anatomy, appearance)
        assert not lesion.labels(density.grid.shape, BRATS).any()
        assert scan(visit.anatomy, lesion, np.random.default_rng(0)).keys() == {"t1", "t1c", "t2", "flair"}


def test_roughness_stays_where_it_is_when_a_tumor_grows(patient, visit):
    """Where the density is the same, so are the outlines, however large the rest of the tumor is."""
    appearance = Appearance.draw(visit.anatomy.grid, np.random.default_rng(0))
    before = lesion_of(visit.density, patient.life, visit.anatomy, appearance).labels(visit.density.grid.shape, BRATS)
    grown = visit.density.data.copy()
    middle = np.argwhere(before > 0).mean(axis=0).astype(int)
    far = np.abs(np.arange(grown.shape[0]) - middle[0]) > 60
    grown[far] = np.where(visit.anatomy.brain[far], 0.01, 0)
    after = lesion_of(replace(visit.density, data=grown), patient.life, visit.anatomy, appearance)
    np.testing.assert_array_equal(after.labels(visit.density.grid.shape, BRATS), before)


def test_contrasts_are_those_of_mri(visit):
    labels, anatomy, images = visit.labels(BRATS), visit.anatomy, visit.images
    white = (anatomy.white_matter > 0.95) & (labels == 0)
    fluid = (anatomy.csf > 0.95) & (labels == 0)
    mean = {name: (data[white].mean(), data[fluid].mean()) for name, data in images.items()}
    assert mean["t1"][0] > 2 * mean["t1"][1]
    assert mean["t2"][0] < 0.7 * mean["t2"][1]
    assert mean["flair"][0] > mean["flair"][1]
    assert images["t1c"][labels == 4].mean() > 1.1 * mean["t1c"][0]
    assert images["flair"][labels == 2].mean() > 1.2 * mean["flair"][0]
    assert images["pet"][labels == 4].mean() > 1.5 * images["pet"][white].mean()
    for data in images.values():
        assert not data[~anatomy.brain].any()


def test_thick_slices_keep_a_ramp_and_blur_a_line():
    ramp = np.broadcast_to(np.arange(40, dtype=np.float32), (4, 4, 40)).copy()
    thick = _thick_slices(ramp, 2, 5.0, (1.0, 1.0, 1.0))
    np.testing.assert_allclose(thick[..., 8:-8], ramp[..., 8:-8], atol=0.6)
    line = np.zeros((4, 4, 40), np.float32)
    line[..., 20] = 1
    assert _thick_slices(line, 2, 5.0, (1.0, 1.0, 1.0)).max() < 0.3


def test_fields_of_coarse_voxels_come_back_linear():
    middles = [np.arange(n) * 2 + 0.5 for n in (5, 6, 7)]
    coarse = middles[0][:, None, None] + 2 * middles[1][None, :, None] - middles[2][None, None, :]
    box = Box((1, 2, 3), (8, 9, 10))
    x, y, z = np.meshgrid(*[np.arange(a, b) for a, b in zip(*box, strict=True)], indexing="ij")
    np.testing.assert_allclose(refine(coarse.astype(np.float32), 2, box), x + 2.0 * y - z, atol=1e-4)


@pytest.mark.slow
def test_a_patient_under_care_has_a_cavity_and_its_tumor_shrinks():
    law = CohortLaw(seed=2, growth="fisher-kolmogorov", care="standard", num_visits=3)
    patient = next(
        made for made in (make_synthetic_patient(number, law) for number in range(6)) if made.extent == "gross-total"
    )
    kinds = [entry.kind for entry in patient.treatments]
    assert kinds == [Resection.kind, Radiotherapy.kind, "chemotherapy", "chemotherapy"]
    before, after, later = patient.visits
    assert before.cavity is None
    assert after.cavity is not None
    labels = after.labels(SCHEMAS["brats-2024"])
    assert (labels == 4).sum() == after.cavity.sum()
    assert after.density.burden() < 0.8 * before.density.burden()
    assert later.density.burden() < after.density.burden()
    assert not after.density.data[after.cavity].any()


@pytest.mark.slow
def test_mass_effect_moves_tissue_away_from_the_tumor():
    patient = make_synthetic_patient(1, CohortLaw(seed=1, growth="mass-effect", care="none"))
    (visit,) = patient.visits
    assert visit.displacement is not None
    place = visit.density.grid.world_from_voxel(np.argwhere(visit.lesion.labels(visit.density.grid.shape, BRATS) > 0))
    middle = place.mean(axis=0)
    index = np.argwhere((visit.density.data > 0.05) & (visit.density.data < 0.3) & visit.anatomy.brain)[::50]
    outwards = visit.density.grid.world_from_voxel(index) - middle
    moved = visit.displacement[:, *index.T].T
    assert np.mean((outwards * moved).sum(axis=1) > 0) > 0.8
    assert 0.3 < np.linalg.norm(moved, axis=1).max() < 25


def test_lives_lie_within_their_law(visit):
    law, generator = LifeLaw(), np.random.default_rng(0)
    lives = [draw_life(visit.anatomy, generator, growth="mass-effect") for _ in range(30)]
    for life in lives:
        assert law.width_mm[0] <= life.width <= law.width_mm[1]
        assert law.speed_mm_d[0] <= life.speed <= law.speed_mm_d[1]
        assert law.pressure_kpa[0] <= life.pressure_kpa <= law.pressure_kpa[1]
        for seed in life.seeds:
            voxel = np.rint(visit.anatomy.grid.voxel_from_world(np.array(seed))).astype(int)
            assert visit.anatomy.white_matter[tuple(voxel)] > 0.3
    assert {len(life.seeds) for life in lives} >= {1, 2}


def test_a_cohort_of_nothing_is_refused():
    with pytest.raises(InputError, match="1 to 20 visits"):
        CohortLaw(num_visits=0)
    with pytest.raises(InputError, match="care of"):
        CohortLaw(care="some")


def test_a_tumor_that_pushes_beyond_what_elasticity_knows_is_drawn_anew(monkeypatch):
    drawn = []

    def draw(number, law, generator):
        drawn.append(generator.uniform())
        if len(drawn) < 3:
            raise ConvergenceError("mass effect", expected="less", got="more", advice="draw another")
        return number

    monkeypatch.setattr("gliocast.cohort.synthetic._draw_patient", draw)
    assert make_synthetic_patient(4, CohortLaw(seed=9)) == 4
    assert len(set(drawn)) == 3
    assert drawn[0] == np.random.default_rng([9, 4]).uniform()  # as it was without another try


def test_where_every_tumor_pushes_too_hard_it_is_said(monkeypatch):
    def draw(number, law, generator):
        raise ConvergenceError("mass effect", expected="less", got="more", advice="draw another")

    monkeypatch.setattr("gliocast.cohort.synthetic._draw_patient", draw)
    with pytest.raises(ConvergenceError, match="mass effect"):
        make_synthetic_patient(0, CohortLaw())
