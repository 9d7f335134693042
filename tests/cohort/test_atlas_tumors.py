import json

import numpy as np
import pytest

from gliocast.cohort.atlas_tumors import TumorRanges, TumorSource, learning_anatomy, learning_forward
from gliocast.cohort.examples import Examples, see
from gliocast.cohort.tumor_set import SHARD_SIZE, TumorSet
from gliocast.core import InputError
from gliocast.inference.morph_infer import TIME_INDEPENDENT

SOURCE = TumorSource("fisher-kolmogorov", seed=5)


@pytest.fixture(scope="module")
def tumors():
    return [SOURCE[number] for number in range(6)]


def test_a_tumor_depends_on_the_seed_and_its_number_alone(tumors):
    again = TumorSource("fisher-kolmogorov", seed=5)[4]
    np.testing.assert_array_equal(again.root_density, tumors[4].root_density)
    np.testing.assert_array_equal(again.growth, tumors[4].growth)
    assert not np.array_equal(TumorSource("fisher-kolmogorov", seed=6)[4].growth, again.growth)


def test_parameters_and_sizes_lie_in_their_ranges(tumors):
    ranges = TumorRanges()
    for tumor in tumors:
        for value, (low, high) in zip(tumor.growth, (ranges.diffusivity, ranges.rate, ranges.age_days), strict=True):
            assert low <= value <= high
        for threshold, (low, high) in zip(tumor.thresholds, (ranges.core_ml, ranges.whole_ml), strict=True):
            volume = np.count_nonzero(tumor.density > threshold) * learning_anatomy().grid.voxel_volume / 1000
            assert 0.97 * low <= volume <= 1.03 * high  # the density was stored in bytes


def test_what_is_stored_is_the_density_of_the_parameters(tumors):
    tumor = tumors[0]
    density = learning_forward("fisher-kolmogorov")(tumor.identifiable, learning_anatomy(), days=[1.0])[0].data
    np.testing.assert_allclose(tumor.density, density[tumor.box.slices], atol=4e-3)  # half a byte near one
    outside = density.copy()
    outside[tumor.box.slices] = 0
    assert outside.max() <= 1e-3


def test_a_mirrored_example_is_a_tumor_too(tumors):
    """Growth in mirrored tissue is mirrored growth, which is what lets training tumors be mirrored."""
    anatomy, tumor = learning_anatomy(), tumors[1]
    mirrored = type(anatomy)(
        *(np.ascontiguousarray(part[::-1]) for part in (anatomy.white_matter, anatomy.gray_matter, anatomy.csf)),
        np.ascontiguousarray(anatomy.brain[::-1]),
        anatomy.grid,
    )
    middle = anatomy.grid.world_from_voxel((np.array(anatomy.grid.shape) - 1) / 2)
    seed = tumor.seed.copy()
    seed[0] = 2 * middle[0] - seed[0]
    forward = learning_forward("fisher-kolmogorov")
    here = forward(tumor.identifiable, anatomy, days=[1.0])[0].data
    there = forward([*tumor.identifiable[:2], *seed], mirrored, days=[1.0])[0].data
    np.testing.assert_allclose(there[::-1], here, atol=2e-4)


def test_batches_repeat_and_hold_every_tumor_once_in_an_epoch(tumors):
    examples = Examples(tumors, TIME_INDEPENDENT, batch_size=3, seed=1)
    np.testing.assert_array_equal(examples[7].windows, examples[7].windows)
    assert sorted(examples._tumor(place) for place in range(6)) == list(range(6))
    assert sorted(examples._tumor(place) for place in range(6, 12)) == list(range(6))


def test_the_truth_of_an_unvaried_example_is_the_tumors_own(tumors):
    batch = Examples(tumors, TIME_INDEPENDENT, batch_size=6, vary=False)[0]
    order = [Examples(tumors, TIME_INDEPENDENT, batch_size=6, vary=False)._tumor(place) for place in range(6)]
    for row, index in enumerate(order):
        tumor = tumors[index]
        found = TIME_INDEPENDENT.decode(batch.truth[row])
        np.testing.assert_allclose(found[:2], tumor.identifiable[:2], rtol=1e-5)
        center = see(tumor, tumor.thresholds).center
        np.testing.assert_allclose(found[2:5] + center, tumor.seed, atol=1e-4)


def test_a_set_goes_on_where_it_was_and_refuses_tumors_of_another_kind(tmp_path):
    small = TumorSet(tmp_path, SOURCE)
    small.make(SHARD_SIZE)
    shard = tmp_path / "tumors-00000.npz"
    written = shard.stat().st_mtime_ns
    small.make(SHARD_SIZE)
    assert shard.stat().st_mtime_ns == written
    assert len(small) == SHARD_SIZE
    loaded = list(small.load(6))
    np.testing.assert_array_equal(loaded[4].root_density, SOURCE[4].root_density)
    with pytest.raises(InputError, match="let it be made first"):
        list(small.load(SHARD_SIZE + 1))
    with pytest.raises(InputError, match="another folder"):
        TumorSet(tmp_path, TumorSource("fisher-kolmogorov", seed=6))
    shard.write_bytes(shard.read_bytes()[:1000])
    with pytest.raises(InputError, match="damaged"):
        list(small.load())
    (tmp_path / "set.json").write_text(json.dumps({"model": "none"}))
    with pytest.raises(InputError, match="others"):
        TumorSet(tmp_path, SOURCE)


def test_senseless_ranges_models_and_seeds_are_refused():
    with pytest.raises(InputError, match="0 < low < high"):
        TumorRanges(rate=(0.2, 0.002))
    with pytest.raises(InputError, match="mass-effect"):
        TumorSource("gompertz")
    with pytest.raises(InputError, match="nonnegative"):
        TumorSource(seed=-1)
