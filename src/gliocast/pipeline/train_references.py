"""Training of the network that reads references: courses, what references say of them, weights. Composition only."""

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
from gliocast.inference.morph_infer import Impression, ReadingConfig, ReadingNetwork, inverse_loss, save_reading
from gliocast.inference.morph_infer.reading import NUM_ANSWERS, TURNS, encode
from gliocast.train import TrainOptions, train

#: Share of the likelihood in the loss [1]; see `inverse_loss`.
_LIKELIHOOD_SHARE = 0.01


@dataclass(frozen=True)
class ReferencesTraining:
    """What to train, on how much.

    Args:
        num_courses: growths whose tumors are learned from, ...
        num_validation: ... beside those held back, which come first.
        seed: of the courses and of the network.
        batch_size: examples in a step.
        jitter: standard deviation of the noise on standardized impressions [1]; it keeps few tumors from being learned
            by heart.
        network: size.
        optimization: steps and rates.
    """

    num_courses: int = 1824
    num_validation: int = 96
    seed: int = 10
    batch_size: int = 128
    jitter: float = 0.1
    network: ReadingConfig = field(default_factory=ReadingConfig)
    optimization: TrainOptions = field(default_factory=lambda: TrainOptions(num_steps=1500, learning_rate=2e-3))

    def __post_init__(self) -> None:
        if min(self.num_courses, self.num_validation, self.batch_size) < 1 or self.seed < 0 or self.jitter < 0:
            raise InputError("training", expected="positive counts", got=f"{self}", advice="use the defaults")


def train_references(
    training: ReferencesTraining,
    folder: Path,
    *,
    monitor: Monitor | None = None,
    num_workers: int | None = None,
    simulate: bool = True,
) -> Path:
    """Simulate, look, train, and write the weights; whatever of it is there already isn't done again.

    Args:
        training: what to train.
        folder: impressions, checkpoint, log and weights.
        monitor: told of the stages.
        num_workers: processes that simulate; by default one for each core.
        simulate: whether courses that aren't there are simulated; otherwise those that are there have to do.

    Returns:
        The file of the weights.
    """
    monitor = monitor or Silence()
    seen = ImpressionSet(folder / "impressions", training.seed)
    count = training.num_courses + training.num_validation
    if simulate:
        monitor.begin("simulate")
        seen.make(count, num_workers=num_workers or os.cpu_count() or 1, progress=monitor.advance)
    monitor.begin("train")
    lessons = seen.load(count, partly=not simulate)
    held = lessons.courses < training.num_validation
    if held.all() or not held.any():
        raise InputError("training", expected="tumors", got="none in these courses", advice="take more courses")
    torch.manual_seed(training.seed)
    network = ReadingNetwork(training.network)
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
    path = folder / "morph-infer-references.safetensors"
    save_reading(path, averaged)
    return path


def _tensors(lessons: Lessons) -> tuple[Tensor, Tensor, Tensor]:
    """Scalars, vectors and coordinates of the truth."""
    rows = zip(*(vars(lessons)[name] for name in vars(lessons)), strict=True)
    truth = [
        encode(Impression(scalars, vectors, center, radius), identifiable, thresholds)
        for _, scalars, vectors, center, radius, identifiable, thresholds in rows
    ]
    parts = (lessons.scalars, lessons.vectors, np.array(truth))
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
