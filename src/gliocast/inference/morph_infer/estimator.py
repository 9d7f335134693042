"""The trained network as an estimator: outlines in, posterior out."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from gliocast.core import InputError, Parameter, Posterior
from gliocast.inference.morph_infer.scaling import Scaling, scaling_of
from gliocast.inference.morph_infer.weights import Weights
from gliocast.inference.morph_infer.window import Window, mirrored


@dataclass(frozen=True, eq=False)
class MorphInfer:
    """Answers in one pass with a normal distribution of the straightened parameters.

    Args:
        weights: a trained network.
    """

    weights: Weights

    @property
    def scaling(self) -> Scaling:
        """How its answer is scaled."""
        return scaling_of(self.weights.parametrization)

    def answer(self, window: Window) -> tuple[np.ndarray, np.ndarray]:
        """Mean, (num,), and Cholesky factor of the precision, (num, num), of the scaled coordinates.

        The tumor is looked at in all eight mirrors, and what is seen in them is averaged: means, and covariances.
        """
        views, moments, signs = zip(
            *(self._mirrored(window, flips) for flips in product((1, -1), repeat=3)), strict=True
        )
        with torch.no_grad():
            both = (torch.from_numpy(np.stack(part).astype(np.float32)) for part in (views, moments))
            means, factors = (part.double().numpy() for part in self.weights.network(*both))
        sign = np.stack(signs)
        covariances = np.linalg.inv(factors @ factors.transpose(0, 2, 1)) * sign[:, :, None] * sign[:, None, :]
        return (means * sign).mean(axis=0), np.linalg.cholesky(np.linalg.inv(covariances.mean(axis=0)))

    def point(self, window: Window) -> np.ndarray:
        """Length [mm], number [1], seed [mm, RAS], thresholds [1] at the mode; (7,), or (5,) without thresholds."""
        mean, _ = self.answer(window)
        return self._placed(mean[None], window)[0]

    def condition(
        self,
        window: Window,
        parameters: tuple[Parameter, ...],
        *,
        generator: np.random.Generator,
        num_samples: int = 1000,
    ) -> Posterior:
        """Posterior given the outlines.

        Args:
            window: what is seen.
            parameters: what the columns of the samples are, in the order of `point`.
            generator: source of randomness.
            num_samples: how many to draw.

        Raises:
            InputError: the network answers other parameters.
        """
        mean, factor = self.answer(window)
        if len(parameters) != len(mean) or not np.isfinite(mean).all():
            raise InputError(
                "morph-infer",
                expected=f"{len(mean)} parameters, and weights that give numbers",
                got=f"{[p.name for p in parameters]}",
                advice="use weights of the time-independent parametrization",
            )
        noise = generator.standard_normal((num_samples, len(mean)))
        scaled = mean + np.linalg.solve(factor.T, noise.T).T
        return Posterior(
            parameters=parameters,
            samples=self._placed(scaled, window),
            weights=np.full(num_samples, 1 / num_samples),
            log_densities=-0.5 * np.sum(noise**2, axis=1) + float(np.log(np.diag(factor)).sum()),
            mode=self._placed(mean[None], window)[0],
            diagnostics={"evaluations": 0.0},
            method=f"Learn-Morph-Infer, network for {self.weights.model}",
        )

    def _mirrored(self, window: Window, flips: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Fields and moments of a mirrored window, and the sign that each coordinate of the answer has in it."""
        fields, moments = mirrored(window, flips)
        sign = np.ones(len(self.scaling.names))
        sign[[self.scaling.names.index(f"offset_{axis}") for axis in "xyz"]] = flips
        return fields, moments, sign

    def _placed(self, scaled: np.ndarray, window: Window) -> np.ndarray:
        """Natural units; the seed in the world instead of in the window."""
        points = self.scaling.decode(scaled)
        points[:, 2:5] += window.center
        return points
