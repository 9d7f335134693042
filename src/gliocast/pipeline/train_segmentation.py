"""Training of the segmentation network: patients, examples, network, weights. Composition only."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gliocast.cohort.crew import each
from gliocast.core import Monitor, Silence
from gliocast.data import read_patient
from gliocast.pipeline.patient_folders import list_visits
from gliocast.pipeline.segmentation_recipe import SegmentationTraining
from gliocast.segmentation.augment import Augmentation, augmented
from gliocast.segmentation.classes import CLASSES, NUM_PLAIN, NUM_WITH_BRAIN
from gliocast.segmentation.examples import Example, ExampleFolder, require_apart, split_patients
from gliocast.segmentation.losses import inverse_frequency_weights, segmentation_losses
from gliocast.segmentation.unet import UNet
from gliocast.segmentation.weights import SegmentationWeights, save_segmentation
from gliocast.train import Feed, Runtime, train

#: Patients that a validation looks at, at most, and validations in a run.
_MOST_VALIDATED, _NUM_VALIDATIONS = 8, 12

#: Micro-batches that are made ahead, each by a thread.
_AHEAD = 2


def train_segmentation(
    training: SegmentationTraining,
    data: Path,
    folder: Path,
    *,
    validation: Path | None = None,
    labels: str | None = None,
    monitor: Monitor | None = None,
    num_workers: int | None = None,
    runtime: Runtime | None = None,
) -> Path:
    """Read patients, train, and write the weights; whatever is there already isn't done again.

    Args:
        training: what to train.
        data: folder of patients, as BraTS has them.
        folder: examples, checkpoint, log and weights.
        validation: folder of other patients to validate on; by default a share of the first is held back.
        labels: name of the schema of the segmentations; None guesses it.
        monitor: told of the stages.
        num_workers: processes that read; by default one for each core.
        runtime: processes and device, of `open_runtime`; by default one process on the CPU.

    Returns:
        The file of the weights.
    """
    monitor, workers = monitor or Silence(), num_workers or os.cpu_count() or 1
    runtime = runtime or Runtime(torch.device("cpu"))
    visits = list_visits(data)
    if validation is None:
        names = [path.name for path in visits]
        taught, held = split_patients(names, training.held_share, training.seed)
    else:
        others = list_visits(validation)
        taught, held = [path.name for path in visits], [path.name for path in others]
        require_apart(taught, held)
        visits = [*visits, *others]
    examples = ExampleFolder(folder / "examples")
    if runtime.is_first:
        _prepare(visits, examples, labels, monitor=monitor, num_workers=workers)
    runtime.share([torch.zeros(1)])  # the others wait
    averaged = _learned(training, examples, taught, held, folder, monitor=monitor, runtime=runtime)
    path = folder / "segmentation.safetensors"
    if runtime.is_first:
        save_segmentation(path, SegmentationWeights(averaged, training.edge))
    return path


def _prepare(
    visits: Sequence[Path], examples: ExampleFolder, labels: str | None, *, monitor: Monitor, num_workers: int
) -> None:
    """Read those patients that aren't there yet."""
    monitor.begin("read patients")
    examples.folder.mkdir(parents=True, exist_ok=True)
    absent = [path for path in visits if not examples.has(path.name, _source(path, labels))]
    make = partial(_read_one, absent, examples, labels)
    for done, _ in enumerate(each(make, range(len(absent)), num_workers=num_workers)):
        monitor.advance((done + 1) / len(absent))


def _read_one(absent: Sequence[Path], examples: ExampleFolder, labels: str | None, index: int) -> None:
    visit = read_patient(absent[index], labels=labels).visits[0]
    examples.write(absent[index].name, Example.of(visit), _source(absent[index], labels))


def _source(folder: Path, labels: str | None) -> str:
    """What an example is made of: files as they are now, and what their labels mean."""
    files = [(path.name, path.stat().st_size, path.stat().st_mtime_ns) for path in sorted(folder.glob("*.nii*"))]
    return hashlib.sha256(repr((labels, files)).encode()).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class _Windows:
    """Micro-batches by number; each depends on the seed and its number alone."""

    training: SegmentationTraining
    examples: ExampleFolder
    names: Sequence[str]

    def __call__(self, number: int) -> tuple[Tensor, Tensor]:
        """Windows (batch, 4, edge, edge, edge) and their classes (batch, edge, edge, edge)."""
        size = self.training.batch_size
        pairs = [self._window(number * size + place) for place in range(size)]
        scans, classes = zip(*pairs, strict=True)
        return torch.stack(scans), torch.stack(classes)

    def _window(self, index: int) -> tuple[Tensor, Tensor]:
        """Every patient once before one comes again, in another order each time."""
        epoch, place = divmod(index, len(self.names))
        order = np.random.default_rng([self.training.seed, 1, epoch]).permutation(len(self.names))
        example = self.examples.read(self.names[order[place]])
        generator = np.random.default_rng([self.training.seed, 2, index])
        edge = self.training.edge
        center = example.middle if self.training.crop == "center" else example.place(edge, generator)
        scans, classes = augmented(
            example.scans,
            example.classes,
            center=center,
            edge=edge,
            augmentation=self.training.augmentation,
            generator=generator,
        )
        return scans, _told_apart(classes, self.training.network.num_classes)


def _told_apart(classes: Tensor, num_classes: int) -> Tensor:
    """Classes of a network; healthy brain is background where it isn't one of them."""
    return classes if num_classes == NUM_WITH_BRAIN else classes * (classes < NUM_PLAIN)


def _learned(
    training: SegmentationTraining,
    examples: ExampleFolder,
    taught: Sequence[str],
    held: Sequence[str],
    folder: Path,
    *,
    monitor: Monitor,
    runtime: Runtime,
) -> UNet:
    monitor.begin("train")
    torch.manual_seed(training.seed)
    network = UNet(training.network).to(runtime.device)
    weights = _class_weights(training, examples, taught)
    windows = _Windows(training, examples, taught)
    num_steps = training.num_steps(len(taught), runtime.world_size)
    options = replace(training.optimization, num_steps=num_steps)
    with Feed(windows, stride=runtime.world_size, ahead=_AHEAD, num_workers=_AHEAD, workers="threads") as feed:

        def losses(net: nn.Module, number: int) -> Mapping[str, Tensor]:
            scans, classes = (part.to(runtime.device) for part in feed[number])
            return segmentation_losses(net(scans), classes, beta=training.beta, weights=weights)

        averaged = train(
            network,
            losses,
            options=options,
            folder=folder,
            key=_key(training, taught, held),
            validate=lambda net: _validate(net, training, examples, held[:_MOST_VALIDATED], runtime.device),
            validate_every=max(1, num_steps // _NUM_VALIDATIONS),
            select="dice",
            config=asdict(training),
            progress=lambda share, _: monitor.advance(share),
        )
    assert isinstance(averaged, UNet)
    return averaged.cpu()


def _class_weights(training: SegmentationTraining, examples: ExampleFolder, names: Sequence[str]) -> Tensor | None:
    """Of the cross-entropy."""
    if not (training.beta and training.weighted):
        return None
    counts = np.zeros(len(CLASSES))
    for name in names:
        example = examples.read(name)
        counts += np.bincount(example.classes.numpy().ravel(), minlength=len(CLASSES))
        counts[0] += np.prod(example.shape) - example.classes.numel()
    if training.network.num_classes == NUM_PLAIN:
        counts = np.array([counts[0] + counts[NUM_PLAIN], *counts[1:NUM_PLAIN]])
    return inverse_frequency_weights(torch.from_numpy(counts))


@torch.inference_mode()
def _validate(
    network: nn.Module,
    training: SegmentationTraining,
    examples: ExampleFolder,
    names: Sequence[str],
    device: torch.device,
) -> dict[str, float]:
    """Dice of WT, TC and ET over windows around the middle of patients held back, and the mean of the three."""
    rows = []
    for name in names:
        example = examples.read(name)
        scans, classes = augmented(
            example.scans,
            example.classes,
            center=example.middle,
            edge=training.edge,
            augmentation=Augmentation.none(),
            generator=np.random.default_rng(0),
        )
        found = network(scans[None].to(device))[0].argmax(dim=0).cpu()
        rows.append([_overlap(found, classes, members) for members in ((1, 2, 3), (1, 3), (3,))])
    whole, core, enhancing = (float(value) for value in np.mean(rows, axis=0))
    return {"WT": whole, "TC": core, "ET": enhancing, "dice": (whole + core + enhancing) / 3}


def _overlap(found: Tensor, truth: Tensor, members: Sequence[int]) -> float:
    table = torch.zeros(len(CLASSES), dtype=torch.bool)
    table[list(members)] = True
    ours, theirs = table[found.long()], table[truth.long()]
    total = int(ours.sum() + theirs.sum())
    return 2 * int((ours & theirs).sum()) / total if total else 1.0


def _key(training: SegmentationTraining, taught: Sequence[str], held: Sequence[str]) -> str:
    described = json.dumps([asdict(training), list(taught), list(held)], sort_keys=True, default=str)
    return hashlib.sha256(described.encode()).hexdigest()[:16]
