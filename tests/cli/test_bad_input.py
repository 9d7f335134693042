"""Bad input, through the real command: one line of advice, exit code 2, no trace on disk."""

import gzip
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from scipy import ndimage

# The command shows warnings of Python and numpy on stderr, where only the one line belongs.
pytestmark = pytest.mark.filterwarnings("error::RuntimeWarning", "error::UserWarning")

#: Where pixdim[1:4] begins in a NIfTI-1 header [bytes].
PIXDIM = 80

#: A small ball's radius [mm] that gives it the volume of a brain.
BALL_RADIUS = 70.0


def change(path, function):
    """Rewrite an image with other voxels, as float32."""
    image = nib.load(path)
    data = np.asarray(image.dataobj, dtype=np.float32)
    nib.save(nib.Nifti1Image(function(data), image.affine), path)


def set_spacing(path, spacing):
    """Write a spacing into the header's bytes; nibabel would repair it."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[PIXDIM : PIXDIM + 12] = struct.pack("<3f", *spacing)
    path.write_bytes(gzip.compress(bytes(content), 1))


def with_one(value):
    """A change of one voxel."""

    def function(data):
        data[20, 30, 25] = value
        return data

    return function


def remove(folder, name):
    (folder / name).unlink()


def shift_grid(folder, name):
    image = nib.load(folder / name)
    affine = image.affine.copy()
    affine[0, 3] += 2.0
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), affine), folder / name)


def crop_grid(folder, name):
    change(folder / name, lambda data: data[:-4])


def relabel(numbers):
    def spoil(folder, name):
        change(folder / name, lambda data: np.array(numbers, dtype=np.float32)[data.astype(int)])

    return spoil


def revalue(value):
    return lambda folder, name: change(folder / name, with_one(value))


def respace(*spacing):
    return lambda folder, name: set_spacing(folder / name, spacing)


def overwrite(content):
    return lambda folder, name: (folder / name).write_bytes(content)


def truncate(folder, name):
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])


def truncate_unzipped(folder, name):
    content = gzip.decompress((folder / name).read_bytes())
    (folder / name).unlink()
    (folder / name.removesuffix(".gz")).write_bytes(content[: len(content) // 2])


def stack(folder, name):
    change(folder / name, lambda data: np.stack([data, data], axis=-1))


def outline_everything(folder, name):
    brain = nib.load(folder / "t1.nii.gz").get_fdata() > 0
    change(folder / name, lambda data: np.where(brain, 1, data).astype(np.float32))


def move_outside(folder, name):
    change(folder / name, lambda data: np.roll(data, -16, axis=0))


BAD_FILES = {
    "missing modality": ("flair.nii.gz", remove, "no flair"),
    "grid that is shifted": ("t2.nii.gz", shift_grid, "the grid of t1"),
    "grid of another shape": ("flair.nii.gz", crop_grid, "52x64x50"),
    "segmentation on another grid": ("seg.nii.gz", shift_grid, "the grid of t1"),
    "empty segmentation file": ("seg.nii.gz", overwrite(b""), "an empty file"),
    "all-background segmentation": ("seg.nii.gz", relabel([0] * 5), "only background"),
    "unknown label": ("seg.nii.gz", relabel([0, 1, 2, 3, 7]), "also 7"),
    "negative label": ("seg.nii.gz", relabel([0, -1, 2, 3, 4]), "also -1"),
    "fractional labels": ("seg.nii.gz", relabel([0, 0.4, 2, 3, 4]), "whole numbers"),
    "segmentation of the brain": ("seg.nii.gz", outline_everything, "a tumor that covers less"),
    "segmentation of another brain": ("seg.nii.gz", move_outside, "a tumor inside the brain"),
    "NaN": ("t1.nii.gz", revalue(np.nan), "1 NaN or infinite"),
    "infinity": ("t1c.nii.gz", revalue(np.inf), "1 NaN or infinite"),
    "NaN in the segmentation": ("seg.nii.gz", revalue(np.nan), "1 NaN or infinite"),
    "truncated gzip": ("t1.nii.gz", truncate, "truncated or damaged gzip"),
    "truncated segmentation": ("seg.nii.gz", truncate, "truncated or damaged gzip"),
    "truncated file without gzip": ("t1.nii.gz", truncate_unzipped, "bytes of voxels"),
    "4-D with two volumes": ("t2.nii.gz", stack, "2 volumes"),
    "zero spacing": ("t1.nii.gz", respace(0, 0, 0), "0x0x0"),
    "spacing in meters": ("t1.nii.gz", respace(0.003, 0.003, 0.003), "0.003"),
    "absurd spacing": ("t1.nii.gz", respace(3, 3, 3000), "3x3x3e+03"),
    "spacing that is no number": ("t1.nii.gz", respace(3, np.nan, 3), "nan"),
    "text": ("t1.nii.gz", overwrite(b"no image at all\n"), "another kind of file"),
    "picture": ("t1.nii.gz", overwrite(b"\x89PNG\r\n\x1a\n" + bytes(1000)), "another kind of file"),
    "zipped text": ("t1.nii.gz", overwrite(gzip.compress(b"no image at all\n" * 100)), "another kind of file"),
    "blank scan": ("flair.nii.gz", relabel([0] * 2000), "the value 0 in every voxel"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_file_is_refused_in_one_line_and_nothing_is_written(case, small_patient_folder, tmp_path, refused):
    name, spoil, said = BAD_FILES[case]
    spoil(small_patient_folder, name)
    assert said in refused("run", small_patient_folder, "--out", tmp_path / "new" / "out", "--quiet")


@pytest.mark.parametrize("case", ["missing modality", "NaN", "truncated gzip"])
def test_bad_file_is_refused_the_same_when_named_one_by_one(case, small_patient_folder, tmp_path, refused):
    name, spoil, _ = BAD_FILES[case]
    spoil(small_patient_folder, name)
    files = [part for key in ("t1", "t1c", "t2", "flair", "seg") for part in (f"--{key}", f"{key}.nii.gz")]
    files[1::2] = [str(small_patient_folder / file) for file in files[1::2]]
    message = refused("run", *files, "--out", tmp_path / "out", "--quiet")
    assert name in message


def test_default_output_folder_isnt_left_behind_in_the_working_folder(small_patient_folder, refused):
    remove(small_patient_folder, "t1.nii.gz")
    refused("run", small_patient_folder, "--quiet")
    assert list(Path.cwd().iterdir()) == []


def test_the_working_folder_as_patient_has_a_name_in_the_message(small_patient_folder, monkeypatch, refused):
    remove(small_patient_folder, "t1.nii.gz")
    monkeypatch.chdir(small_patient_folder)
    assert refused("run", ".", "--out", "out", "--quiet").startswith("gliocast: folder .: expected t1, ")


@pytest.mark.parametrize(("patient", "got"), [("absent", "no such folder"), ("a-file", "a file")])
def test_patient_that_is_no_folder_is_refused(patient, got, tmp_path, refused):
    (tmp_path / "a-file").write_text("")
    assert got in refused("run", tmp_path / patient, "--out", tmp_path / "out", "--quiet")


def test_two_files_for_one_modality_are_refused(small_patient_folder, tmp_path, refused):
    shutil.copy(small_patient_folder / "t1.nii.gz", small_patient_folder / "again_t1.nii.gz")
    assert "again_t1.nii.gz and t1.nii.gz" in refused("run", small_patient_folder, "--out", tmp_path / "out", "-q")


@pytest.mark.parametrize("out", ["a-file", "a-file/below", "a-file/deep/below", "/proc/gliocast", "/proc/1/gliocast"])
def test_output_that_cant_be_written_is_refused(out, small_patient_folder, tmp_path, refused):
    (tmp_path / "a-file").write_text("mine")
    assert "output" in refused("run", small_patient_folder, "--out", tmp_path / out, "--quiet")


def test_swapped_enhancing_and_necrosis_is_a_warning_and_no_error(small_patient_folder, monkeypatch, gliocast):
    given = []
    monkeypatch.setattr("gliocast.pipeline.run", lambda patient, *_, **__: given.append(patient))
    change(small_patient_folder / "seg.nii.gz", lambda data: np.array([0, 4, 2, 3, 1], np.float32)[data.astype(int)])
    outcome = gliocast("run", small_patient_folder)
    assert outcome.code == 0
    warnings = [line for line in outcome.err.splitlines() if line.startswith("warning: ")]
    assert any("enhancing and necrosis look swapped" in line for line in warnings)
    assert [line.removeprefix("warning: ") for line in warnings] == list(given[0].warnings)
    said = gliocast("run", small_patient_folder, "--labels", "swapped")
    assert "look swapped" not in said.err


# A T1 that is not a brain. What the cheap checks of the voxels let pass is caught by the affine registration.


def everywhere(folder, _arrays):
    """Scans of nothing but noise."""
    generator = np.random.default_rng(0)
    for name in ("t1", "t1c", "t2", "flair"):
        change(folder / f"{name}.nii.gz", lambda data: generator.uniform(1, 900, data.shape).astype(np.float32))


def head(folder, arrays):
    """A T1 that nobody stripped of skull and scalp: the brain inside of a larger ellipsoid."""
    radius = np.linalg.norm(
        (np.moveaxis(np.indices(arrays["t1"].shape), 0, -1) - (27.5, 31.5, 24.5)) / (27, 31, 24.5), axis=-1
    )
    texture = np.random.default_rng(0).uniform(300, 900, radius.shape)
    change(folder / "t1.nii.gz", lambda data: np.where((radius < 1) & (data == 0), texture, data).astype(np.float32))


def half(folder, _arrays):
    """A brain of which a quarter is there."""
    for name in ("t1", "t1c", "t2", "flair"):
        change(folder / f"{name}.nii.gz", lambda data: data * (np.arange(64) < 26)[None, :, None])


def mask(folder, _arrays):
    """A brain mask in place of the T1."""
    change(folder / "t1.nii.gz", lambda data: (data > 0).astype(np.float32))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (everywhere, "not skull-stripped"),
        (head, "run a brain extraction first"),
        (half, "pass the whole brain"),
        (mask, "not a mask"),
    ],
)
def test_t1_that_is_no_brain_by_its_voxels_is_refused(spoil, said, small_patient_folder, small_patient_arrays, refused):
    spoil(small_patient_folder, small_patient_arrays)
    assert said in refused("run", small_patient_folder, "--quiet")


def shuffle(folder, arrays):
    """The brain's own gray values and outline, without its anatomy."""
    brain = arrays["t1"] > 0
    shuffled = np.zeros(brain.shape, dtype=np.float32)
    shuffled[brain] = np.random.default_rng(0).permutation(arrays["t1"][brain])
    change(folder / "t1.nii.gz", lambda _: shuffled)


def grow_spots(folder, arrays):
    """Smooth spots inside the brain's outline."""
    spots = ndimage.gaussian_filter(np.random.default_rng(0).standard_normal(arrays["t1"].shape), 2)
    change(folder / "t1.nii.gz", lambda data: np.where(data > 0, 500 + 3000 * spots, 0).astype(np.float32))


def show_t2(folder, _arrays):
    """A T2 by the name of the T1."""
    shutil.copy(folder / "t2.nii.gz", folder / "t1.nii.gz")


def ball(folder, _arrays):
    """A smooth phantom of a brain's size at the brain's place, seen by all scans."""
    index = np.moveaxis(np.indices((56, 64, 50)), 0, -1)
    distance = 3 * np.linalg.norm(index - (27.5, 31.5, 24.5), axis=-1)
    smooth = np.where(distance < BALL_RADIUS, 1000 * np.cos(distance / BALL_RADIUS) ** 2, 0).astype(np.float32)
    for name in ("t1", "t1c", "t2", "flair"):
        change(folder / f"{name}.nii.gz", lambda _: smooth)


@pytest.mark.parametrize("spoil", [shuffle, grow_spots, show_t2, ball])
def test_t1_that_is_no_brain_by_its_anatomy_is_refused(spoil, small_patient_folder, small_patient_arrays, refused):
    spoil(small_patient_folder, small_patient_arrays)
    message = refused("run", small_patient_folder, "--quiet")
    assert "a skull-stripped T1 of a brain" in message


# Options


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        *(("--margin", value, "a length in (0, 50] mm") for value in ("nan", "inf", "-1", "0", "51")),
        *(("--diffusivity-ratio", value, "a number from 0.1 to 10000") for value in ("nan", "inf", "-1", "0")),
        ("--labels", "nonsense", "one of brats-2021, brats-2023"),
        ("--labels", "", "one of brats-2021, brats-2023"),
        ("--labels", "brats-2023", "also 4"),
        ("--seed", "-1", "a nonnegative integer"),
        ("--method", "nonsense", "one of laplace, tmcmc, npe"),
        ("--samples", "0", "positive counts"),
        *(("--densities", value, "from 2 to 1000 posterior samples") for value in ("0", "1", "1001")),
    ],
)
def test_wrong_option_value_is_refused(option, value, said, small_patient_folder, refused):
    assert said in refused("run", small_patient_folder, option, value, "--quiet")


@pytest.mark.parametrize("verb", [("run",), ("cohort", "run")])
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--pressure", "3"), "--pressure: expected none beside --growth fisher-kolmogorov"),
        (("--no-forecast", "--speed", "0.2"), "--speed: expected none beside --no-forecast"),
    ],
)
def test_option_that_nothing_reads_is_refused(verb, options, said, small_patient_folder, tmp_path, refused):
    place = small_patient_folder if verb == ("run",) else small_patient_folder.parent
    assert said in refused(*verb, place, "--out", tmp_path / "out", *options, "--quiet")


def test_folder_and_files_together_are_refused(small_patient_folder, refused):
    message = refused("run", small_patient_folder, "--t1", small_patient_folder / "t1.nii.gz", "--quiet")
    assert "got both; give one or the other" in message


def test_neither_folder_nor_files_is_refused(refused):
    assert "got no --t1, --t1c, --t2, --flair; give one or the other" in refused("run", "--quiet")


def test_some_of_the_files_are_refused(small_patient_folder, refused):
    files = [
        part for key in ("t1", "t1c", "flair", "seg") for part in (f"--{key}", small_patient_folder / f"{key}.nii.gz")
    ]
    assert "got no --t2; give" in refused("run", *files, "--quiet")


def test_installed_command_refuses_as_the_function_does(small_patient_folder, tmp_path):
    remove(small_patient_folder, "t2.nii.gz")
    command = [Path(sys.executable).with_name("gliocast"), "run", small_patient_folder, "--out", tmp_path / "out", "-q"]
    result = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "no t2 among flair.nii.gz, seg.nii.gz, t1.nii.gz, t1c.nii.gz" in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == [small_patient_folder.name]
