import numpy as np
import pytest
import SimpleITK as sitk

from gliocast.core import SCHEMAS, Anatomy, Density, Grid, InputError, LabelMap
from gliocast.planning import (
    EORTC,
    ESTRO_EANO,
    GUIDELINES,
    RTOG,
    find_guideline,
    guideline_targets,
    make_plan,
    planning_target_volume,
)
from gliocast.planning.refined import WIDEST_MM

SPACINGS = [(2.0, 2.0, 2.0), (1.5, 1.2, 3.0)]


def make_case(spacing, *, edema_mm=0.0, half_extent_mm=44.0):
    """A core of 8 mm and edema around it in a brain that fills the field of view."""
    shape = tuple(round(2 * half_extent_mm / h) + 1 for h in spacing)
    grid = Grid(shape, np.diag([*spacing, 1.0]))
    points = grid.world_from_voxel(np.moveaxis(np.indices(shape), 0, -1))
    radius = np.linalg.norm(points - points.reshape(-1, 3).mean(axis=0), axis=-1)
    core = radius <= 8.0
    labels = np.where(core, 3, np.where(radius <= edema_mm, 2, 0)).astype(np.uint8)
    everywhere = np.ones(shape, dtype=bool)
    white = everywhere.astype(np.float32)
    anatomy = Anatomy(white, 0 * white, 0 * white, everywhere, grid)
    return LabelMap(labels, grid, SCHEMAS["brats-2023"]), anatomy, radius


def maurer_distance(mask, grid):
    image = sitk.GetImageFromArray(mask.transpose(2, 1, 0).astype(np.uint8))
    image.SetSpacing(grid.spacing)
    distance = sitk.SignedMaurerDistanceMap(image, insideIsPositive=False, squaredDistance=False, useImageSpacing=True)
    return sitk.GetArrayFromImage(distance).transpose(2, 1, 0)


def assert_ball(mask, grid, radius, expected_mm):
    """A ball's voxels end within a voxel of its radius, and its volume is right to the shell that they leave open."""
    step = max(grid.spacing)
    assert mask[radius <= expected_mm - step].all()
    assert not mask[radius > expected_mm + (step / 2 if step > WIDEST_MM else 1e-4)].any()
    volume = np.count_nonzero(mask) * grid.voxel_volume
    assert volume < 1.03 * 4 / 3 * np.pi * expected_mm**3


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize(("guideline", "margin"), [(ESTRO_EANO, 15.0), (EORTC, 20.0)])
def test_targets_around_a_ball_are_balls_of_the_prescribed_radius(spacing, guideline, margin):
    labels, anatomy, radius = make_case(spacing, edema_mm=14.0)
    volumes = guideline_targets(guideline, labels, anatomy).volumes
    assert set(volumes) == {"gtv", "ctv_standard", "ptv_standard"}
    assert np.array_equal(volumes["gtv"], labels.core)
    assert_ball(volumes["ctv_standard"], labels.grid, radius, 8.0 + margin)
    assert_ball(volumes["ptv_standard"], labels.grid, radius, 8.0 + margin + 3.0)


def test_rtog_treats_edema_first_and_boosts_the_core():
    labels, anatomy, radius = make_case((2.0, 2.0, 2.0), edema_mm=14.0)
    targets = guideline_targets(RTOG, labels, anatomy)
    assert np.array_equal(targets.volumes["gtv_edema"], labels.whole)
    assert_ball(targets.volumes["ctv_standard"], labels.grid, radius, 14.0 + 20.0)
    assert_ball(targets.volumes["ctv_boost"], labels.grid, radius, 8.0 + 20.0)
    assert targets.margins_mm == {"standard": 20.0, "boost": 20.0}


def test_rtog_grows_by_25_mm_where_there_is_no_edema():
    labels, anatomy, radius = make_case((2.0, 2.0, 2.0))
    targets = guideline_targets(RTOG, labels, anatomy)
    assert "gtv_edema" not in targets.volumes
    assert targets.margins_mm == {"standard": 25.0, "boost": 20.0}
    assert_ball(targets.volumes["ctv_standard"], labels.grid, radius, 8.0 + 25.0)


@pytest.mark.parametrize("name", GUIDELINES)
def test_targets_agree_with_an_independent_distance_transform(name):
    labels, anatomy, _ = make_case((1.25, 1.2, 0.9), edema_mm=11.0, half_extent_mm=30.0)
    guideline = GUIDELINES[name].with_margins(margin_mm=9.7123, ptv_margin_mm=3.4123)  # on no lattice distance
    volumes = guideline_targets(guideline, labels, anatomy).volumes
    for phase in guideline.phases:
        start = labels.whole if phase.with_edema else labels.core
        ctv = maurer_distance(start, labels.grid) <= 9.7123
        assert np.array_equal(volumes[f"ctv_{phase.name}"], ctv)
        assert np.array_equal(volumes[f"ptv_{phase.name}"], maurer_distance(ctv, labels.grid) <= 3.4123)


@pytest.mark.parametrize("guideline", GUIDELINES.values(), ids=GUIDELINES)
def test_every_guideline_gives_60_gray_in_fractions_of_two(guideline):
    assert sum(phase.dose_gy for phase in guideline.phases) == 60
    assert {phase.dose_gy / phase.num_fractions for phase in guideline.phases} == {2.0}
    assert 3 <= guideline.ptv_margin_mm <= 5
    assert guideline.phases[0].name == "standard"


def test_default_targets_are_those_of_the_plan():
    labels, anatomy, radius = make_case((2.0, 2.0, 2.0), edema_mm=14.0)
    density = Density(np.exp(-radius / 5).astype(np.float32), labels.grid)
    plan, volumes = make_plan(labels, anatomy, density), guideline_targets(ESTRO_EANO, labels, anatomy).volumes
    for name in volumes:
        assert np.array_equal(plan[name], volumes[name])


def test_ptv_leaves_the_brain_where_the_ctv_does_not():
    labels, anatomy, radius = make_case((2.0, 2.0, 2.0))
    brain = radius < 20
    anatomy = Anatomy(brain.astype(np.float32), anatomy.gray_matter, anatomy.csf, brain, labels.grid)
    volumes = guideline_targets(ESTRO_EANO, labels, anatomy).volumes
    assert np.array_equal(volumes["ctv_standard"], brain)
    assert (volumes["ptv_standard"] & ~brain).any()


def test_other_margins_hold_for_every_phase():
    changed = RTOG.with_margins(margin_mm=10.0)
    assert [(phase.margin_mm, phase.margin_without_edema_mm) for phase in changed.phases] == [(10.0, None)] * 2
    assert changed.ptv_margin_mm == RTOG.ptv_margin_mm


@pytest.mark.parametrize("margin", [0.0, -1.0, 10.1, np.nan, np.inf])
def test_senseless_ptv_margin_is_refused(margin):
    labels, _, _ = make_case((4.0, 4.0, 4.0))
    with pytest.raises(InputError, match="PTV margin"):
        planning_target_volume(labels.core, labels.grid, margin)
    with pytest.raises(InputError, match="PTV margin"):
        ESTRO_EANO.with_margins(ptv_margin_mm=margin)


def test_unknown_guideline_is_refused():
    with pytest.raises(InputError, match="one of estro-eano-2023, eortc-2016, rtog"):
        find_guideline("estro")
