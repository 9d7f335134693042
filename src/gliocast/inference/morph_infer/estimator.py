"""The trained network as an estimator: outlines in, posterior out."""

from dataclasses import dataclass

import numpy as np
import torch

from gliocast.core import InputError, Parameter, Posterior
from gliocast.inference.morph_infer.scaling import Scaling, scaling_of
from gliocast.inference.morph_infer.weights import Weights
from gliocast.inference.morph_infer.window import Window


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
        """Mean, (num,), and Cholesky factor of the precision, (num, num), of the scaled coordinates."""
        with torch.no_grad():
            fields, moments = (torch.from_numpy(part)[None] for part in (window.fields, window.moments))
            mean, factor = self.weights.network(fields, moments)
        return mean[0].double().numpy(), factor[0].double().numpy()

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

    def _placed(self, scaled: np.ndarray, window: Window) -> np.ndarray:
        """Natural units; the seed in the world instead of in the window."""
        points = self.scaling.decode(scaled)
        points[:, 2:5] += window.center
        return points
