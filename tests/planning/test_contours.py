import numpy as np
import pytest
from scipy import ndimage
from tests.planning.rasterizer import even_odd

from gliocast.core import Grid, InputError, Volume
from gliocast.planning.contours import keyhole, outline, signed_area


def contours_of(plane):
    plane = np.asarray(plane, dtype=np.float32)
    return outline(Volume(plane[:, :, None], Grid((*plane.shape, 1), np.eye(4))), "target")


def filled(contours, shape, fine=1):
    mask = np.zeros([n * fine for n in shape], dtype=bool)
    for contour in contours:
        mask ^= even_odd(contour.points, shape, fine)
    return mask


def num_loops(plane):
    """Outer outlines and holes of a mask in which none meet by a corner."""
    _, parts = ndimage.label(plane)
    _, rest = ndimage.label(np.pad(~plane, 1, constant_values=True))
    return parts, rest - 1


def met_by_a_corner(plane):
    """Where two voxels meet by a corner alone, which an outline may as well join as part."""
    a, b, c, d = plane[:-1, :-1], plane[:-1, 1:], plane[1:, :-1], plane[1:, 1:]
    return (a == d) & (b == c) & (a != b)


@pytest.mark.parametrize("seed", range(20))
def test_contours_of_any_mask_hold_the_centers_of_exactly_its_voxels(seed):
    rng = np.random.default_rng(seed)
    plane = rng.random((14, 11)) < rng.uniform(0.2, 0.9)
    assert (filled(contours_of(plane), plane.shape) == plane).all()


@pytest.mark.parametrize("seed", range(20))
def test_contours_enclose_half_a_voxel_less_per_part_and_more_per_hole(seed):
    smooth = ndimage.gaussian_filter(np.random.default_rng(seed).random((40, 40)), 2)
    plane = ndimage.binary_opening(smooth > np.median(smooth), np.ones((2, 2)))
    while (corners := met_by_a_corner(plane)).any():
        plane[1:, 1:] |= corners
        plane[:-1, 1:] |= corners
    parts, holes = num_loops(plane)
    area = sum(contour.area for contour in contours_of(plane))
    assert parts + holes > 2
    assert area == pytest.approx(plane.sum() - (parts - holes) / 2, abs=1e-9)


def test_polygon_with_holes_has_the_area_of_the_polygon_less_that_of_the_holes():
    outer = np.array([[0, 0], [10, 0], [10, 10], [0, 10]], dtype=float)
    square = np.array([[0, 0], [0, 1], [1, 1], [1, 0]], dtype=float)
    holes = [square * [2, 3] + corner for corner in ([5, 2], [1, 2], [1, 6], [7.5, 6])]
    merged = keyhole(outer, holes)
    assert signed_area(merged) == pytest.approx(100 - 4 * 6)
    centers = even_odd(merged, (10, 10), 4)
    expected = np.zeros((40, 40), dtype=bool)
    xs = -0.5 + (np.arange(40) + 0.5) / 4
    inside = lambda low, size: (xs > low) & (xs < low + size)  # noqa: E731
    expected |= np.outer(xs > 0, xs > 0)
    for hole in holes:
        expected &= ~np.outer(inside(hole[:, 0].min(), 2), inside(hole[:, 1].min(), 3))
    assert (centers == expected).all()


def test_channels_stay_inside_of_the_polygon():
    disk = np.hypot(*(np.indices((40, 40)) - 19.5)) < 18
    for at in ((12, 12), (24, 13), (30, 20), (15, 27), (22, 25)):
        disk[at[0] : at[0] + 3, at[1] : at[1] + 2] = False
    (contour,) = contours_of(disk)
    a, b = contour.points, np.roll(contour.points, -1, axis=0)
    middle = (a + b) / 2
    # edges twice there, once in each direction, are channels: each lies over voxels of the disk
    keys = {tuple(np.round([*p, *q], 6)) for p, q in zip(a, b, strict=True)}
    channels = [m for p, q, m in zip(a, b, middle, strict=True) if tuple(np.round([*q, *p], 6)) in keys]
    assert len(channels) == 2 * 5
    for x, y in channels:
        assert disk[int(np.floor(x)) : int(np.ceil(x)) + 1, int(np.rint(y))].any()


def test_interpolated_disk_is_outlined_where_it_is():
    radius, center = 11.3, (19.27, 20.41)
    distance = np.hypot(*(np.indices((42, 42)) - np.array(center)[:, None, None]))
    (contour,) = contours_of(np.clip(radius - distance + 0.5, 0, 1))
    # chords of an edge of a voxel at most, and a distance that isn't linear in between: both of order h^2 / (8 r)
    assert contour.area == pytest.approx(np.pi * radius**2, rel=5e-3)
    np.testing.assert_allclose(np.hypot(*(contour.points - center).T), radius, atol=0.1)


def test_target_at_the_edge_of_the_image_ends_half_a_voxel_beyond():
    (contour,) = contours_of(np.ones((5, 7)))
    assert (contour.points.min(), contour.points.max(axis=0).tolist()) == (-0.5, [4.5, 6.5])


def test_straight_lines_have_no_points_in_the_middle():
    plane = np.zeros((30, 30))
    plane[5:25, 5:20] = 1
    (contour,) = contours_of(plane)
    assert len(contour.points) == 8  # a rectangle without its corners


def test_voxels_of_just_one_half_are_points_and_left_out():
    plane = np.ones((9, 9))
    plane[4, 4] = 0.5
    (contour,) = contours_of(plane)
    assert contour.area == pytest.approx(81 - 0.5)


@pytest.mark.parametrize(("value", "said"), [(0.0, "nothing to outline"), (0.5, "nothing to outline"), (2.0, "to 2")])
def test_mask_without_outline_is_refused(value, said):
    with pytest.raises(InputError, match=said):
        contours_of(np.full((6, 6), value))


def test_mask_that_is_no_number_somewhere_is_refused():
    plane = np.ones((6, 6))
    plane[2, 2] = np.nan
    with pytest.raises(InputError, match="expected a mask"):
        contours_of(plane)
