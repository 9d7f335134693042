import numpy as np
import pytest
from scipy import ndimage

from gliocast.anatomy import Match, estimate_anatomy
from gliocast.anatomy import tissue as tissue_module
from gliocast.anatomy.quality import correlation, match, require_brain_match, require_good_match
from gliocast.anatomy.tissue import restore_tissue
from gliocast.core import SCHEMAS, Grid, InputError, LabelMap, QualityError, Scan, Visit, Volume, block_mean
from gliocast.data.atlas import Atlas, load_mni152
from gliocast.data.registration import Registration, to_sitk

GRID = Grid((6, 6, 6), np.eye(4))


@pytest.fixture(scope="module")
def small_atlas():
    """MNI152 on 3 mm voxels."""
    atlas = load_mni152()
    factors = (3, 3, 3)
    upper = tuple(n - n % 3 for n in atlas.t1.grid.shape)
    grid = atlas.t1.grid.crop((0, 0, 0), upper).coarsen(factors)
    window = tuple(slice(0, n) for n in upper)
    parts = (
        Volume(block_mean(v.data[window], factors), grid) for v in (atlas.t1, atlas.white_matter, atlas.gray_matter)
    )
    return Atlas("small", *parts)


@pytest.fixture(scope="module")
def visit(small_atlas):
    """The atlas itself, shrunk by a tenth, shifted and on an LPS grid, with a lesion drawn on it."""
    t1 = small_atlas.t1
    matrix = np.diag([1.1, 1.08, 1.06])
    center = np.array(t1.grid.shape) / 2
    data = ndimage.affine_transform(t1.data, matrix, offset=center - matrix @ center + 1.0, order=1)
    data = np.ascontiguousarray(data[::-1, ::-1])
    affine = t1.grid.affine @ np.diag([-1, -1, 1, 1.0])
    affine[:3, 3] = t1.grid.world_from_voxel([t1.grid.shape[0] - 1, t1.grid.shape[1] - 1, 0])
    grid = Grid(data.shape, affine)
    brain = ndimage.binary_fill_holes(data > 0.05)
    labels = np.zeros(data.shape, np.uint8)
    labels[20:26, 30:37, 30:36] = 2
    labels[22:24, 32:35, 32:34] = 1
    data = np.where(labels > 0, 0.2, data).astype(np.float32) * brain
    scan = Scan("t1", Volume(data, grid))
    return Visit({"t1": scan}, LabelMap(labels, grid, SCHEMAS["brats-2021"]), brain)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("GLIOCAST_CACHE", str(tmp_path))
    return tmp_path


def test_registration_finds_a_known_map_and_repeats_to_the_bit(visit, small_atlas, cache):
    first = estimate_anatomy(visit, small_atlas)
    assert not first.cached
    assert first.quality.correlation > 0.8
    assert first.quality.dice > 0.95
    for file in cache.iterdir():
        file.unlink()
    again = estimate_anatomy(visit, small_atlas)
    assert not again.cached
    np.testing.assert_array_equal(first.anatomy.white_matter, again.anatomy.white_matter)
    np.testing.assert_array_equal(first.anatomy.gray_matter, again.anatomy.gray_matter)


def test_cached_anatomy_is_the_same_and_is_not_used_for_another_lesion(visit, small_atlas, cache, monkeypatch):
    first = estimate_anatomy(visit, small_atlas)
    second = estimate_anatomy(visit, small_atlas)
    assert second.cached
    np.testing.assert_array_equal(first.anatomy.white_matter, second.anatomy.white_matter)
    assert second.quality == first.quality
    other = visit.labels.data.copy()
    other[40:42, 40:42, 30] = 2
    moved = Visit(visit.scans, LabelMap(other, visit.grid, visit.labels.schema), visit.brain)
    monkeypatch.setattr(tissue_module, "_register", lambda *_: (_ for _ in ()).throw(RuntimeError("registered anew")))
    with pytest.raises(RuntimeError, match="registered anew"):
        estimate_anatomy(moved, small_atlas)


def test_tumor_voxels_are_tissue_and_probabilities_sum_to_one_in_the_brain(visit, small_atlas, cache):
    anatomy = estimate_anatomy(visit, small_atlas).anatomy
    tissue = anatomy.white_matter + anatomy.gray_matter
    inside = visit.labels.lesion & visit.brain
    np.testing.assert_allclose(tissue[inside], 1, atol=1e-5)
    total = tissue + anatomy.csf
    np.testing.assert_allclose(total[visit.brain], 1, atol=0.02)
    assert not total[~visit.brain].any()


def test_where_the_atlas_knows_no_tissue_a_lesion_takes_its_own_mixture():
    white, gray = np.full(GRID.shape, 0.3, np.float32), np.full(GRID.shape, 0.1, np.float32)
    white[2], gray[2] = 0, 0
    lesion = np.zeros(GRID.shape, bool)
    lesion[1:4] = True
    anatomy = restore_tissue(white, gray, np.ones(GRID.shape, bool), lesion, GRID)
    np.testing.assert_allclose(anatomy.white_matter[1:4], 0.75, atol=1e-6)
    np.testing.assert_allclose(anatomy.gray_matter[1:4], 0.25, atol=1e-6)
    np.testing.assert_allclose(anatomy.csf[0], 0.6, atol=1e-6)


def test_an_itk_image_has_the_same_world_in_lps():
    affine = np.array([[0, -2.0, 0, 10], [1.0, 0, 0, -20], [0, 0, 3.0, 30], [0, 0, 0, 1]])
    image = to_sitk(np.arange(24.0).reshape(2, 3, 4), Grid((2, 3, 4), affine))
    point = affine @ [1, 2, 3, 1]
    np.testing.assert_allclose(image.TransformIndexToPhysicalPoint((1, 2, 3)), [-point[0], -point[1], point[2]])
    assert image[1, 2, 3] == 23


def test_resampling_without_a_deformation_only_follows_the_affine(visit, small_atlas):
    registration = Registration(fixed=visit["t1"].volume, moving=small_atlas.t1, use=~visit.labels.lesion)
    registration.affine()
    (moved,) = registration.resample(small_atlas.t1)
    # on voxels of 3 mm the affine stage, which leaves out the finest level, sees little more than an outline
    assert correlation(moved, visit["t1"].volume.data, visit.brain & ~visit.labels.lesion) > 0.7


def test_the_deformation_takes_the_threads_of_this_process(visit, small_atlas, monkeypatch):
    """Not those of all cores: several processes may share them."""
    registration = Registration(fixed=visit["t1"].volume, moving=small_atlas.t1, use=~visit.labels.lesion)
    said = []
    monkeypatch.setattr(registration, "_run", lambda options, **_: said.append(options))
    monkeypatch.setattr("numba.get_num_threads", lambda: 3)
    registration.deformable()
    assert said[0].startswith("-threads 3 ")


def test_a_poor_match_is_bad_input_before_and_failed_quality_after_the_deformation():
    with pytest.raises(InputError, match="T1 of a brain"):
        require_brain_match(Match(correlation=0.05, dice=0.9))
    with pytest.raises(InputError):
        require_brain_match(Match(correlation=0.5, dice=0.5))
    with pytest.raises(QualityError):
        require_good_match(Match(correlation=0.25, dice=0.96))
    require_brain_match(Match(0.5, 0.95))
    require_good_match(Match(0.65, 0.98))


def test_match_compares_intensities_and_masks():
    t1 = np.random.default_rng(0).uniform(0.1, 1, GRID.shape)
    brain = np.ones(GRID.shape, bool)
    assert match(t1, brain, brain, 3 * t1) == Match(pytest.approx(1.0), 1.0)
    assert match(t1, brain, brain, np.where(np.arange(6)[:, None, None] < 3, t1, 0)).dice == pytest.approx(2 / 3)
    assert correlation(np.ones(GRID.shape), t1, brain) == 0
