import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from gliocast.core import Grid
from gliocast.report.panels import make_panels
from gliocast.report.slices import AXIAL, CORONAL, PLANES, SAGITTAL, Frame

SPACING = np.array([2.0, 3.0, 4.0])
SHAPE = (40, 36, 25)
# where a marker lies in the patient, from the middle of the volume [mm, RAS]: left, front, head
MARKER_MM = np.array([-22.0, 27.0, 28.0])


def oriented(order, signs):
    """A RAS volume with a marker, stored with permuted and reversed axes; returns (data, grid)."""
    index = np.indices(SHAPE).reshape(3, -1).T
    offset = (index - (np.array(SHAPE) - 1) / 2) * SPACING
    data = (np.linalg.norm(offset - MARKER_MM, axis=1) < 8).reshape(SHAPE).astype(np.float32)
    affine = np.eye(4)
    affine[:3, :3] = np.diag(SPACING)
    affine[:3, 3] = -(np.array(SHAPE) - 1) / 2 * SPACING
    flips = tuple(slice(None, None, int(sign)) for sign in signs)
    start = [0 if sign > 0 else n - 1 for sign, n in zip(signs, SHAPE, strict=True)]
    stored = affine.copy()
    stored[:3, 3] = (affine @ [*start, 1])[:3]
    stored[:3, :3] = affine[:3, :3] * np.asarray(signs)
    stored[:, :3] = stored[:, list(order)]
    return data[flips].transpose(order), Grid(tuple(SHAPE[axis] for axis in order), stored)


ORIENTATIONS = {
    "RAS": ((0, 1, 2), (1, 1, 1)),
    "LPS": ((0, 1, 2), (-1, -1, 1)),
    "PIR": ((1, 2, 0), (1, -1, -1)),
    "SAL": ((2, 1, 0), (-1, 1, 1)),
}


def marker_on_page(panels, column):
    """Mean position of the brightest pixels of a panel, from its lower left corner, as shares of its size."""
    axes = panels.axes[0, column]
    for text in [*axes.texts, *axes.lines]:  # letters and scale bar are bright too
        text.set_visible(False)
    canvas = FigureCanvasAgg(panels.figure)
    canvas.draw()
    box = axes.get_window_extent()
    pixels = np.asarray(canvas.buffer_rgba())[::-1, :, 0]
    image = pixels[int(box.y0) + 2 : int(box.y1) - 2, int(box.x0) + 2 : int(box.x1) - 2]
    rows, columns = np.nonzero(image > 128)
    return columns.mean() / image.shape[1], rows.mean() / image.shape[0]


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_every_orientation_turns_to_the_same_volume(name):
    data, grid = oriented(*ORIENTATIONS[name])
    reference, _ = oriented(*ORIENTATIONS["RAS"])
    assert np.array_equal(Frame.of(grid).turn(data), reference)


@pytest.mark.parametrize("name", ORIENTATIONS)
def test_patients_left_is_on_the_right_of_the_page(name):
    data, grid = oriented(*ORIENTATIONS[name])
    frame = Frame.of(grid)
    window = frame.box_around(np.ones(grid.shape, dtype=bool), border_mm=0.0)
    panels = make_panels(grid, data > 0, window, num_rows=1, foot_in=0.3)
    panels.image(0, data, vmin=0, vmax=1)
    expected = {  # the marker lies to the left, the front and the head of the patient
        AXIAL: (0.5 + 22 / 80, 0.5 + 27 / 108),
        CORONAL: (0.5 + 22 / 80, 0.5 + 28 / 108),
        SAGITTAL: (0.5 - 27 / 108, 0.5 + 28 / 108),
    }
    for column, plane in enumerate(PLANES):
        assert marker_on_page(panels, column) == pytest.approx(expected[plane], abs=0.04), plane.name


def test_panels_share_one_scale_in_both_directions():
    data, grid = oriented(*ORIENTATIONS["PIR"])
    window = Frame.of(grid).box_around(data > 0, border_mm=10.0)
    panels = make_panels(grid, data > 0, window, num_rows=2, foot_in=0.3)
    scales = []
    for axes in panels.axes.ravel():
        box = axes.get_window_extent()
        scales += [box.width / abs(np.diff(axes.get_xlim())[0]), box.height / abs(np.diff(axes.get_ylim())[0])]
    assert np.ptp(scales) < 1e-6 * scales[0]


def test_coordinates_are_the_scanners():
    _, grid = oriented(*ORIENTATIONS["LPS"])
    frame = Frame.of(grid)
    corners = grid.world_from_voxel(np.array([[0, 0, 0], np.array(grid.shape) - 1]))
    for axis in range(3):
        assert frame.coordinates(axis)[[0, -1]] == pytest.approx(np.sort(corners[:, axis]))


def test_oblique_grid_is_turned_to_the_nearest_axes():
    angle = np.deg2rad(20)
    rotation = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = rotation @ np.diag([-1.0, -1.0, 5.0])
    frame = Frame.of(Grid((10, 12, 5), affine))
    assert frame.order == (0, 1, 2)
    assert frame.flip == (True, True, False)


def test_center_lies_inside_a_hollow_mask():
    grid = Grid((21, 21, 21), np.eye(4))
    radius = np.linalg.norm(np.moveaxis(np.indices(grid.shape), 0, -1) - 10, axis=-1)
    shell = (radius > 5) & (radius < 8)
    assert shell[Frame.of(grid).center_of(shell)]
