"""Training of the segmentation network: patients, examples, network, weights. Composition only."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gliocast.cohort.crew import each
from gliocast.core import Monitor, Silence
from gliocast.data import read_patient
from gliocast.data.folders import scans_folder
from gliocast.pipeline.patient_folders import list_visits, visit_name
from gliocast.segmentation.classes import classes_of
from gliocast.segmentation.examples import Example, ExampleFolder
from gliocast.segmentation.learning import Windows, class_weights, validate
from gliocast.segmentation.losses import segmentation_losses
from gliocast.segmentation.predict import Segmenter
from gliocast.segmentation.recipe import SegmentationTraining
from gliocast.segmentation.specks import Specks, choose_specks
from gliocast.segmentation.split import require_apart, split_patients
from gliocast.segmentation.unet import UNet
from gliocast.segmentation.weights import SegmentationWeights, save_segmentation
from gliocast.train import Feed, Runtime, train

#: Patients that a validation looks at, at most, and that specks are chosen on; validations in a run.
_MOST_VALIDATED, _MOST_CLEARED, _NUM_VALIDATIONS = 8, 24, 12

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
        data: folder of patients, as BraTS or BIDS has them.
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
        names = [visit_name(path) for path in visits]
        taught, held = split_patients(names, training.held_share, training.seed)
    else:
        others = list_visits(validation)
        taught, held = [visit_name(path) for path in visits], [visit_name(path) for path in others]
        require_apart(taught, held)
        visits = [*visits, *others]
    examples = ExampleFolder(folder / "examples")
    sources = {visit_name(path): _source(path, labels) for path in visits}
    if runtime.is_first:
        absent = [path for path in visits if not examples.has(visit_name(path), sources[visit_name(path)])]
        _prepare(absent, examples, labels, monitor=monitor, num_workers=workers)
    runtime.share([torch.zeros(1)])  # the others wait
    key = _key(training, taught, held, sources)
    averaged = _learned(training, examples, taught, held, folder, key, monitor=monitor, runtime=runtime)
    path = folder / "segmentation.safetensors"
    if runtime.is_first:
        places = [place for place in visits if visit_name(place) in set(held)][:_MOST_CLEARED]
        specks = _choose_specks(averaged, training.edge, places, labels, device=runtime.device, monitor=monitor)
        save_segmentation(path, SegmentationWeights(averaged.cpu(), training.edge, specks))
    return path


def _choose_specks(
    network: UNet, edge: int, places: Sequence[Path], labels: str | None, *, device: torch.device, monitor: Monitor
) -> Specks:
    """What is best left out of whole scans of patients that were held back."""
    monitor.begin("choose specks")
    segmenter = Segmenter(network.eval().to(device), edge, device=device)

    def answers() -> Iterator[tuple[np.ndarray, np.ndarray, float]]:
        for done, place in enumerate(places):
            visit = read_patient(place, labels=labels).visits[0]
            truth = classes_of(visit.labels, visit.brain)
            yield segmenter.classes(visit.study), truth, visit.grid.voxel_volume
            monitor.advance((done + 1) / len(places))

    return choose_specks(answers())


def _prepare(
    absent: Sequence[Path], examples: ExampleFolder, labels: str | None, *, monitor: Monitor, num_workers: int
) -> None:
    """Read those patients that aren't there yet."""
    monitor.begin("read patients")
    examples.folder.mkdir(parents=True, exist_ok=True)
    make = partial(_read_one, absent, examples, labels)
    for done, _ in enumerate(each(make, range(len(absent)), num_workers=num_workers)):
        monitor.advance((done + 1) / len(absent))


def _read_one(absent: Sequence[Path], examples: ExampleFolder, labels: str | None, index: int) -> None:
    visit = read_patient(absent[index], labels=labels).visits[0]
    examples.write(visit_name(absent[index]), Example.of(visit), _source(absent[index], labels))


def _source(folder: Path, labels: str | None) -> str:
    """What an example is made of: files as they are now, and what their labels mean."""
    files = [
        (path.name, path.stat().st_size, path.stat().st_mtime_ns)
        for path in sorted(scans_folder(folder).glob("*.nii*"))
    ]
    return hashlib.sha256(repr((labels, files)).encode()).hexdigest()[:16]


def _learned(
    training: SegmentationTraining,
    examples: ExampleFolder,
    taught: Sequence[str],
    held: Sequence[str],
    folder: Path,
    key: str,
    *,
    monitor: Monitor,
    runtime: Runtime,
) -> UNet:
    monitor.begin("train")
    torch.manual_seed(training.seed)
    network = UNet(training.network).to(runtime.device)
    weights = class_weights(training, examples, taught)
    windows = Windows(training, examples, taught)
    num_steps = training.num_steps(len(taught), runtime.world_size)
    options = replace(training.optimization, num_steps=num_steps)
    with Feed(windows, stride=runtime.world_size, ahead=_AHEAD, num_workers=_AHEAD, workers="threads") as feed:

        def losses(net: nn.Module, number: int) -> Mapping[str, Tensor]:
            scans, classes = (part.to(runtime.device) for part in feed[number])
            logits = net(scans)
            return segmentation_losses(
                logits, classes, beta=training.beta, weights=weights, smoothing=training.smoothing
            )

        averaged = train(
            network,
            losses,
            options=options,
            folder=folder,
            key=key,
            validate=lambda net: validate(net, training, examples, held[:_MOST_VALIDATED], runtime.device),
            validate_every=max(1, num_steps // _NUM_VALIDATIONS),
            select="dice",
            config=asdict(training),
            progress=lambda share, _: monitor.advance(share),
        )
    assert isinstance(averaged, UNet)
    return averaged.cpu()


def _key(training: SegmentationTraining, taught: Sequence[str], held: Sequence[str], sources: Mapping[str, str]) -> str:
    described = json.dumps([asdict(training), list(taught), list(held), dict(sources)], sort_keys=True, default=str)
    return hashlib.sha256(described.encode()).hexdigest()[:16]
