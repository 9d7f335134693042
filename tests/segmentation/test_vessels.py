"""Painted vessels are bright on T1c, lie in healthy brain alone, and are those of their seed."""

import numpy as np
import torch

from gliocast.segmentation.vessels import paint_vessels

from .phantom import brain_classes

SHAPE = (64, 70, 60)


def painted(seed):
    classes = torch.from_numpy(brain_classes(SHAPE))
    scans = torch.full((4, *SHAPE), 0.6) * (classes > 0)
    return scans, classes, paint_vessels(scans, classes, np.random.default_rng(seed))


def test_vessels_lie_in_healthy_brain_near_its_surface():
    for seed in range(6):
        scans, classes, found = painted(seed)
        changed = (found != scans).any(dim=0)
        assert changed.any()
        assert (classes[changed] == 4).all()
        assert changed.float().mean() < 0.05


def test_contrast_agent_flows_in_them_and_water_stands_dark():
    scans, _, found = painted(1)
    inside = (found[1] - scans[1]) > 0.15
    assert inside.any()
    assert (found[2][inside] < scans[2][inside]).all()
    assert found[1].max() <= 1.5


def test_an_image_depends_on_its_seed_alone():
    torch.testing.assert_close(painted(3)[2], painted(3)[2], rtol=0, atol=0)
    assert not torch.equal(painted(3)[2], painted(4)[2])


def test_where_there_is_no_healthy_brain_there_are_none():
    scans = torch.rand(4, 20, 20, 20)
    for value in (0, 2):
        classes = torch.full((20, 20, 20), value, dtype=torch.uint8)
        assert torch.equal(paint_vessels(scans, classes, np.random.default_rng(0)), scans)
