import numpy as np
import pytest
from scipy import ndimage

from gliocast.anatomy import Correspondence
from gliocast.anatomy.dura import between, dura_of
from gliocast.core import SCHEMAS, Anatomy, Density, Grid, InputError, LabelMap
from gliocast.data.atlas import load_mni152
from gliocast.planning import (
    Barriers,
    barriers_from_atlas,
    compare_plans,
    coverage_curve,
    make_plan,
    standard_ctv,
    surface_area,
    treatable_region,
)
from gliocast.planning.geodesic import shortest_paths


def line_up(spacing, extent_mm=60.0):
    shape = tuple(int(extent_mm / h) + 1 for h in spacing)
    return shape, np.moveaxis(np.indices(shape), 0, -1) * np.array(spacing)


def point_at(shape, index):
    mask = np.zeros(shape, dtype=bool)
    mask[index] = True
    return mask


def test_without_a_wall_in_between_distances_are_euclidean():
    spacing = (1.0, 0.8, 2.5)
    shape, points = line_up(spacing)
    source = point_at(shape, (20, 30, 12))
    wall = np.zeros(shape, dtype=bool)
    wall[45, 10:20, 5] = True
    length = shortest_paths(source, wall, spacing=spacing, reach_mm=20.0)
    straight = np.linalg.norm(points - points[20, 30, 12], axis=-1)
    near = straight <= 20.0
    assert np.allclose(length[near], straight[near], rtol=1e-12)
    assert not np.isfinite(length[straight > 20.01]).any()


# Behind the edge of a half plane the shortest path is two straight lines, unfolded into one. A wall of voxels is a
# voxel thick, so that the way around its edge is up to half a voxel longer: 2 % of 25 mm at 1 mm, 4 % of slices of 2.5.
@pytest.mark.parametrize(("spacing", "tolerance"), [((1.0, 1.0, 1.0), 0.02), ((1.0, 0.8, 2.5), 0.04)])
def test_path_around_an_edge_is_as_long_as_geometry_says(spacing, tolerance):
    shape, points = line_up(spacing)
    x, y, z = np.moveaxis(points, -1, 0)
    plane, edge = int(30 / spacing[0]), int(30 / spacing[1])
    wall = np.zeros(shape, dtype=bool)
    wall[plane, :edge] = True
    start = (int(20 / spacing[0]), int(26 / spacing[1]), int(30 / spacing[2]))
    length = shortest_paths(point_at(shape, start), wall, spacing=spacing, reach_mm=30.0)
    sx, sy, sz = points[start]
    ex, ey = plane * spacing[0], edge * spacing[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        hidden = (x > ex) & (sy + (y - sy) * (ex - sx) / (x - sx) < ey)
    exact = np.hypot(np.hypot(sx - ex, sy - ey) + np.hypot(x - ex, y - ey), z - sz)
    inside = hidden & (exact < 30.0 * (1 - tolerance))
    assert inside.sum() > 1_000
    assert np.abs(length[inside] / exact[inside] - 1).max() < tolerance


def test_path_through_a_hole_is_as_long_as_the_best_of_all_bent_once():
    spacing = (1.0, 1.0, 1.0)
    shape, points = line_up(spacing)
    hole = np.hypot(points[30, ..., 1] - 30, points[30, ..., 2] - 30) < 6.5
    wall = np.zeros(shape, dtype=bool)
    wall[30] = ~hole
    start = (20, 24, 30)
    length = shortest_paths(point_at(shape, start), wall, spacing=spacing, reach_mm=30.0)
    doors = points[30][hole]
    targets = np.argwhere(np.isfinite(length) & (points[..., 0] > 30))[::37]
    to_doors = np.linalg.norm(targets[:, None] - doors, axis=-1) + np.linalg.norm(doors - points[start], axis=-1)
    exact = to_doors.min(axis=1)
    assert len(targets) > 300
    assert np.abs(length[tuple(targets.T)] / exact - 1).max() < 0.02


def test_closed_wall_lets_nothing_through_not_even_diagonally():
    _, points = line_up((1.0, 1.0, 1.0), 40.0)
    slanted = points @ np.array([0.6, 0.5, 0.3]) - 25.0
    wall = between(slanted)
    source = (slanted < -6) & (slanted > -8)
    length = shortest_paths(source, wall, spacing=(1.0, 1.0, 1.0), reach_mm=20.0)
    assert np.isfinite(length[(slanted < 0) & ~wall]).any()
    assert not np.isfinite(length[(slanted > 0) & ~wall]).any()
    assert not np.isfinite(length[wall]).any()


def test_wall_is_open_where_the_source_lies_in_it():
    shape, _ = line_up((1.0, 1.0, 1.0), 30.0)
    wall = np.zeros(shape, dtype=bool)
    wall[15] = True
    source = np.zeros(shape, dtype=bool)
    source[14:16, 15, 15] = True
    length = shortest_paths(source, wall, spacing=(1.0, 1.0, 1.0), reach_mm=10.0)
    assert length[20, 15, 15] == pytest.approx(5.0)


def test_layer_between_two_sides_is_thin_and_closed():
    _, points = line_up((1.0, 1.0, 1.0), 30.0)
    signed = np.linalg.norm(points - 15.0, axis=-1) - 9.3
    layer = between(signed)
    assert np.abs(signed[layer]).max() <= np.sqrt(3) / 2 + 1e-6
    for axis in range(3):
        for other in range(3):
            shifted = np.roll(np.roll(signed, 1, axis), 1, other) if axis != other else np.roll(signed, 1, axis)
            caught = layer | (np.roll(np.roll(layer, 1, axis), 1, other) if axis != other else np.roll(layer, 1, axis))
            inner = np.s_[2:-2, 2:-2, 2:-2]
            assert caught[inner][((signed < 0) != (shifted < 0))[inner]].all()


@pytest.fixture(scope="module")
def atlas_barriers():
    """Falx and tentorium on the atlas itself, on every second of its voxels."""
    atlas = load_mni152()
    grid = atlas.t1.grid.crop((0, 0, 0), (196, 232, 188)).coarsen((2, 2, 2))
    nodes = grid.crop((0, 0, 0), (100, 116, 96)).coarsen((4, 4, 4))
    places = nodes.world_from_voxel(np.moveaxis(np.indices(nodes.shape), 0, -1))
    correspondence = Correspondence(np.moveaxis(places, -1, 0).astype(np.float32), nodes)
    barriers = barriers_from_atlas(atlas, correspondence, grid)
    assert barriers is not None
    brain = atlas.t1.data[:196:2, :232:2, :188:2] > 0
    return barriers, brain


def index_of(grid, *world_mm):
    return tuple(np.rint(grid.voxel_from_world(np.array(world_mm, float))).astype(int))


def length_between(barriers, start_mm, end_mm, reach_mm=60.0):
    grid = barriers.grid
    source = point_at(grid.shape, index_of(grid, *start_mm))
    length = shortest_paths(source, barriers.wall, spacing=grid.spacing, reach_mm=reach_mm)
    return length[index_of(grid, *end_mm)] / np.linalg.norm(np.subtract(end_mm, start_mm))


# Points of MNI152 on two sides of a sheet, and such that tissue connects.
@pytest.mark.parametrize(
    ("start", "end"),
    [
        ((8, -20, 55), (-8, -20, 55)),  # both precentral gyri, at the vertex
        ((6, 50, 10), (-6, 50, 10)),  # both medial frontal gyri
        ((8, -85, 5), (-8, -85, 5)),  # both cunei
        ((24, -75, -8), (24, -75, -32)),  # fusiform gyrus and cerebellum
        ((40, -50, -14), (36, -52, -38)),  # the same, farther to the side
    ],
)
def test_no_short_way_leads_through_falx_or_tentorium(atlas_barriers, start, end):
    barriers, _ = atlas_barriers
    assert length_between(barriers, start, end) > 1.8


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ((12, 5, 25), (-12, 5, 25)),  # body of the corpus callosum
        ((10, 28, 8), (-10, 28, 8)),  # genu
        ((10, -38, 14), (-10, -38, 14)),  # splenium
        ((10, -16, 8), (-10, -16, 8)),  # both thalami
        ((6, -20, -5), (4, -28, -30)),  # midbrain and pons
        ((12, -30, -32), (22, -52, -36)),  # pons and cerebellum, along the peduncle
        ((15, -65, -35), (-15, -65, -35)),  # both hemispheres of the cerebellum
        ((30, -20, 20), (40, -40, -10)),  # parietal and temporal lobe
    ],
)
def test_way_through_tissue_stays_open(atlas_barriers, start, end):
    barriers, _ = atlas_barriers
    assert length_between(barriers, start, end) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(("name", "smallest", "largest"), [("falx", 60, 115), ("tentorium", 45, 85)])
def test_sheets_are_symmetric_and_about_as_large_as_dura(atlas_barriers, name, smallest, largest):
    """Adults have a falx of 60 to 80 cm^2, here with what lies below its free edge, and a tentorium of 50 to 65."""
    barriers, brain = atlas_barriers
    sheet = barriers.masks[name] & brain
    assert smallest < surface_area(sheet, barriers.grid.spacing) / 2 / 100 < largest
    # the grid's middle lies half a voxel beside the atlas', and a sheet takes one side
    mirrored = ndimage.binary_dilation(sheet[::-1], iterations=2)
    assert mirrored[sheet].mean() > 0.98


def test_derived_dura_is_read_from_the_cache_the_second_time(tmp_path, monkeypatch):
    monkeypatch.setenv("GLIOCAST_CACHE", str(tmp_path))
    first = dura_of(load_mni152())
    assert len(list(tmp_path.glob("*.npz"))) == 1
    monkeypatch.setattr("gliocast.anatomy.dura._below", None)
    again = dura_of(load_mni152())
    assert np.array_equal(first.below.data, again.below.data)
    assert np.array_equal(first.crossing, again.crossing)


GRID = Grid((60, 50, 50), np.eye(4))


@pytest.fixture
def two_halves():
    """A core of 6 mm, 10 mm to one side of a falx with a hole, in a brain that fills the field of view."""
    points = np.moveaxis(np.indices(GRID.shape), 0, -1)
    core = np.linalg.norm(points - np.array([20, 25, 25]), axis=-1) < 6
    labels = LabelMap((3 * core).astype(np.uint8), GRID, SCHEMAS["brats-2023"])
    everywhere = np.ones(GRID.shape, dtype=bool)
    white = everywhere.astype(np.float32)
    anatomy = Anatomy(white, 0 * white, 0 * white, everywhere, GRID)
    falx = np.zeros(GRID.shape, dtype=bool)
    falx[30] = True
    falx[30, :12] = False
    distance = np.linalg.norm(points - np.array([20, 25, 25]), axis=-1)
    return labels, anatomy, Barriers({"falx": falx}, GRID), Density(np.exp(-distance / 6).astype(np.float32), GRID)


def test_standard_ctv_stops_at_the_falx_and_goes_around_its_edge(two_halves):
    labels, anatomy, barriers, _ = two_halves
    straight = standard_ctv(labels, anatomy, margin_mm=15.0)
    kept = standard_ctv(labels, anatomy, margin_mm=15.0, barriers=barriers)
    assert not kept[30:, 20:].any()
    assert straight[31:, 20:].any()
    assert np.array_equal(kept[:30], straight[:30])
    assert not kept[~straight].any()
    around = standard_ctv(labels, anatomy, margin_mm=22.0, barriers=barriers)
    assert around[32, :12].any()


def test_plan_and_coverage_curve_keep_to_the_same_barriers(two_halves):
    labels, anatomy, barriers, density = two_halves
    plan = make_plan(labels, anatomy, density, margin_mm=10.0, barriers=barriers)
    assert not (plan["ctv_standard"] & barriers.wall).any()
    assert not (plan["ctv_model"] & barriers.wall).any()
    assert plan["ctv_model"].sum() == plan["ctv_standard"].sum()
    curve = coverage_curve(density, labels, anatomy, barriers=barriers, widest_margin_mm=20.0, num_points=21)
    comparison = compare_plans(plan, density, labels)
    assert curve.volume_ml[10] == pytest.approx(comparison.standard_ml)
    assert curve.covered_by_margin[10] == pytest.approx(comparison.covered_by_standard, rel=1e-9)


def test_barrier_in_the_gtv_is_open_and_named(two_halves):
    labels, anatomy, barriers, _ = two_halves
    assert barriers.sentence(labels.core) is None
    shifted = LabelMap(np.roll(labels.data, 8, axis=0), GRID, labels.schema)
    sentence = barriers.sentence(shifted.core)
    assert sentence is not None
    assert "falx" in sentence
    assert treatable_region(shifted, anatomy, barriers)[shifted.core].all()
    assert standard_ctv(shifted, anatomy, margin_mm=10.0, barriers=barriers)[shifted.core].all()


def test_barriers_that_are_none_are_refused():
    with pytest.raises(InputError, match="falx: expected at least one voxel"):
        Barriers({"falx": np.zeros(GRID.shape, dtype=bool)}, GRID)
    with pytest.raises(InputError, match="bool mask"):
        Barriers({"falx": np.ones(GRID.shape)}, GRID)
    with pytest.raises(InputError, match="neither"):
        Barriers({}, GRID)


def test_barriers_on_another_grid_are_refused(two_halves):
    labels, anatomy, barriers, _ = two_halves
    moved = Barriers(barriers.masks, Grid(GRID.shape, np.diag([1.0, 1.0, 1.1, 1.0])))
    with pytest.raises(InputError, match="barriers"):
        standard_ctv(labels, anatomy, margin_mm=10.0, barriers=moved)
