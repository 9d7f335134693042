"""Courses of training tumors, and what references say of them, on disk."""

import numpy as np
import pytest
from scipy.special import expit

from gliocast.cohort import impressions
from gliocast.cohort.atlas_tumors import TumorRanges, learning_forward
from gliocast.cohort.courses import _draw_growth, course, course_anatomy
from gliocast.cohort.impressions import ImpressionSet
from gliocast.core import InputError
from gliocast.inference.morph_infer.references import impression_size

#: Slow and small tumors alone, which cost little.
RANGES = TumorRanges(whole_ml=(5.0, 40.0), core_ml=(0.5, 40.0))


@pytest.fixture(scope="module")
def tumors():
    found = [tumor for number in range(6) for tumor in course(number, seed=3, ranges=RANGES)]
    assert len(found) >= 3
    return found


def test_tumors_of_a_course_are_one_growth_at_ascending_ages():
    found = max((list(course(number, seed=3, ranges=RANGES)) for number in range(6)), key=len)
    assert len(found) >= 2
    width = [tumor.identifiable[0] / tumor.identifiable[1] for tumor in found]
    np.testing.assert_allclose(width, width[0])
    days = [tumor.density.day for tumor in found]
    assert days == sorted(days)
    again = [tumor.identifiable for tumor in course(0, seed=3, ranges=RANGES)]
    np.testing.assert_array_equal(again, [tumor.identifiable for tumor in course(0, seed=3, ranges=RANGES)])


def test_tumors_lie_in_their_ranges_and_are_those_of_their_parameters(tumors):
    for tumor in tumors:
        assert RANGES.visible(tumor.density, tumor.thresholds)
        assert RANGES.age_days[0] <= tumor.density.day <= RANGES.age_days[1]
    tumor = tumors[0]
    grown = learning_forward("fisher-kolmogorov")(tumor.identifiable, course_anatomy(), days=[1.0])[0].data
    # steps end at other times: both have the error of time stepping
    assert np.linalg.norm(grown - tumor.density.data) < 0.05 * np.linalg.norm(grown)


def test_growth_is_drawn_with_weight_one_over_the_speed_of_the_front():
    """E_w[v] of weights w = 1/v is 1 / E[1/v] under the uniform law."""
    generator, ranges = np.random.default_rng(0), TumorRanges()
    speed = np.sqrt([np.prod(_draw_growth(ranges, generator)) for _ in range(1500)])
    uniform = generator.uniform(*ranges.diffusivity, 200_000) * generator.uniform(*ranges.rate, 200_000)
    expected = 1 / np.mean(uniform**-0.5)
    assert speed.mean() == pytest.approx(expected, abs=4 * speed.std() / np.sqrt(1500))


def test_a_set_of_impressions_goes_on_where_it_was_and_refuses_others(tmp_path, monkeypatch):
    monkeypatch.setattr(impressions, "SHARD_SIZE", 2)
    small = ImpressionSet(tmp_path, 3, RANGES)
    small.make(4)
    written = [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("*.npz"))]
    assert len(written) == 2
    small.make(4)
    assert [path.stat().st_mtime_ns for path in sorted(tmp_path.glob("*.npz"))] == written
    lessons = small.load(3)
    num_scalars, num_vectors = impression_size(closer=False)
    assert lessons.scalars.shape[1:] == (num_scalars,)
    assert lessons.vectors.shape[1:] == (num_vectors, 3)
    tumors = [tumor for number in range(3) for tumor in course(number, seed=3, ranges=RANGES)]
    widths = [tumor.identifiable[0] / tumor.identifiable[1] for tumor in tumors]
    np.testing.assert_allclose(lessons.answers[:, 1], np.log(widths))
    np.testing.assert_allclose(expit(lessons.answers[:, 5:]), [tumor.thresholds for tumor in tumors])
    with pytest.raises(InputError, match="let it be made first"):
        small.load(6)
    with pytest.raises(InputError, match="another folder"):
        ImpressionSet(tmp_path, 4, RANGES)
    shard = tmp_path / "impressions-00000.npz"
    shard.write_bytes(shard.read_bytes()[:200])
    with pytest.raises(InputError, match="damaged"):
        small.load(3)


def test_courses_below_zero_are_refused():
    with pytest.raises(InputError, match="from 0 on"):
        list(course(-1, seed=3))
