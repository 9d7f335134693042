import numpy as np
import pytest
from scipy.spatial.distance import cdist

from gliocast.core import SCHEMAS, Anatomy, Density, Grid, InputError, LabelMap
from gliocast.planning.margins import treatable_region
from gliocast.planning.recurrence import Recurrence, recurrence_coverage
from gliocast.planning.rivals import published_plans, rival_plans

#: How far distances to a shape, and between centers, differ on these voxels [mm].
SLACK = 1.26


class Head:
    """A ball of brain with a ventricle beside a tumor whose edema leans to one side, at any spacing."""

    def __init__(self, spacing=(2.0, 2.0, 2.5), edema_reach=22.0):
        shape = tuple(round(120 / h) for h in spacing)
        self.grid = Grid(shape, np.diag([*spacing, 1.0]))
        index = np.moveaxis(np.indices(shape), 0, -1)
        x, y, z = np.moveaxis(self.grid.world_from_voxel(index) - 60.0, -1, 0)
        self.brain = x**2 + y**2 + z**2 <= 55**2
        self.ventricle = (x / 18) ** 2 + (y / 9) ** 2 + (z / 9) ** 2 <= 1
        core = (x - 10) ** 2 + (y - 20) ** 2 + z**2 <= 8**2
        edema = ((x - 20) / edema_reach) ** 2 + ((y - 22) / 12) ** 2 + (z / 12) ** 2 <= 1
        data = np.where(core, 4, np.where(edema & self.brain & ~self.ventricle, 2, 0)).astype(np.uint8)
        self.labels = LabelMap(data, self.grid, SCHEMAS["brats-2021"])
        white = (self.brain & ~self.ventricle).astype(np.float32)
        fluid = (self.brain & self.ventricle).astype(np.float32)
        self.anatomy = Anatomy(white, np.zeros_like(white), fluid, self.brain, self.grid)
        generator = np.random.default_rng(3)
        falling = np.exp(-np.sqrt((x - 14) ** 2 + (y - 20) ** 2 + z**2) / 10)
        self.density = Density((falling * generator.uniform(0.7, 1, shape)).astype(np.float32), self.grid)

    def distance(self):
        """From the core [mm], by brute force."""
        places = self.grid.world_from_voxel(np.moveaxis(np.indices(self.grid.shape), 0, -1))
        core = places[self.labels.core]
        return cdist(places.reshape(-1, 3), core).min(axis=1).reshape(self.grid.shape)


@pytest.fixture(scope="module")
def head():
    return Head()


@pytest.fixture(scope="module")
def plan(head):
    return rival_plans(head.labels, head.anatomy, head.density)


def test_all_plans_have_exactly_one_volume(plan):
    sizes = {name: np.count_nonzero(mask) for name, mask in plan.volumes.items()}
    assert sizes.pop("gtv") < sizes["guideline"]
    assert set(sizes) == {"guideline", "distance", "edema", "model"}
    assert len(set(sizes.values())) == 1


def test_plans_stay_where_they_may_lie(head, plan):
    region = treatable_region(head.labels, head.anatomy)
    assert not plan["guideline"][head.ventricle].any()
    for name in ("guideline", "edema", "model"):
        assert region[plan[name]].all(), name
    assert head.brain[plan["distance"]].all()
    assert plan["distance"][head.ventricle].any()  # it knows no ventricle


def test_the_distance_plan_leaves_out_nothing_nearer_than_what_it_holds(head, plan):
    distance = head.distance()
    left_out = head.brain & ~plan["distance"]
    assert distance[plan["distance"]].max() <= distance[left_out].min() + SLACK  # ties on the last shell
    assert distance[plan["distance"]].max() < distance[plan["guideline"]].max()


def test_the_edema_plan_holds_all_edema_and_then_the_nearest(head, plan):
    region, distance = treatable_region(head.labels, head.anatomy), head.distance()
    lesion = head.labels.whole
    assert (lesion & ~plan["guideline"]).any()
    assert plan["edema"][lesion & region].all()
    rest, left_out = plan["edema"] & ~lesion, region & ~plan["edema"]
    assert distance[rest].max() <= distance[left_out].min() + SLACK


def test_of_too_much_edema_the_nearest_is_treated():
    head = Head(edema_reach=60.0)
    plan = rival_plans(head.labels, head.anatomy, head.density, margin_mm=8.0)
    distance, lesion = head.distance(), head.labels.whole
    assert np.count_nonzero(lesion) > np.count_nonzero(plan["edema"]) == np.count_nonzero(plan["guideline"])
    assert lesion[plan["edema"]].all()
    assert distance[plan["edema"]].max() <= distance[lesion & ~plan["edema"]].min() + SLACK


def test_without_edema_the_edema_plan_is_the_guidelines(head):
    core_alone = LabelMap(np.where(head.labels.core, 4, 0).astype(np.uint8), head.grid, head.labels.schema)
    plan = rival_plans(core_alone, head.anatomy, head.density)
    np.testing.assert_array_equal(plan["edema"], plan["guideline"])


def test_the_published_protocol_agrees_with_brute_force():
    grid = Grid((44, 40, 42), np.diag([-1.0, -1.0, 1.0, 1.0]))
    index = np.moveaxis(np.indices(grid.shape), 0, -1)
    generator = np.random.default_rng(0)
    brain = np.linalg.norm(index - 20, axis=-1) < 19
    data = np.zeros(grid.shape, dtype=np.uint8)
    data[18:27, 10:19, 20:26], data[20:24, 12:16, 21:24], data[19:21, 11:13, 20:22] = 2, 3, 1
    labels = LabelMap(data, grid, SCHEMAS["brats-2023"])
    density = Density(generator.permutation(brain.size).reshape(grid.shape).astype(np.float32) / brain.size, grid)
    later = np.where(np.linalg.norm(index - (24, 30, 22), axis=-1) < 9, generator.integers(0, 5, grid.shape), 0)
    recurrence = LabelMap(later.astype(np.uint8), grid, SCHEMAS["brats-2024"])

    core = (data == 1) | (data == 3)
    near = cdist(index.reshape(-1, 3), index[core]).min(axis=1).reshape(grid.shape) <= 15
    standard = near & brain
    best = sorted(np.argwhere(brain).tolist(), key=lambda voxel: -density.data[tuple(voxel)])[: standard.sum()]
    model = np.zeros_like(brain)
    model[tuple(np.transpose(best))] = True

    plan = published_plans(labels, brain, density)
    np.testing.assert_array_equal(plan["guideline"], standard)
    np.testing.assert_array_equal(plan["model"], model)
    assert np.count_nonzero(plan["edema"]) == standard.sum()
    found = recurrence_coverage(Recurrence.of(recurrence), plan)
    for measure, values in {"any": (1, 2, 3), "enhancing": (3,)}.items():
        seen = np.isin(later, values)
        assert 0 < (seen & model).sum() < seen.sum()
        for name, mask in {"guideline": standard, "model": model}.items():
            assert found[measure].covered[name] == (seen & mask).sum() / seen.sum()


def test_the_published_protocol_counts_voxels_of_a_millimeter_alone(head):
    with pytest.raises(InputError, match=r"voxels of 1 mm, which it counts, got 2 x 2 x 2.5 mm"):
        published_plans(head.labels, head.brain, head.density)


def test_the_published_protocol_needs_a_core():
    grid = Grid((20, 20, 20), np.eye(4))
    data = np.zeros(grid.shape, np.uint8)
    data[5:9] = 2
    labels, nothing = LabelMap(data, grid, SCHEMAS["brats-2021"]), Density(np.zeros(grid.shape, np.float32), grid)
    with pytest.raises(InputError, match="expected a tumor core in the brain, got none"):
        published_plans(labels, np.ones(grid.shape, bool), nothing)
