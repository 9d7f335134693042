"""The picture of a segmentation shows what is where; the scree plot shows the numbers that it is given."""

from io import BytesIO

import numpy as np
import pytest
from matplotlib import image

from gliocast.core import Grid, InputError, LabelMap
from gliocast.report.segmentation_figures import (
    COMPARTMENTS,
    NUM_SHOWN,
    save_scree_plot,
    save_segmentation_picture,
    scree_plot,
    segmentation_picture,
)
from gliocast.report.style import figure_style, to_png
from gliocast.segmentation.bottleneck import COLLAPSED_SHARE, principal_components


def picture(visit, found, truth=None):
    with figure_style():
        figure = segmentation_picture(visit.scans, visit.brain, found, truth)
        return figure, image.imread(BytesIO(to_png(figure)))[..., :3]


@pytest.fixture
def smaller(case):
    """The patient's segmentation without its edema."""
    labels = case.visit.labels
    return LabelMap(np.where(labels.edema, 0, labels.data), labels.grid, labels.schema)


def pixels_of(axes, pixels):
    """The part of a rendered figure inside of axes."""
    box = axes.get_position()
    height, width = pixels.shape[:2]
    rows = slice(round((1 - box.y1) * height) + 1, round((1 - box.y0) * height) - 1)
    return pixels[rows, round(box.x0 * width) + 1 : round(box.x1 * width) - 1]


def colored(pixels):
    """Bool: neither black nor gray nor white."""
    return np.ptp(pixels, axis=-1) > 0.12


@pytest.mark.parametrize(("has_truth", "titles"), [(False, 3), (True, 4)])
def test_every_panel_shows_a_brain_and_only_segmentations_have_color(case, has_truth, titles):
    labels = case.visit.labels
    figure, pixels = picture(case.visit, labels, labels if has_truth else None)
    assert len(figure.axes) == 3 * titles
    for number, axes in enumerate(figure.axes):
        part = pixels_of(axes, pixels)
        assert part.std() > 0.05  # a blank panel has none
        assert colored(part).any() == (number % titles >= 2)


def test_columns_are_named(case, smaller):
    figure, _ = picture(case.visit, smaller, case.visit.labels)
    titles = [axes.get_title() for axes in figure.axes[:4]]
    assert titles == ["T1c", "FLAIR", "ground truth", "segmentation"]
    words = [text.get_text() for text in figure.legends[0].get_texts()]
    assert words[:3] == list(COMPARTMENTS)
    assert "truth" in words[3]
    without, _ = picture(case.visit, smaller)
    assert [axes.get_title() for axes in without.axes[:3]] == ["T1c", "FLAIR", "segmentation"]
    assert len(without.legends[0].get_texts()) == 3


def test_planes_pass_through_the_largest_slices_of_the_truth(case, smaller):
    """The tumor is a ball around (30, 15, 20) mm, its voxels 4, 4 and 5 mm wide."""
    figure, _ = picture(case.visit, smaller, case.visit.labels)
    words = [text.get_text() for axes in figure.axes[::4] for text in axes.texts]
    found = {
        word[0]: float(word[4:-3]) for text in words if (word := text.split(", ")[-1]).endswith(" mm") and "=" in word
    }
    for axis, expected, width in zip("xyz", (30, 15, 20), (4, 4, 5), strict=True):
        assert found[axis] == pytest.approx(expected, abs=width)


def test_tumor_lies_where_radiologists_expect_it(case):
    """On the patient's right and in front of the middle: left of an axial and coronal panel, left of a sagittal one."""
    figure, pixels = picture(case.visit, case.visit.labels)
    for axes in figure.axes[2::3]:
        part = colored(pixels_of(axes, pixels))
        assert np.argwhere(part)[:, 1].max() < 0.55 * part.shape[1]


def test_colors_are_those_of_the_legend(case, smaller):
    """Edema is the only blue: it is in the truth and not in what was found."""
    figure, pixels = picture(case.visit, smaller, case.visit.labels)
    for axes, is_there in ((figure.axes[2], True), (figure.axes[3], False)):
        part = pixels_of(axes, pixels)
        assert np.any(part[..., 2] > part[..., 0] + 0.12) == is_there
        assert np.any(part[..., 0] > part[..., 2] + 0.12)  # enhancing


def test_truth_is_outlined_over_what_was_found_alone(case):
    """Whole tumor and core, in each plane; what was found is empty here, which is no error."""
    labels = case.visit.labels
    nothing = LabelMap(np.zeros_like(labels.data), labels.grid, labels.schema)
    figure, pixels = picture(case.visit, nothing, labels)
    assert [len(axes.collections) for axes in figure.axes] == [0, 0, 0, 2] * 3
    assert not colored(pixels_of(figure.axes[3], pixels)).any()
    figure, _ = picture(case.visit, nothing)
    assert not any(axes.collections for axes in figure.axes)


def test_other_grids_are_refused(case):
    labels = case.visit.labels
    moved = LabelMap(labels.data, Grid(labels.grid.shape, labels.grid.affine + np.eye(4, k=3)), labels.schema)
    with pytest.raises(InputError, match="ground truth: expected the grid"):
        picture(case.visit, labels, moved)
    with pytest.raises(InputError, match="t1c: expected the grid"):
        picture(case.visit, moved)


def scree(features):
    components = principal_components(features)
    with figure_style():
        figure = scree_plot(components)
        pixels = image.imread(BytesIO(to_png(figure)))[..., :3]
    return components, figure, pixels


@pytest.fixture
def features():
    """Of 70 patients, mostly along one direction."""
    generator = np.random.default_rng(0)
    return generator.standard_normal((70, 60)) * np.r_[3.0, 0.7 ** np.arange(59)] + 2


def test_scree_plot_shows_the_shares_and_their_sum(features):
    components, figure, pixels = scree(features)
    linear, logarithmic = figure.axes
    lines = {line.get_label(): line.get_ydata() for line in linear.get_lines()}
    np.testing.assert_allclose(lines["each component"], 100 * components.explained[:NUM_SHOWN])
    np.testing.assert_allclose(lines["cumulative"], 100 * np.cumsum(components.explained)[:NUM_SHOWN])
    assert set(lines["PC1 in the paper, 98 %"]) == {100 * COLLAPSED_SHARE}
    assert logarithmic.get_yscale() == "log"
    assert colored(pixels_of(linear, pixels)).sum() > 200
    assert colored(pixels_of(logarithmic, pixels)).sum() > 200


def test_scree_plot_says_the_numbers_in_words(features):
    components, figure, _ = scree(features)
    (words,) = (text.get_text() for text in figure.texts)
    assert f"PC1 explains {100 * components.explained[0]:.1f} %" in words
    assert f"{components.num_components()} components for 98 %" in words
    assert f"{components.mean_norm:.3g}" in words
    assert f"{components.mean_spread:.3g}" in words


def test_every_point_lies_inside_the_scree_plot_even_of_one_component():
    """All patients along a line; other components are rounding, which a logarithmic axis would show."""
    line = np.outer(np.arange(12.0), np.ones(8))
    _, figure, pixels = scree(line)
    bottom, top = figure.axes[1].get_ylim()
    shown = figure.axes[1].get_lines()[0].get_ydata()
    assert shown == pytest.approx([100.0])
    assert 10 < bottom < 100 < top
    assert pixels.std() > 0


def test_files_are_the_figures(case, features, tmp_path):
    """Of ten inches, and the same bytes each time."""
    visit, components = case.visit, principal_components(features)
    for name in ("a", "b"):
        save_segmentation_picture(
            tmp_path / f"{name}-picture.png", visit.scans, visit.brain, visit.labels, visit.labels
        )
        save_scree_plot(tmp_path / f"{name}-scree.png", components)
    assert len(list(tmp_path.iterdir())) == 4
    for kind in ("picture", "scree"):
        first, second = (tmp_path / f"{name}-{kind}.png" for name in ("a", "b"))
        assert first.read_bytes() == second.read_bytes()
        pixels = image.imread(first)[..., :3]
        assert pixels.shape[1] == 2200
        assert colored(pixels).any()
