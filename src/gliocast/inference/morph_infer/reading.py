"""The network that reads impressions: scalars and vectors of reference tumors to growth, seed and thresholds.

A perceptron of two layers beside a linear map. It answers relative to what is seen: the travel of the front in radii of
the whole tumor, the seed from the middle of the core, and all of it relative to the answer that the look went out from,
so that what is left to learn is small. Scalars are the same in every mirror and however a head is turned, vectors turn
along; it is taught, and asked, in all 48 ways in which axes can be exchanged and reversed. Like `InverseNetwork` it
gives the Cholesky factor of its precision with the answer; after training the precision is scaled by what tumors that
it hasn't seen say.

Source of the idea: summary statistics learned by regression, Fearnhead & Prangle, J. R. Stat. Soc. B 74 (2012); here a
regression on a few simulations near the data, whose residuals carry what outlines alone hide.
"""

from dataclasses import dataclass
from itertools import permutations, product

import numpy as np
import torch
from torch import Tensor, nn

from gliocast.core import InputError
from gliocast.inference.morph_infer.impression import NUM_ANSWERS, Impression
from gliocast.inference.morph_infer.network import precision_factor
from gliocast.inference.morph_infer.references import impression_size

#: What is standardized to more than this many deviations lies outside of what was learned [1].
_FARTHEST = 5.0

#: Axes exchanged and reversed, as matrices, (48, 3, 3).
TURNS = np.array(
    [
        np.eye(3)[list(axes)] * np.array(signs)[:, None]
        for axes in permutations(range(3))
        for signs in product((1, -1), repeat=3)
    ]
)


@dataclass(frozen=True)
class ReadingConfig:
    """Size of the network.

    Args:
        closer: whether it reads closer looks, or first ones.
        hidden: units of both layers.
    """

    closer: bool = False
    hidden: int = 256

    def __post_init__(self) -> None:
        if self.hidden < 1:
            raise InputError("network", expected="positive sizes", got=f"{self}", advice="use the defaults")


class ReadingNetwork(nn.Module):
    """Impressions to standardized coordinates and their precision.

    Args:
        config: size.
    """

    scalar_mean: Tensor
    scalar_deviation: Tensor
    vector_size: Tensor
    answer_mean: Tensor
    answer_deviation: Tensor
    widening: Tensor

    def __init__(self, config: ReadingConfig) -> None:
        super().__init__()
        self.config = config
        num_scalars, num_vectors = impression_size(config.closer)
        size = num_scalars + 3 * num_vectors
        self.layers = nn.Sequential(
            nn.Linear(size, config.hidden), nn.SiLU(), nn.Linear(config.hidden, config.hidden), nn.SiLU()
        )
        self.answer = nn.Linear(config.hidden, NUM_ANSWERS)
        self.precision = nn.Linear(config.hidden, NUM_ANSWERS * (NUM_ANSWERS + 1) // 2)
        self.direct = nn.Linear(size, NUM_ANSWERS, bias=False)
        for layer in (self.precision, self.direct):
            nn.init.zeros_(layer.weight)
        for name, length in (("scalar_mean", num_scalars), ("answer_mean", NUM_ANSWERS)):
            self.register_buffer(name, torch.zeros(length))
        sizes = {"scalar_deviation": num_scalars, "vector_size": num_vectors, "answer_deviation": NUM_ANSWERS}
        for name, length in {**sizes, "widening": 1}.items():
            self.register_buffer(name, torch.ones(length))

    def forward(self, scalars: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """Standardized coordinates and the Cholesky factor of their precision.

        Args:
            scalars: standardized, (batch, num_scalars).
            vectors: standardized, (batch, num_vectors, 3).

        Returns:
            (batch, 7) and lower triangular (batch, 7, 7).
        """
        seen = torch.cat([scalars, vectors.flatten(1)], dim=1)
        hidden = self.layers(seen)
        factor = precision_factor(self.precision(hidden), NUM_ANSWERS)
        return self.answer(hidden) + self.direct(seen), factor / self.widening

    def learn_scales(self, scalars: Tensor, vectors: Tensor, answers: Tensor) -> None:
        """Take what is subtracted and divided by from training data; directions have no mean."""
        self.scalar_mean.copy_(scalars.mean(dim=0))
        self.scalar_deviation.copy_(scalars.std(dim=0) + 1e-3)
        self.vector_size.copy_(vectors.square().mean(dim=(0, 2)).sqrt() + 1e-3)
        self.answer_mean.copy_(answers.mean(dim=0))
        self.answer_deviation.copy_(answers.std(dim=0))
        self.answer_mean[2:5] = 0.0
        self.answer_deviation[2:5] = answers[:, 2:5].square().mean().sqrt()

    def standardize(self, scalars: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """What `forward` takes, of impressions as they are."""
        flat = (scalars - self.scalar_mean) / self.scalar_deviation
        turning = vectors / self.vector_size[:, None]
        return flat.clamp(-_FARTHEST, _FARTHEST), turning.clamp(-_FARTHEST, _FARTHEST)

    @torch.no_grad()
    def read(self, impression: Impression) -> tuple[np.ndarray, np.ndarray]:
        """Mean and covariance of the coordinates, averaged over all turns, (7,) and (7, 7)."""
        turns = torch.from_numpy(TURNS).float()
        scalars, vectors = self.standardize(
            torch.from_numpy(impression.scalars)[None], torch.from_numpy(impression.vectors)[None]
        )
        answers, factors = self(scalars.expand(len(turns), -1), torch.einsum("tij,vj->tvi", turns, vectors[0]))
        back = np.tile(np.eye(NUM_ANSWERS), (len(turns), 1, 1))
        back[:, 2:5, 2:5] = TURNS.transpose(0, 2, 1)
        means = np.einsum("tij,tj->ti", back, answers.double().numpy())
        roots = back @ np.linalg.inv(factors.double().numpy()).transpose(0, 2, 1)
        scale, middle = self.answer_deviation.double().numpy(), self.answer_mean.double().numpy()
        covariance = (roots @ roots.transpose(0, 2, 1)).mean(axis=0)
        return middle + scale * means.mean(axis=0), covariance * np.outer(scale, scale)
