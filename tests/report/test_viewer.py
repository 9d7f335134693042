"""What is embedded for the viewer is what the stages computed, within a byte's precision and in its place."""

import gzip
import json
from base64 import b64decode
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from gliocast.core import Density, block_mean
from gliocast.report.maps import FAINTEST_DENSITY
from gliocast.report.montage import tumor_center
from gliocast.report.viewer import OUTLINES, SCAN_CODES, pack


@pytest.fixture(scope="module")
def content(case, make_content):
    return make_content(case)


@pytest.fixture(scope="module")
def scene(content):
    """As the page's script reads it."""
    return json.loads(pack(content).to_json())


def layer(scene, key):
    """A layer and its image, as any reader of NIfTI decodes it."""
    (found,) = [entry for entry in scene["layers"] if entry["key"] == key]
    return found, nib.Nifti1Image.from_bytes(gzip.decompress(b64decode(found["nifti"])))


def embedded(content, image, data):
    """The same voxels of an array of the visit's grid, found by their place in the world."""
    index = np.moveaxis(np.indices(image.shape), 0, -1)
    points = nib.affines.apply_affine(image.affine, index)
    voxels = content.visit.grid.voxel_from_world(points)
    np.testing.assert_allclose(voxels, np.rint(voxels), atol=1e-4)
    return data[tuple(np.moveaxis(np.rint(voxels).astype(int), -1, 0))]


@pytest.mark.parametrize("key", ["t1c", "flair"])
def test_scan_is_there_to_half_a_step(content, scene, key):
    found, image = layer(scene, key)
    expected = embedded(content, image, content.visit[key].volume.data)
    step = float(image.dataobj.slope)
    error = np.abs(np.clip(expected, 0, step * (SCAN_CODES - 1)) - image.get_fdata())
    assert error.max() <= 0.5001 * step
    assert step * (SCAN_CODES - 1) >= found["high"] > found["low"] >= 0


def test_density_is_there_to_a_share_of_itself(content, scene):
    found, image = layer(scene, "density")
    expected = embedded(content, image, content.density.data)
    codes, value = np.asarray(image.dataobj.get_unscaled()), 10 ** image.get_fdata()
    np.testing.assert_array_equal(codes == 0, expected < FAINTEST_DENSITY)
    shown = codes > 0
    step = 10 ** float(image.dataobj.slope)
    assert step < 1.03
    assert np.abs(np.log(value[shown] / expected[shown])).max() <= 0.501 * np.log(step)
    assert found["logarithmic"]
    assert found["high"] == 0


def test_standard_deviation_is_there_to_half_a_step(content, scene):
    found, image = layer(scene, "deviation")
    expected = embedded(content, image, content.density.standard_deviation)
    assert np.abs(image.get_fdata() - expected).max() <= 0.5001 * found["high"] / 255
    assert found["high"] == pytest.approx(content.density.standard_deviation.max())


def test_every_mask_is_there_to_the_voxel(content, scene):
    _, image = layer(scene, "outlines")
    codes = np.asarray(image.dataobj).astype(int)
    labels = content.visit.labels
    masks = {"core": labels.core, "whole": labels.whole} | dict(content.plan.volumes)
    assert [outline["key"] for outline in scene["outlines"]] == [key for key, _, _ in OUTLINES]
    for outline in scene["outlines"]:
        np.testing.assert_array_equal(codes & outline["bit"] > 0, embedded(content, image, masks[outline["key"]]))
        assert (codes & outline["bit"] > 0).sum() == masks[outline["key"]].sum()  # nothing was cropped away


def test_all_of_the_brain_is_there_and_little_else(content, scene):
    _, image = layer(scene, "t1c")
    brain = content.visit.brain
    assert embedded(content, image, brain).sum() == brain.sum()
    assert brain.sum() > 0.4 * np.prod(image.shape)


def test_script_finds_a_voxel_by_its_place(content, scene):
    _, image = layer(scene, "t1c")
    index = np.array([3, 5, 7])
    point = nib.affines.apply_affine(image.affine, index)
    found = np.array(scene["voxel"]) @ np.append(point, 1)
    np.testing.assert_allclose(found, index, atol=1e-4)


def test_crosshair_begins_inside_the_tumor(content, scene):
    index = np.rint(content.visit.grid.voxel_from_world(np.array(scene["center"]))).astype(int)
    assert tumor_center(content.visit)[tuple(index)]


def test_large_volumes_are_merged_into_fewer_voxels(content):
    whole, few = pack(content), pack(content, max_voxels=4000)
    for scene in (whole, few):
        assert {layer.key for layer in scene.layers} == {"t1c", "flair", "density", "deviation", "outlines"}
    assert np.prod(few.grid.shape) <= 4000 < np.prod(whole.grid.shape)
    spacing = np.array(few.grid.spacing)
    assert spacing.max() <= 2 * spacing.min() + 1e-6  # the shortest sides first
    _, image = layer(json.loads(few.to_json()), "deviation")
    factors = tuple(np.rint(spacing / np.array(content.visit.grid.spacing)).astype(int))
    volume = float(image.get_fdata().sum()) * few.grid.voxel_volume
    data = content.density.standard_deviation
    assert volume == pytest.approx(float(data.sum()) * content.visit.grid.voxel_volume, rel=0.03)
    assert np.prod(factors) > 1
    assert block_mean(np.ones(tuple(2 * f for f in factors)), factors).shape == (2, 2, 2)


def test_density_without_uncertainty_has_no_such_layer(content):
    plain = replace(content, density=Density(content.density.data, content.density.grid))
    assert [layer.key for layer in pack(plain).layers] == ["t1c", "flair", "density", "outlines"]


def test_scene_cannot_close_the_element_it_stands_in(content):
    assert "<" not in pack(content).to_json()


def test_colors_are_clear_at_the_lowest_value_only(scene):
    found, _ = layer(scene, "density")
    colors = found["colors"]
    assert colors["I"][:2] == [0, 1]
    assert colors["A"][0] == 0
    assert set(colors["A"][1:]) == {255}
    assert all(0 <= value <= 255 for channel in colors.values() for value in channel)
    assert colors["I"] == sorted(set(colors["I"]))
