"""Moving and still pictures of growth, on a brain of a few voxels."""

import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from gliocast.core import Chemotherapy, Density, Grid, Radiotherapy, Resection, Treatments, Volume
from gliocast.report.film import FAINTEST, Film, Shot
from gliocast.report.growth import even_days, past, tint
from gliocast.report.movie import growth_gif, movie_frames
from gliocast.report.slices import AXIAL, CORONAL, PLANES, SAGITTAL
from gliocast.report.strip import growth_strip

SHAPE, SPACING = (24, 28, 20), 6.0
DAYS = (0.0, 50.0, 100.0, 150.0)
CENTER = np.array([30.0, -12.0, 18.0])


def grid_of(signs=(1, 1, 1)):
    steps = SPACING * np.array(signs)
    affine = np.diag([*steps, 1.0])
    affine[:3, 3] = -steps * (np.array(SHAPE) - 1) / 2
    return Grid(SHAPE, affine)


def points(grid):
    return np.moveaxis(grid.world_from_voxel(np.moveaxis(np.indices(SHAPE), 0, -1)), -1, 0)


def ball(grid, radius, center=CENTER):
    return np.linalg.norm(points(grid) - center[:, None, None, None], axis=0) < radius


def density_on(grid, day, center=CENTER):
    distance = np.linalg.norm(points(grid) - center[:, None, None, None], axis=0)
    data = 1 / (1 + np.exp((distance - 5 - day / 8) / 4))
    return Density(np.where(data > FAINTEST, data, 0).astype(np.float32), grid, day)


def make_film(signs=(1, 1, 1), treatments=(), displacement=None, days=DAYS):
    grid = grid_of(signs)
    brain = ball(grid, 65, np.zeros(3))
    shots = [Shot.of(density_on(grid, day), displacement) for day in days]
    curve = np.array([[shot.day for shot in shots], [shot.burden_ml for shot in shots]])
    background = np.where(brain, 0.5 + points(grid)[0] / 200, 0).astype(np.float32)
    return Film("Test growth", grid, background, brain, shots, curve, Treatments(tuple(treatments)))


@pytest.fixture(scope="module")
def frames():
    return list(movie_frames(make_film()))


def test_there_is_a_frame_for_each_shot_and_all_differ(frames):
    assert len(frames) == len(DAYS)
    assert {frame.shape for frame in frames} == {frames[0].shape}
    for a, b in pairwise(frames):
        assert (a != b).any()


def test_what_stays_is_the_same_in_every_frame(frames):
    moved = np.any([(frame != frames[0]).any(axis=-1) for frame in frames], axis=0)
    height = moved.shape[0]
    assert moved.mean() < 0.3
    # the notice at the foot, and the coordinates of the planes
    assert not moved[-12:].any()
    assert not moved[35:60].any()
    assert moved[: height // 2].any()  # the tumor


def test_gif_shows_the_frames_in_the_colors_of_one_palette(frames):
    film = make_film()
    image = Image.open(io.BytesIO(growth_gif(film)))
    assert (image.n_frames, image.info["loop"]) == (len(DAYS), 0)
    for number, frame in enumerate(frames):
        image.seek(number)
        seen = np.asarray(image.convert("RGB"), dtype=int)
        wrong = np.abs(seen - frame).max(axis=-1)
        # half a step of the 64 grays; colors come from some of the frames, and are many
        assert wrong[np.ptp(frame, axis=-1) == 0].max() <= 3
        assert np.mean(wrong > 24) < 1e-3
        white, black = (frame == 255).all(axis=-1), (frame == 0).all(axis=-1)
        assert (seen[white] == 255).all()
        assert (seen[black] == 0).all()


def test_pictures_repeat_to_the_byte():
    assert growth_gif(make_film()) == growth_gif(make_film())
    assert growth_strip(make_film()) == growth_strip(make_film())


def test_progress_ends_at_one():
    said = []
    growth_gif(make_film(), progress=said.append)
    assert said == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_strip_shows_the_days_from_left_to_right():
    image = Image.open(io.BytesIO(growth_strip(make_film())))
    assert image.format == "PNG"
    pixels = np.asarray(image.convert("RGB"), dtype=int)[: int(0.8 * image.height)]
    columns = np.array_split(np.ptp(pixels, axis=2) > 60, len(DAYS) - 1, axis=1)  # no column for day 0
    colored = [np.count_nonzero(column) for column in columns]
    assert colored == sorted(colored)
    assert colored[0] > 0


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1)], ids=["RAS", "LPS"])
def test_planes_pass_through_the_tumor_wherever_the_axes_run(signs):
    film = make_film(signs)
    for axis in range(3):
        assert film.frame.coordinates(axis)[film.index[axis]] == pytest.approx(CENTER[axis], abs=SPACING / 2)
    for plane in PLANES:
        assert film.density(film.shots[-1], plane).max() == pytest.approx(1, abs=0.01)


def test_planes_are_those_of_the_largest_tumor_where_treatment_left_little():
    grid = grid_of()
    tumor, rest = density_on(grid, 150.0), density_on(grid, 0.0, -CENTER)
    film = make_film()
    shots = [Shot.of(tumor), Shot.of(Density(0.1 * rest.data, grid, 200.0))]
    film = Film(film.title, grid, film.background, film.brain, shots, film.curve, film.treatments)
    assert film.frame.coordinates(0)[film.index[0]] == pytest.approx(CENTER[0], abs=SPACING / 2)


def test_shot_keeps_the_density_in_half_precision():
    grid = grid_of()
    density = density_on(grid, 100.0)
    shot = Shot.of(density)
    np.testing.assert_allclose(shot.on(grid), density.data, atol=5e-4)  # float16 below one
    assert shot.burden_ml == pytest.approx(density.burden() / 1000)
    empty = Shot.of(Density(np.zeros(SHAPE, np.float32), grid, 1.0))
    assert not empty.on(grid).any()


@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, -1, 1)], ids=["RAS", "LPS"])
@pytest.mark.parametrize(("plane", "axis"), [(AXIAL, 0), (AXIAL, 1), (CORONAL, 2), (SAGITTAL, 1)])
def test_anatomy_moves_with_the_tissue(signs, plane, axis):
    """A shift by one voxel along a world axis shows each voxel's neighbor."""
    moved = np.zeros((3, *SHAPE), dtype=np.float32)
    moved[axis] = SPACING
    film, still = make_film(signs, displacement=moved), make_film(signs)
    after, before = (part.anatomy(part.shots[-1], plane) for part in (film, still))
    along = 1 if axis == plane.horizontal else 0
    inner = [slice(2, -2), slice(2, -2)]
    shifted = np.roll(before, 1, axis=along)  # slices are in RAS order
    np.testing.assert_allclose(after[tuple(inner)], shifted[tuple(inner)], atol=1e-5)


def test_lattice_and_anatomy_are_drawn_anew_where_tissue_moves():
    moved = np.zeros((3, *SHAPE), dtype=np.float32)
    moved[0] = 4.0
    (first, *_), (other, *_) = movie_frames(make_film()), movie_frames(make_film(displacement=moved))
    panels = slice(65, first.shape[0] // 2)
    assert (first[panels] != other[panels]).any(axis=-1).mean() > 0.1


def test_cavity_is_dark_after_the_resection_alone():
    grid = grid_of()
    film = make_film(treatments=[Resection(75, Volume(ball(grid, 15), grid))])
    inside = film.frame.cut(ball(grid, 15), AXIAL, film.index[2])
    before, after = (film.anatomy(film.shots[number], AXIAL)[inside] for number in (1, 2))
    assert before.min() > 0.4
    assert after.max() < 0.2


def test_necrosis_is_outlined_where_half_of_the_cells_are_dead():
    grid = grid_of()
    density = density_on(grid, 150.0)
    shot = Shot.of(density, necrotic=np.where(ball(grid, 14), 0.8, 0.2).astype(np.float32) * density.data)
    share = shot.dead_share(grid)
    np.testing.assert_array_equal(share > 0.5, ball(grid, 14))
    assert not share[density.data < 0.05].any()
    film = make_film()
    with_core = Film("Test", grid, film.background, film.brain, [shot, shot], film.curve, film.treatments)
    assert with_core.has_necrosis
    assert not film.has_necrosis
    (drawn, _), (*_, plain) = movie_frames(with_core), movie_frames(film)
    panels = slice(65, drawn.shape[0] // 2)
    assert (drawn[panels] != plain[panels]).any()


def test_treatments_stand_above_the_curve():
    grid = grid_of()
    dose = Volume(np.where(ball(grid, 40), np.float32(60), np.float32(0)), grid)
    entries = [
        Resection(40, Volume(ball(grid, 10), grid)),
        Radiotherapy(dose, tuple(range(60, 90)), 0.06),
        Chemotherapy((60.0, 61.0), 0.1, 0.075),
    ]
    plain, treated = (next(movie_frames(make_film(treatments=part))) for part in ((), entries))
    foot = slice(int(0.7 * plain.shape[0]), None)
    green = (np.abs(treated[foot].astype(int) - (0x00, 0x9E, 0x73)) < 30).all(axis=-1)
    assert green.any()
    assert (plain[foot] != treated[foot]).any()


def test_curve_until_a_day_ends_on_it():
    curve = np.array([[0.0, 10.0, 20.0], [1.0, 2.0, 4.0]])
    np.testing.assert_array_equal(past(curve, 10.0), curve[:, :2])
    np.testing.assert_array_equal(past(curve, 15.0), [[0, 10, 15], [1, 2, 3]])


def test_days_of_the_strip_are_even_up_to_the_last():
    assert even_days(np.arange(31.0), 5) == [6, 12, 18, 24, 30]
    assert even_days([0.0, 1.0], 5) == [0, 1]


def test_tint_is_clear_without_cells_and_gets_lighter_with_density():
    color = tint(np.linspace(0, 1, 101))
    assert color[0, 3] == 0
    assert (np.diff(color[:, 3]) >= 0).all()
    luminance = color[:, :3] @ (0.2126, 0.7152, 0.0722)
    assert (np.diff(luminance) > -1e-3).all()
