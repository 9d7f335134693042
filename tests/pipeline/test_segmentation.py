"""The segmentation network from folders of patients to weights, labels and figures, at a size that takes seconds."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from gliocast.core import SCHEMAS, InputError, Silence
from gliocast.data import read_labels, read_study
from gliocast.pipeline.evaluate_segmentation import evaluate_segmentation
from gliocast.pipeline.open_patient import NETWORK_NOTE, open_patient
from gliocast.pipeline.patient_folders import list_visits
from gliocast.pipeline.segment import SegmentOptions, segment_to_file
from gliocast.pipeline.train_segmentation import train_segmentation
from gliocast.segmentation.augment import Augmentation
from gliocast.segmentation.examples import Example, ExampleFolder
from gliocast.segmentation.recipe import SegmentationTraining
from gliocast.segmentation.unet import UNet, UNetConfig
from gliocast.segmentation.weights import SegmentationWeights, load_segmentation, save_segmentation
from gliocast.train import TrainOptions

#: A small adult's brain of 0.53 l in voxels of 5 mm, LPS.
SHAPE, SPACING, HALF_AXES = (22, 26, 24), 5.0, (45.0, 55.0, 51.0)
AFFINE = np.array([[-SPACING, 0, 0, 52], [0, -SPACING, 0, 62], [0, 0, SPACING, -57], [0, 0, 0, 1]])

#: By modality as BraTS names it: gray value of brain, necrosis, enhancing tumor and edema.
GRAY = {
    "t1n": (450, 250, 320, 280),
    "t1c": (470, 260, 700, 300),
    "t2w": (340, 800, 500, 700),
    "t2f": (330, 380, 480, 720),
}

#: Patients; the first has come twice.
NAMES = [f"BraTS-GLI-0000{person}-000" for person in range(4)] + ["BraTS-GLI-00000-001"]

TINY = SegmentationTraining(
    network=UNetConfig(channels=(8, 8)),
    edge=16,
    crop="anywhere",
    augmentation=Augmentation(noise=0.5),
    beta=0.5,
    batch_size=1,
    epochs=0,
    held_share=0.25,
    optimization=TrainOptions(num_steps=6, checkpoint_every_s=0.0, accumulate=2),
)


@pytest.fixture(scope="module")
def write_patient(save_nifti):
    """The function `write_patient(folder, seed) -> folder`: scans and labels (1, 2, 4) of a brain with a tumor."""

    def write(folder, seed):
        generator = np.random.default_rng(seed)
        voxels = np.moveaxis(np.indices(SHAPE), 0, -1)
        world = voxels @ AFFINE[:3, :3].T + AFFINE[:3, 3]
        brain = np.linalg.norm(world / HALF_AXES, axis=-1) < 1
        distance = np.linalg.norm(world - generator.uniform(-15, 15, 3), axis=-1)
        part = np.array([1, 2, 3, 0])[np.digitize(distance, (8, 15, 24))]
        folder.mkdir(parents=True)
        for name, values in GRAY.items():
            scan = np.array(values)[part] * generator.uniform(0.9, 1.1, SHAPE) * brain
            save_nifti(folder / f"{folder.name}-{name}.nii.gz", scan.astype(np.int16), AFFINE)
        labels = np.array([0, 1, 4, 2])[part] * brain
        save_nifti(folder / f"{folder.name}-seg.nii.gz", labels.astype(np.uint8), AFFINE)
        return folder

    return write


@pytest.fixture(scope="module")
def data(tmp_path_factory, write_patient):
    """Folder of patients; don't change it."""
    folder = tmp_path_factory.mktemp("data")
    for seed, name in enumerate(NAMES):
        write_patient(folder / name, seed)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory, data):
    """Folder of a training; don't change it."""
    folder = tmp_path_factory.mktemp("training")
    assert train_segmentation(TINY, data, folder, num_workers=1) == folder / "segmentation.safetensors"
    return folder


def lines_of(folder):
    with (folder / "log.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_training_leaves_weights_a_log_and_what_it_was(trained):
    weights = load_segmentation(trained / "segmentation.safetensors")
    assert (weights.network.config, weights.edge) == (TINY.network, 16)
    assert all(torch.isfinite(value).all() for value in weights.network.parameters())
    lines = lines_of(trained)
    assert [int(line["step"]) for line in lines] == list(range(1, 7))
    for line in lines:
        assert {"soft dice", "cross entropy"} <= line.keys()
        regions = [float(line[region]) for region in ("WT", "TC", "ET")]
        assert all(0 <= value <= 1 for value in regions)
        assert float(line["dice"]) == pytest.approx(np.mean(regions))
    written = json.loads((trained / "config.json").read_text())
    assert (written["config"]["edge"], written["config"]["network"]["channels"]) == (16, [8, 8])
    assert (written["options"]["num_steps"], written["select"]) == (6, "dice")


def test_every_patient_is_read_once_into_the_folder(trained, data, monkeypatch):
    examples = ExampleFolder(trained / "examples")
    assert sorted(path.stem for path in examples.folder.iterdir()) == sorted(NAMES)
    example = examples.read(NAMES[0])
    assert example.shape == tuple(5 * size for size in SHAPE)
    assert example.classes.unique().tolist() == [0, 1, 2, 3, 4]
    monkeypatch.setattr(Example, "of", None)  # would be called for what is absent
    train_segmentation(TINY, data, trained, num_workers=1)


class Interrupting(Silence):
    """Interrupts a training after so many steps."""

    def __init__(self, steps):
        self.stage, self.steps = "", steps

    def begin(self, stage):
        self.stage = stage

    def advance(self, fraction):
        self.steps -= self.stage == "train"
        if self.steps == 0:
            raise KeyboardInterrupt


def test_an_interrupted_training_ends_with_the_bits_of_one_that_was_not(data, trained, tmp_path):
    shutil.copytree(trained / "examples", tmp_path / "examples")
    for steps in (3, 2):
        with pytest.raises(KeyboardInterrupt):
            train_segmentation(TINY, data, tmp_path, num_workers=1, monitor=Interrupting(steps))
        assert not (tmp_path / "segmentation.safetensors").exists()
    assert [line["step"] for line in lines_of(tmp_path)] == ["1", "2", "3"]  # the second went on from the first
    train_segmentation(TINY, data, tmp_path, num_workers=1)
    for name in ("segmentation.safetensors", "log.csv"):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes(), name
    ours, theirs = (load_file(folder / "checkpoint.safetensors") for folder in (tmp_path, trained))
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


@pytest.mark.parametrize(
    "changes",
    [
        {"edge": 32},
        {"seed": 1},
        {"beta": 0.0},
        {"crop": "center"},
        {"augmentation": Augmentation.none()},
        {"network": UNetConfig(channels=(8, 16))},
        {"optimization": replace(TINY.optimization, learning_rate=1e-4)},
        {"optimization": replace(TINY.optimization, num_steps=7)},
    ],
    ids=str,
)
def test_another_recipe_in_the_same_folder_is_refused(changes, data, trained):
    before = (trained / "segmentation.safetensors").read_bytes()
    with pytest.raises(InputError, match="another run"):
        train_segmentation(replace(TINY, **changes), data, trained, num_workers=1)
    assert (trained / "segmentation.safetensors").read_bytes() == before


def test_other_patients_in_the_same_folder_are_refused(data, trained, tmp_path):
    for name in NAMES[1:]:
        (tmp_path / name).symlink_to(data / name)
    with pytest.raises(InputError, match="another run"):
        train_segmentation(TINY, tmp_path, trained, num_workers=1)


def test_validation_on_a_patient_that_is_learned_from_is_refused_before_anything_is_read(data, write_patient, tmp_path):
    write_patient(tmp_path / "others" / "BraTS-GLI-00003-001", 9)  # another visit of the same patient
    with pytest.raises(InputError, match="both learned from and validated on, got BraTS-GLI-00003;"):
        train_segmentation(TINY, data, tmp_path / "out", validation=tmp_path / "others", num_workers=1)
    assert not (tmp_path / "out").exists()


def test_others_are_validated_on_where_they_are_given(data, trained, write_patient, tmp_path):
    """With every class told apart, windows around the middle, and classes weighed."""
    write_patient(tmp_path / "others" / "BraTS-GLI-00009-000", 9)
    shutil.copytree(trained / "examples", tmp_path / "out" / "examples")
    training = replace(TINY, crop="center", epochs=1, optimization=replace(TINY.optimization, num_steps=99))
    path = train_segmentation(
        training.with_brain(), data, tmp_path / "out", validation=tmp_path / "others", num_workers=1
    )
    assert load_segmentation(path).network.config.num_classes == 5
    assert ExampleFolder(tmp_path / "out" / "examples").read("BraTS-GLI-00009-000").classes.any()
    assert int(lines_of(tmp_path / "out")[-1]["step"]) == 2  # five visits, two in a step


def test_a_damaged_example_is_made_again(data, trained, tmp_path):
    shutil.copytree(trained / "examples", tmp_path / "examples")
    spoiled = tmp_path / "examples" / f"{NAMES[2]}.safetensors"
    spoiled.write_bytes(spoiled.read_bytes()[:1000])
    train_segmentation(TINY, data, tmp_path, num_workers=1)
    assert spoiled.read_bytes() == (trained / "examples" / spoiled.name).read_bytes()


def test_an_example_of_scans_that_changed_is_made_again_and_what_was_learned_from_it_refused(write_patient, tmp_path):
    data, out = tmp_path / "data", tmp_path / "out"
    for number in range(3):
        write_patient(data / f"BraTS-GLI-0000{number}-000", number)
    training = replace(TINY, optimization=replace(TINY.optimization, num_steps=1))
    train_segmentation(training, data, out, num_workers=1)
    examples = ExampleFolder(out / "examples")
    before = examples.read("BraTS-GLI-00001-000").scans
    shutil.rmtree(data / "BraTS-GLI-00001-000")
    write_patient(data / "BraTS-GLI-00001-000", 8)
    with pytest.raises(InputError, match="another"):
        train_segmentation(training, data, out, num_workers=1)
    after = examples.read("BraTS-GLI-00001-000").scans
    assert before.shape != after.shape or not torch.equal(before, after)


@pytest.mark.slow
def test_processes_that_read_change_nothing(data, trained, tmp_path):
    """Each of them imports everything first."""
    train_segmentation(TINY, data, tmp_path, num_workers=2)
    for name in ("segmentation.safetensors", "log.csv"):
        assert (tmp_path / name).read_bytes() == (trained / name).read_bytes()


@pytest.mark.slow
def test_what_is_learned_is_seen(data, trained, tmp_path):
    """Gray values tell the classes apart, which a small network learns in a hundred steps."""
    training = replace(
        TINY,
        network=UNetConfig(channels=(16, 16), patch=2),
        edge=32,
        augmentation=Augmentation.none(),
        weighted=False,
        optimization=TrainOptions(num_steps=100, learning_rate=5e-3, averaging=0.9),
    )
    shutil.copytree(trained / "examples", tmp_path / "examples")
    path = train_segmentation(training, data, tmp_path, num_workers=1)
    rows = evaluate_segmentation(data, options=SegmentOptions(weights=path)).patients
    assert np.mean([row["WT"].dice for row in rows.values()]) > 0.9


@pytest.mark.parametrize(
    "wrong",
    [
        {"edge": 0},
        {"edge": 17},
        {"batch_size": 0},
        {"epochs": -1},
        {"seed": -1},
        {"beta": -0.5},
        {"crop": "somewhere"},
    ],
    ids=str,
)
def test_senseless_trainings_are_refused(wrong):
    with pytest.raises(InputError, match="windows in multiples of 2, a crop of center, anywhere"):
        replace(TINY, **wrong)


def test_recipes_have_names():
    printed, deeper, small = (SegmentationTraining.of_size(size) for size in ("printed", "deeper", "small"))
    assert printed == SegmentationTraining()
    assert (printed.network.channels, deeper.network.channels[5:]) == ((16, 32, 64, 128, 256), (320,))
    assert (small.network.patch, small.network.num_classes, small.with_brain().network.num_classes) == (2, 4, 5)
    with pytest.raises(InputError, match="printed, deeper or small, got huge"):
        SegmentationTraining.of_size("huge")


def test_steps_are_counted_from_epochs():
    """Thirty times 1,000 patients, two windows in each of two micro-batches, in one process and in four."""
    printed = SegmentationTraining()
    assert [printed.num_steps(1000, world_size) for world_size in (1, 4)] == [7500, 1875]
    assert printed.num_steps(1, 64) == 1
    assert TINY.num_steps(1000) == 6


# Folders of patients


def test_visits_lie_in_a_folder_or_one_further_down(tmp_path, save_nifti):
    for place in ("b", "a", "c/c-1", "c/c-0", ".hidden", "empty"):
        (tmp_path / place).mkdir(parents=True)
        if place != "empty":
            save_nifti(tmp_path / place / "t1.nii.gz", np.zeros((2, 2, 2), np.uint8))
    (tmp_path / "notes.txt").write_text("")
    assert [str(path.relative_to(tmp_path)) for path in list_visits(tmp_path)] == ["a", "b", "c/c-0", "c/c-1"]


@pytest.mark.parametrize(
    ("places", "got"), [((), "got none"), (("a/one", "b/one"), "two that are called one"), (None, "got none; check")]
)
def test_folders_without_patients_or_with_two_of_one_name_are_refused(places, got, tmp_path, save_nifti):
    for place in places or ():
        (tmp_path / place).mkdir(parents=True)
        save_nifti(tmp_path / place / "t1.nii.gz", np.zeros((2, 2, 2), np.uint8))
    with pytest.raises(InputError, match=got):
        list_visits(tmp_path if places is not None else tmp_path / "absent")


# Labels where there are none


def certain(path, number):
    """Weights of a network that sees one class in everything."""
    torch.manual_seed(0)
    network = UNet(UNetConfig(channels=(8,), patch=4))  # quick on a whole brain
    torch.nn.init.zeros_(network.head.weight)
    torch.nn.init.zeros_(network.head.bias)
    network.head.bias.data[64 * number : 64 * number + 64] = 10
    save_segmentation(path, SegmentationWeights(network, 64))
    return path


@pytest.fixture
def enhancing(tmp_path):
    """Weights of a network that sees enhancing tumor in everything."""
    return certain(tmp_path / "enhancing.safetensors", 3)


@pytest.fixture
def unsegmented(data, tmp_path):
    """Folder of the scans of a patient."""
    folder = tmp_path / NAMES[0]
    shutil.copytree(data / NAMES[0], folder)
    (folder / f"{NAMES[0]}-seg.nii.gz").unlink()
    return folder


class Listening(Silence):
    """Keeps what it is told."""

    def __init__(self):
        self.stages, self.notes, self.shares = [], [], []

    def begin(self, stage):
        self.stages.append(stage)

    def advance(self, fraction):
        self.shares.append(fraction)

    def note(self, message):
        self.notes.append(message)


def test_a_patient_without_a_segmentation_gets_the_networks_and_a_warning(unsegmented, enhancing):
    listening = Listening()
    patient = open_patient(unsegmented, {}, weights=enhancing, monitor=listening)
    (visit,) = patient.visits
    assert patient.id == NAMES[0]
    assert patient.warnings[-1] == NETWORK_NOTE
    np.testing.assert_array_equal(visit.labels.enhancing, visit.brain)
    np.testing.assert_array_equal(visit.brain, read_study(unsegmented).brain)
    assert set(visit.scans) == {"t1", "t1c", "t2", "flair"}
    assert listening.stages == ["read", "segment"]
    assert listening.shares[-1] == 1


@pytest.mark.parametrize("number", [0, 2])
def test_a_patient_in_whom_the_network_sees_no_core_is_refused(number, unsegmented, tmp_path):
    with pytest.raises(InputError, match=r"none that the network sees; .* --seg"):
        open_patient(unsegmented, {}, weights=certain(tmp_path / "w.safetensors", number))


def test_a_segmentation_that_is_there_is_taken(data, tmp_path):
    patient = open_patient(data / NAMES[0], {}, weights=tmp_path / "there-are-none")
    expected, _ = read_labels(data / NAMES[0] / f"{NAMES[0]}-seg.nii.gz")
    np.testing.assert_array_equal(patient.visits[0].labels.data, expected.data)
    assert NETWORK_NOTE not in patient.warnings


def test_single_files_are_opened_with_and_without_a_segmentation(data, enhancing):
    ways = {"t1": "t1n", "t1c": "t1c", "t2": "t2w", "flair": "t2f", "seg": "seg"}
    files = {key: data / NAMES[1] / f"{NAMES[1]}-{name}.nii.gz" for key, name in ways.items()}
    given = open_patient(None, files, labels="brats-2021")
    found = open_patient(None, {key: files[key] for key in ("t1", "t1c", "t2", "flair")}, weights=enhancing)
    assert (given.id, found.id) == ("patient", "patient")
    assert given.visits[0].labels.enhancing.sum() < found.visits[0].labels.enhancing.sum()
    assert given.warnings == ()
    assert found.warnings == (NETWORK_NOTE,)


def test_labels_are_written_on_the_grid_of_the_t1_and_warnings_told(unsegmented, enhancing, tmp_path):
    shutil.copy(unsegmented / f"{NAMES[0]}-t2w.nii.gz", unsegmented / f"{NAMES[0]}-t2f.nii.gz")
    listening, out = Listening(), tmp_path / "new" / "seg.nii.gz"
    options = SegmentOptions(weights=enhancing, labels="brats-2023", mirrored=True)
    found = segment_to_file(unsegmented, out, options=options, monitor=listening)
    written, _ = read_labels(out, "brats-2023")
    np.testing.assert_array_equal(written.data, found.data)
    assert set(np.unique(written.data)) == {0, SCHEMAS["brats-2023"].enhancing}
    assert written.grid == read_study(unsegmented).grid
    assert [note for note in listening.notes if note.startswith("warning: ") and "same image" in note]


# Figures


def test_a_network_is_measured_and_looked_into(data, enhancing, tmp_path):
    for name in NAMES[:3]:
        (tmp_path / "some" / name).mkdir(parents=True)
        for path in (data / name).iterdir():
            (tmp_path / "some" / name / path.name).symlink_to(path)
    options, out = SegmentOptions(weights=enhancing, labels="brats-2023"), tmp_path / "out"
    evaluation = evaluate_segmentation(tmp_path / "some", out=out, options=options)
    assert list(evaluation.patients) == NAMES[:3]
    for name, rows in evaluation.patients.items():
        labels, _ = read_labels(data / name / f"{name}-seg.nii.gz", "brats-2021")
        brain = np.count_nonzero(read_study(data / name).brain)
        size = np.count_nonzero(labels.enhancing)
        assert rows["ET"].dice == pytest.approx(2 * size / (size + brain))
        assert (rows["edema"].dice, rows["necrosis"].iou) == (0, 0)
    assert evaluation.components is not None
    with (out / "patients.csv").open(newline="") as file:
        table = {row["patient"]: row for row in csv.DictReader(file)}
    assert {name: float(row["ET dice"]) for name, row in table.items()} == pytest.approx(
        {name: rows["ET"].dice for name, rows in evaluation.patients.items()}, rel=1e-4
    )
    summary = json.loads((out / "summary.json").read_text())
    assert summary["patients"] == 3
    low, high = summary["regions"]["ET"]["dice"]["interval"]
    assert 0 < low <= summary["regions"]["ET"]["dice"]["mean"] <= high < 1
    assert sum(summary["bottleneck"]["explained"]) == pytest.approx(1, abs=1e-3)
    for name in ("scree.png", "median.png", "worst.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    again = evaluate_segmentation(tmp_path / "some", found=out / "segmentations", options=options)
    assert again.patients == evaluation.patients


def test_segmentations_of_others_are_measured_without_a_network(data, tmp_path):
    for name in NAMES:
        shutil.copy(data / name / f"{name}-seg.nii.gz", tmp_path / f"{name}.nii.gz")
    evaluation = evaluate_segmentation(data, found=tmp_path)
    assert evaluation.components is None
    for region in ("WT", "TC", "ET", "necrosis", "edema", "mean"):
        np.testing.assert_array_equal(evaluation.values(region, "dice"), 1)
        np.testing.assert_array_equal(evaluation.values(region, "hd95_mm"), 0)
    (tmp_path / f"{NAMES[3]}.nii.gz").unlink()
    with pytest.raises(InputError, match=f"segmentation of {NAMES[3]}: .* got none"):
        evaluate_segmentation(data, found=tmp_path)
