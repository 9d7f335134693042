"""Training of the Learn-Morph-Infer network: tumors, network, shipped weights. Composition only."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gliocast.cohort.atlas_tumors import LEARNING_SPACING_MM, MODELS, TumorSource
from gliocast.cohort.examples import Batch, Examples
from gliocast.cohort.tumor_set import TumorSet
from gliocast.core import InputError, Monitor, Silence
from gliocast.inference.morph_infer import InverseNetwork, NetworkConfig, inverse_loss, scaling_of
from gliocast.inference.morph_infer.weights import Weights, load_weights, save_weights
from gliocast.inference.morph_infer.window import NUM_MOMENTS
from gliocast.train import TrainOptions, train


@dataclass(frozen=True)
class MorphInferTraining:
    """What to train, on how much.

    Args:
        model: growth equation.
        parametrization: of the answer.
        num_tumors: training tumors, ...
        num_validation: ... beside those held back to validate on.
        seed: of the tumors and of the network.
        batch_size: examples in a step.
        channels: of the network.
        optimization: steps and rates.
        start: weights to begin from, such as those of a cheaper model.
    """

    model: str = "fisher-kolmogorov"
    parametrization: str = "time-independent"
    num_tumors: int = 8160
    num_validation: int = 512
    seed: int = 10
    batch_size: int = 32
    channels: int = 32
    optimization: TrainOptions = field(default_factory=lambda: TrainOptions(num_steps=4000))
    start: Path | None = None

    def __post_init__(self) -> None:
        scaling_of(self.parametrization)
        if self.model not in MODELS:
            raise InputError("model", expected=f"one of {', '.join(MODELS)}", got=self.model, advice="pick one")
        if min(self.num_tumors, self.num_validation, self.batch_size) < 1 or self.seed < 0:
            raise InputError("training", expected="positive counts", got=f"{self}", advice="use the defaults")

    @property
    def network(self) -> NetworkConfig:
        """Size of the network."""
        return NetworkConfig(NUM_MOMENTS, len(scaling_of(self.parametrization).names), self.channels)


def train_morph_infer(
    training: MorphInferTraining, folder: Path, *, monitor: Monitor | None = None, num_workers: int | None = None
) -> Path:
    """Make the tumors, train, and write the weights; whatever of it is there already isn't done again.

    Args:
        training: what to train.
        folder: tumors, checkpoint, log and weights.
        monitor: told of the stages.
        num_workers: processes that simulate; by default one for each core.

    Returns:
        The file of the weights.
    """
    monitor = monitor or Silence()
    monitor.begin("simulate")
    tumors = TumorSet(folder / "tumors", TumorSource(training.model, training.seed))
    count = training.num_tumors + training.num_validation
    tumors.make(count, num_workers=num_workers or os.cpu_count() or 1, progress=monitor.advance)
    monitor.begin("load")
    loaded = list(tumors.load(count))
    monitor.begin("train")
    scaling = scaling_of(training.parametrization)
    taught = Examples(loaded[training.num_validation :], scaling, training.batch_size, seed=training.seed)
    held = Examples(loaded[: training.num_validation], scaling, training.batch_size, vary=False)
    torch.manual_seed(training.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    network = InverseNetwork(training.network)
    if training.start is not None:
        network.load_state_dict(load_weights(training.start).network.state_dict())
    network.to(device)
    weight = torch.tensor(scaling.weights, device=device)

    def losses(net: nn.Module, step: int) -> Mapping[str, Tensor]:
        windows, moments, truth = _tensors(taught[step], device)
        answer, factor = net(windows, moments)
        squared, likelihood = inverse_loss(answer, factor, truth, weight)
        return {"squared error": squared, "likelihood": 0.01 * likelihood}

    averaged = train(
        network,
        losses,
        options=training.optimization,
        folder=folder,
        key=_key(training),
        validate=lambda net: _validate(net, held, max(1, training.num_validation // training.batch_size)),
        progress=lambda share, _: monitor.advance(share),
    )
    path = folder / f"morph-infer-{training.model}.safetensors"
    assert isinstance(averaged, InverseNetwork)
    save_weights(path, Weights(averaged.cpu(), training.model, training.parametrization, float(LEARNING_SPACING_MM)))
    return path


def _validate(network: nn.Module, held: Examples, num_batches: int) -> dict[str, float]:
    """Root mean square error of each coordinate, in its own unit, and how large it is in stated deviations."""
    errors, whitened = [], []
    with torch.no_grad():
        for number in range(num_batches):
            windows, moments, truth = _tensors(_remembered(held, number), next(network.parameters()).device)
            answer, factor = network(windows, moments)
            errors.append((answer - truth).cpu().numpy())
            whitened.append(torch.einsum("nij,ni->nj", factor, answer - truth).cpu().numpy())
    half = (np.array(held.scaling.upper) - np.array(held.scaling.lower)) / 2
    rms = np.sqrt(np.mean(np.concatenate(errors) ** 2, axis=0)) * half
    figures = {f"rms {name}": round(float(value), 4) for name, value in zip(held.scaling.names, rms, strict=True)}
    return {**figures, "whitened rms": round(float(np.sqrt(np.mean(np.concatenate(whitened) ** 2))), 3)}


@lru_cache(maxsize=64)
def _remembered(held: Examples, number: int) -> Batch:
    return held[number]


def _tensors(batch: Batch, device: str | torch.device) -> tuple[Tensor, Tensor, Tensor]:
    windows = torch.from_numpy(batch.windows).contiguous(memory_format=torch.channels_last_3d)
    return windows.to(device), torch.from_numpy(batch.moments).to(device), torch.from_numpy(batch.truth).to(device)


def _key(training: MorphInferTraining) -> str:
    described = json.dumps({**asdict(training), "start": None}, sort_keys=True, default=str)
    return hashlib.sha256(described.encode()).hexdigest()[:16]
