"""Training of the networks that read references: courses, what references say of them, weights. Composition only."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gliocast.cohort.impressions import ImpressionSet, Lessons
from gliocast.core import InputError, Monitor, Silence
from gliocast.inference.morph_infer import ReadingConfig, ReadingNetwork, inverse_loss, save_reading
from gliocast.inference.morph_infer.impression import NUM_ANSWERS
from gliocast.inference.morph_infer.reading import TURNS
from gliocast.train import TrainOptions, train

#: Share of the likelihood in the loss [1]; see `inverse_loss`.
_LIKELIHOOD_SHARE = 0.01

#: A network learns to read each of these, and the folder of a training has a part for it.
LOOKS = ("first-look", "closer-look")


@dataclass(frozen=True)
class ReferencesTraining:
    """What to train, on how much.

    Args:
        num_courses: growths whose tumors are learned from, for each look, ...
        num_validation: ... beside those held back, which come first.
        seed: of the courses of the first look and of the networks; the next look has the courses of the next seed.
        batch_size: examples in a step.
        jitter: standard deviation of the noise on standardized impressions [1]; it keeps few tumors from being learned
            by heart.
        hidden: units of both layers of a network.
        optimization: steps and rates.
    """

    num_courses: int = 2400
    num_validation: int = 96
    seed: int = 10
    batch_size: int = 128
    jitter: float = 0.1
    hidden: int = 256
    optimization: TrainOptions = field(
        default_factory=lambda: TrainOptions(num_steps=4000, learning_rate=2e-3, weight_decay=0.1)
    )

    def __post_init__(self) -> None:
        if (
            min(self.num_courses, self.num_validation, self.batch_size, self.hidden) < 1
            or self.seed < 0
            or self.jitter < 0
        ):
            raise InputError("training", expected="positive counts", got=f"{self}", advice="use the defaults")


def train_references(
    training: ReferencesTraining, folder: Path, *, monitor: Monitor | None = None, num_workers: int | None = None
) -> Path:
    """Simulate, look, train, look closer, train, and write the weights; whatever is there already isn't done again.

    Args:
        training: what to train.
        folder: impressions, checkpoints, logs and weights.
        monitor: told of the stages.
        num_workers: processes that simulate; by default one for each core.

    Returns:
        The file of the weights.
    """
    monitor, workers = monitor or Silence(), num_workers or os.cpu_count() or 1
    networks: tuple[ReadingNetwork, ...] = ()
    before = None
    for name in LOOKS:
        there = folder / name
        lessons = _looked(training, there / "impressions", before, monitor=monitor, num_workers=workers)
        networks += (_learned(training, lessons, there, closer=before is not None, monitor=monitor),)
        before = there / "weights.safetensors"
        save_reading(before, networks)
    path = folder / "morph-infer-references.safetensors"
    save_reading(path, networks)
    return path


def _looked(
    training: ReferencesTraining, folder: Path, before: Path | None, *, monitor: Monitor, num_workers: int
) -> Lessons:
    """Lessons of a look; the courses of every look are its own, for networks know those that they learned from."""
    monitor.begin("simulate" if before is None else "simulate and look closer")
    seen = ImpressionSet(folder, training.seed if before is None else training.seed + 1, before=before)
    count = training.num_courses + training.num_validation
    seen.make(count, num_workers=num_workers, progress=monitor.advance)
    return seen.load(count)


def _learned(
    training: ReferencesTraining, lessons: Lessons, folder: Path, *, closer: bool, monitor: Monitor
) -> ReadingNetwork:
    """A network that has learned its lessons, its precision scaled by those held back."""
    monitor.begin("train closer" if closer else "train")
    held = lessons.courses < training.num_validation
    if held.all() or not held.any():
        raise InputError("training", expected="tumors", got="none in these courses", advice="take more courses")
    torch.manual_seed(training.seed)
    network = ReadingNetwork(ReadingConfig(closer, training.hidden))
    network.learn_scales(*_tensors(lessons.where(~held)))
    taught, exam = (_standardized(network, lessons.where(part)) for part in (~held, held))
    weight = torch.ones(NUM_ANSWERS)

    def losses(net: nn.Module, step: int) -> Mapping[str, Tensor]:
        scalars, vectors, truth = _batch(training, taught, step)
        answer, factor = net(scalars, vectors)
        squared, likelihood = inverse_loss(answer, factor, truth, weight)
        return {"squared error": squared, "likelihood": _LIKELIHOOD_SHARE * likelihood}

    averaged = train(
        network,
        losses,
        options=training.optimization,
        folder=folder,
        key=_key(training),
        validate=lambda net: _validate(net, exam)[0],
        progress=lambda share, _: monitor.advance(share),
    )
    assert isinstance(averaged, ReadingNetwork)
    averaged.widening.mul_(_validate(averaged, exam)[1])
    return averaged


def _tensors(lessons: Lessons) -> tuple[Tensor, Tensor, Tensor]:
    """Scalars, vectors and right answers."""
    parts = (lessons.scalars, lessons.vectors, lessons.answers)
    scalars, vectors, answers = (torch.from_numpy(np.asarray(part, np.float32)) for part in parts)
    return scalars, vectors, answers


def _standardized(network: ReadingNetwork, lessons: Lessons) -> tuple[Tensor, Tensor, Tensor]:
    scalars, vectors, truth = _tensors(lessons)
    return *network.standardize(scalars, vectors), (truth - network.answer_mean) / network.answer_deviation


def _batch(
    training: ReferencesTraining, taught: tuple[Tensor, Tensor, Tensor], step: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Examples of a step, each turned in one of the 48 ways; they depend on the seed and the step alone."""
    generator = np.random.default_rng([training.seed, 1, step])
    chosen = torch.from_numpy(generator.integers(len(taught[0]), size=training.batch_size))
    turns = torch.from_numpy(TURNS[generator.integers(len(TURNS), size=training.batch_size)]).float()
    scalars, vectors, truth = (part[chosen] for part in taught)
    noise = [training.jitter * generator.standard_normal(part.shape) for part in (scalars, vectors)]
    scalars, vectors = (part + torch.from_numpy(n).float() for part, n in zip((scalars, vectors), noise, strict=True))
    truth = truth.clone()
    truth[:, 2:5] = torch.einsum("nij,nj->ni", turns, truth[:, 2:5])
    return scalars, torch.einsum("nij,nvj->nvi", turns, vectors), truth


@torch.no_grad()
def _validate(network: nn.Module, exam: tuple[Tensor, Tensor, Tensor]) -> tuple[dict[str, float], float]:
    """Root mean square error of each coordinate, and of all in stated deviations."""
    scalars, vectors, truth = exam
    answer, factor = network(scalars, vectors)
    rms = (answer - truth).square().mean(dim=0).sqrt() * network.answer_deviation
    whitened = float(torch.einsum("nij,ni->nj", factor, answer - truth).square().mean().sqrt())
    names = ("log_travel", "log_width", "x", "y", "z", "logit_t1c_threshold", "logit_flair_threshold")
    figures = {f"rms {name}": round(float(value), 4) for name, value in zip(names, rms, strict=True)}
    return {**figures, "whitened rms": round(whitened, 3)}, whitened


def _key(training: ReferencesTraining) -> str:
    described = json.dumps(asdict(training), sort_keys=True, default=str)
    return hashlib.sha256(described.encode()).hexdigest()[:16]
