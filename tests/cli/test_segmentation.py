"""Segmenting, and measuring who segmented, through the real command."""

import re
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch

from gliocast.core import RESEARCH_NOTICE, SCHEMAS
from gliocast.pipeline.open_patient import NETWORK_NOTE
from gliocast.segmentation.unet import UNet, UNetConfig
from gliocast.segmentation.weights import SegmentationWeights, save_segmentation

from .small_brain import assert_aligned

# The command shows warnings of Python and numpy on stderr, where only the one line belongs.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")


@pytest.fixture
def weights(tmp_path):
    """Of a network that knows nothing and names every class somewhere."""
    torch.manual_seed(2)
    network = UNet(UNetConfig(channels=(8,), patch=4))
    torch.nn.init.normal_(network.head.weight, std=1.0)
    path = tmp_path / "tiny.safetensors"
    save_segmentation(path, SegmentationWeights(network, 64))
    return path


@pytest.fixture
def unsegmented(small_patient_folder):
    """Folder of the scans of the small patient."""
    (small_patient_folder / "seg.nii.gz").unlink()
    return small_patient_folder


# gliocast segment


@pytest.mark.parametrize("schema", ["brats-2023", "swapped"])
def test_labels_appear_on_the_grid_of_the_t1_in_the_numbers_of_the_schema(
    schema, unsegmented, weights, tmp_path, gliocast
):
    out = tmp_path / "new" / "labels.nii.gz"
    outcome = gliocast("segment", unsegmented, "--out", out, "--weights", weights, "--labels", schema)
    assert outcome.code == 0
    assert_aligned(out, unsegmented / "t1.nii.gz")
    data = np.asarray(nib.load(out).dataobj)
    assert data.dtype == np.uint8
    kind = SCHEMAS[schema]
    assert set(np.unique(data)) == {0, *kind.values}
    assert not data[nib.load(unsegmented / "t1.nii.gz").get_fdata() == 0].any()
    milliliters = {name: (data == getattr(kind, name)).sum() * 0.027 for name in ("necrosis", "edema", "enhancing")}
    said = ", ".join(f"{name} {volume:.1f} ml" for name, volume in milliliters.items())
    assert outcome.out == f"segmentation: {out.resolve()} ({said})\n{RESEARCH_NOTICE}\n"
    assert re.fullmatch(r"read +\d+\.\d s\nsegment +\d+\.\d s\n", outcome.err)


def test_a_segmentation_that_is_there_has_no_say_and_mirrored_views_have(small_patient_folder, weights, gliocast):
    """By default labels lie in the working folder."""
    (small_patient_folder / "seg.nii.gz").write_text("damaged")
    written = []
    for more in ((), ("--plain",)):
        outcome = gliocast("segment", small_patient_folder, "--weights", weights, "--quiet", *more)
        assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
        assert [path.name for path in Path.cwd().iterdir()] == ["seg.nii.gz"]
        written.append(Path("seg.nii.gz").read_bytes())
    assert written[0] != written[1]


def remove(folder, weights):
    (folder / "t2.nii.gz").unlink()


def truncate(folder, weights):
    content = (folder / "flair.nii.gz").read_bytes()
    (folder / "flair.nii.gz").write_bytes(content[: len(content) // 2])


def lose(folder, weights):
    weights.unlink()


def overwrite(folder, weights):
    weights.write_text("no weights at all")


def cut(folder, weights):
    weights.write_bytes(weights.read_bytes()[:-10])


def leave(folder, weights):
    pass


BAD = {
    "missing modality": (remove, (), "no t2 among"),
    "damaged scan": (truncate, (), "truncated or damaged gzip"),
    "no weights": (lose, (), "got none; train them: gliocast train segmentation"),
    "text for weights": (overwrite, (), "weights tiny.safetensors: expected weights of the segmentation network"),
    "truncated weights": (cut, (), "weights tiny.safetensors: expected weights of the segmentation network"),
    "name of another kind": (leave, ("--out", "labels.nrrd"), "a name that ends in .nii.gz, got labels.nrrd"),
    "name without gzip": (leave, ("--out", "labels.nii"), "a name that ends in .nii.gz, got labels.nii"),
    "no name": (leave, ("--out", ""), "a name that ends in .nii.gz"),
    "unknown schema": (leave, ("--labels", "nonsense"), "one of brats-2021, brats-2023, brats-2024, swapped"),
    "empty schema": (leave, ("--labels", ""), "one of brats-2021, brats-2023, brats-2024, swapped"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cant_be_segmented_is_refused_in_one_line_and_nothing_is_written(case, unsegmented, weights, refused):
    spoil, options, said = BAD[case]
    spoil(unsegmented, weights)
    assert said in refused("segment", unsegmented, "--weights", weights, "--quiet", *options)


def test_weights_of_another_network_are_refused(unsegmented, refused):
    from gliocast.inference.morph_infer import shipped_weights

    other = shipped_weights("fisher-kolmogorov")
    assert "weights of format gliocast segmentation" in refused("segment", unsegmented, "--weights", other, "-q")


def test_a_folder_by_the_name_of_the_labels_is_refused(unsegmented, weights, tmp_path, refused):
    (tmp_path / "labels.nii.gz").mkdir()
    message = refused("segment", unsegmented, "--weights", weights, "--out", tmp_path / "labels.nii.gz", "-q")
    assert "output" in message


def test_labels_of_before_stay_where_segmenting_fails(unsegmented, weights, tmp_path, refused):
    remove(unsegmented, weights)
    (tmp_path / "labels.nii.gz").write_text("mine")
    refused("segment", unsegmented, "--weights", weights, "--out", tmp_path / "labels.nii.gz", "-q")


# gliocast run, where nobody segmented


@pytest.fixture
def comes_with(monkeypatch, weights):
    """As if these weights came with the package."""
    monkeypatch.setattr("gliocast.pipeline.segment.shipped_segmentation", lambda: weights)
    return weights


def test_run_segments_where_nobody_did_and_says_so(unsegmented, comes_with, monkeypatch, gliocast):
    given = []
    monkeypatch.setattr("gliocast.pipeline.run", lambda patient, *_, **__: given.append(patient))
    outcome = gliocast("run", unsegmented)
    assert outcome.code == 0
    assert f"warning: {NETWORK_NOTE}\n" in outcome.err
    assert given[0].visits[0].labels.core.any()
    files = [part for key in ("t1", "t1c", "t2", "flair") for part in (f"--{key}", unsegmented / f"{key}.nii.gz")]
    assert gliocast("run", *files).code == 0
    np.testing.assert_array_equal(given[1].visits[0].labels.data, given[0].visits[0].labels.data)


def test_run_without_a_segmentation_and_without_weights_is_refused(unsegmented, comes_with, refused):
    comes_with.unlink()
    assert "train them: gliocast train segmentation" in refused("run", unsegmented, "--quiet")


def test_run_where_the_network_sees_nothing_is_refused(unsegmented, comes_with, refused):
    network = UNet(UNetConfig(channels=(8,), patch=4))
    torch.nn.init.zeros_(network.head.weight)
    network.head.bias.data[:64] = 10.0
    save_segmentation(comes_with, SegmentationWeights(network, 64))
    assert "a tumor core in the scans, got none that the network sees" in refused("run", unsegmented, "--quiet")


# gliocast evaluate segmentation


@pytest.fixture
def cohort(small_patient_template, tmp_path):
    """Folder of two patients; T2 and FLAIR of the second are exchanged."""
    first, second = (tmp_path / "cohort" / name for name in ("BraTS-GLI-00000-000", "BraTS-GLI-00001-000"))
    for folder in (first, second):
        shutil.copytree(small_patient_template, folder)
    shutil.copy(first / "t2.nii.gz", second / "flair.nii.gz")
    shutil.copy(first / "flair.nii.gz", second / "t2.nii.gz")
    return first.parent


@pytest.fixture
def found(cohort, tmp_path):
    """Folder of perfect segmentations of the cohort."""
    (tmp_path / "found").mkdir()
    for folder in cohort.iterdir():
        shutil.copy(folder / "seg.nii.gz", tmp_path / "found" / f"{folder.name}.nii.gz")
    return tmp_path / "found"


def test_perfect_copies_have_a_dice_of_one(cohort, found, tmp_path, gliocast):
    outcome = gliocast("evaluate", "segmentation", cohort, "--found", found, "--out", tmp_path / "out", "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.startswith("2 patients, mean and 95 % bootstrap interval\n\n| | Dice | IoU | HD95, mm |\n")
    for region in ("necrosis", "edema", "enhancing", "WT", "TC", "ET", "mean"):
        one, zero = "1.000 (1.000 to 1.000)", "0.0 (0.0 to 0.0)"
        assert f"| {region} | {one} | {one} | {zero} |\n" in outcome.out
    assert "bottleneck" not in outcome.out
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert written == ["median.png", "patients.csv", "summary.json", "worst.png"]


def test_a_segmentation_of_nothing_has_a_dice_of_zero(cohort, found, gliocast):
    for path in found.iterdir():
        image = nib.load(path)
        nib.save(nib.Nifti1Image(np.zeros(image.shape, np.uint8), image.affine), path)
    outcome = gliocast("evaluate", "segmentation", cohort, "--found", found, "--quiet")
    assert (outcome.code, outcome.err) == (0, "")
    assert "| WT | 0.000 (0.000 to 0.000) | 0.000 (0.000 to 0.000) | 373.1 (373.1 to 373.1) |" in outcome.out


def test_a_network_is_measured(cohort, weights, tmp_path, gliocast):
    outcome = gliocast("evaluate", "segmentation", cohort, "--weights", weights, "--out", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    assert re.search(r"\nbottleneck: .*\n$", outcome.out) is not None
    assert (tmp_path / "out" / "scree.png").exists()
    names = [path.name for path in sorted((tmp_path / "out" / "segmentations").iterdir())]
    assert names == [f"{path.name}.nii.gz" for path in sorted(cohort.iterdir())]
    assert re.fullmatch(r"evaluate +\d+\.\d s\nwrite +\d+\.\d s\n", outcome.err)


@pytest.mark.parametrize("case", ["no folder", "no patients", "one absent", "another grid", "no weights"])
def test_what_cant_be_measured_is_refused_in_one_line_and_nothing_is_written(case, cohort, found, tmp_path, refused):
    options, said = ("--found", found), ""
    if case == "no folder":
        cohort, said = tmp_path / "absent", "a folder of patients, got none"
    elif case == "no patients":
        cohort, said = found, "a folder for each patient"
    elif case == "one absent":
        (found / "BraTS-GLI-00001-000.nii.gz").unlink()
        said = "segmentation of BraTS-GLI-00001-000"
    elif case == "another grid":
        path = found / "BraTS-GLI-00001-000.nii.gz"
        nib.save(nib.Nifti1Image(np.asarray(nib.load(path).dataobj)[:-2], nib.load(path).affine), path)
        said = "the grid of its companions"
    else:
        options, said = ("--weights", tmp_path / "absent"), "gliocast train segmentation"
    out = tmp_path / "out"
    assert said in refused("evaluate", "segmentation", cohort, *options, "--out", out, "--quiet")


# gliocast train segmentation


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--size", "huge"), "printed, deeper or small, got huge"),
        (("--steps", "0"), "positive steps"),
        (("--seed", "-1"), "positive counts"),
        (("--device", "abacus"), "cpu or cuda, got abacus"),
        (("--validation", "absent"), "a folder of patients, got none"),
    ],
)
def test_trainings_that_cant_begin_are_refused_in_one_line_and_nothing_is_written(
    options, said, cohort, tmp_path, refused
):
    assert said in refused("train", "segmentation", cohort, "--out", tmp_path / "out", "--quiet", *options)


def test_a_training_that_validates_on_its_own_patients_is_refused(cohort, tmp_path, refused):
    options = ("--validation", cohort, "--out", tmp_path / "out", "--device", "cpu")
    message = refused("train", "segmentation", cohort, *options, "-q")
    assert "got BraTS-GLI-00000, BraTS-GLI-00001; take them out" in message
