"""The trained networks as estimators: outlines, or what references say of them, in; posterior out."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from gliocast.core import InputError, Parameter, Posterior
from gliocast.inference.morph_infer.impression import Impression, decode
from gliocast.inference.morph_infer.reading import ReadingNetwork
from gliocast.inference.morph_infer.references import References
from gliocast.inference.morph_infer.scaling import Scaling, scaling_of
from gliocast.inference.morph_infer.surfaces import Outlines
from gliocast.inference.morph_infer.weights import Weights
from gliocast.inference.morph_infer.window import Window, mirrored

#: Times that the last network looks again, from its own answer [1]. Chosen on tumors 200 to 299 of
#: `validation/morph_infer.py`, which reports the first 200.
_FURTHER_LOOKS = 2


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
        return _normal_posterior(
            mean,
            np.linalg.inv(factor @ factor.T),
            lambda scaled: self._placed(scaled, window),
            parameters,
            f"Learn-Morph-Infer, network for {self.weights.model}",
            generator=generator,
            num_samples=num_samples,
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


@dataclass(frozen=True, eq=False)
class ReferenceReader:
    """Answers with a normal distribution of the straightened parameters, from what reference tumors say.

    Args:
        networks: one for each look: the first one, and closer ones that go out from the answer to the one before.
    """

    networks: tuple[ReadingNetwork, ...]

    def read(self, references: References, outlines: Outlines) -> tuple[np.ndarray, np.ndarray, Impression]:
        """Mean and covariance of the last network's answer, (7,) and (7, 7), and the impression that it answers to."""
        point = None
        for network in self.networks:
            impression = references.look(outlines, point)
            mean, covariance = network.read(impression)
            point = decode(mean, impression)
        return mean, covariance, impression

    def answer(self, references: References, outlines: Outlines) -> tuple[np.ndarray, np.ndarray, Impression]:
        """The same, looked at again and made to agree with both outlines.

        Closer looks go out from a closer look's answer, too, and what the last one answers is moved to where the
        levels of both surfaces agree with it. Neither takes a network of its own.
        """
        mean, covariance, impression = self.read(references, outlines)
        network = self.networks[-1]
        for _ in range(_FURTHER_LOOKS if network.config.closer else 0):
            impression = references.look(outlines, decode(mean, impression))
            mean, covariance = network.read(impression)
        given = impression.levels.agree(mean + impression.origin, covariance)
        return given - impression.origin, covariance, impression

    def condition(
        self,
        references: References,
        outlines: Outlines,
        parameters: tuple[Parameter, ...],
        *,
        generator: np.random.Generator,
        num_samples: int = 1000,
        further: bool = True,
    ) -> Posterior:
        """Posterior given outlines, and references in the tissue that they lie in.

        Args:
            references: that grow in this tissue.
            outlines: what is seen.
            parameters: what the columns of the samples are: growth, seed, thresholds.
            generator: source of randomness.
            num_samples: how many to draw.
            further: whether it is the `answer`, or what the networks `read`, for somebody who goes on from there.

        Raises:
            InputError: the networks answer other parameters, or there is no tissue.
            OutsideTissueError: no reference can grow.
        """
        look = self.answer if further else self.read
        mean, covariance, impression = look(references, outlines)
        if len(parameters) != len(mean) or not np.isfinite(mean).all():
            raise InputError(
                "morph-infer",
                expected=f"{len(mean)} parameters, and weights that give numbers",
                got=f"{[p.name for p in parameters]}",
                advice="train the weights anew: gliocast train references",
            )
        return _normal_posterior(
            mean,
            covariance,
            lambda answers: decode(answers, impression),
            parameters,
            "Learn-Morph-Infer, network that reads reference tumors",
            generator=generator,
            num_samples=num_samples,
        )


def _normal_posterior(
    mean: np.ndarray,
    covariance: np.ndarray,
    place: Callable[[np.ndarray], np.ndarray],
    parameters: tuple[Parameter, ...],
    method: str,
    *,
    generator: np.random.Generator,
    num_samples: int,
) -> Posterior:
    """Posterior whose coordinates are normal; `place` makes them parameters in natural units."""
    factor = np.linalg.cholesky(covariance)
    noise = generator.standard_normal((num_samples, len(mean)))
    return Posterior(
        parameters=parameters,
        samples=place(mean + noise @ factor.T),
        weights=np.full(num_samples, 1 / num_samples),
        log_densities=-0.5 * np.sum(noise**2, axis=1) - float(np.log(np.diag(factor)).sum()),
        mode=place(mean[None])[0],
        diagnostics={"evaluations": 0.0},
        method=method,
    )
