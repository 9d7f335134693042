"""Two species and a nutrient: limits in which the answer is known."""

from collections.abc import Iterator

import numpy as np
from scipy.integrate import solve_ivp

from gliocast.growth.kernels import pointwise
from gliocast.growth.models import FisherKolmogorov, ProliferativeNecrotic

from .scenes import CLINICAL, OWN, gaussian, patchy, relative, solve, uniform
from .table import Row, below, between

SHAPE = (20, 18, 10)
#: Ends of the typical ranges at which the nutrient is hardest to follow: D_w, rho, delta, s_h, D_s, sigma, beta.
HARD = (
    (0.02, 0.02, 0.05, 0.3, 10.0, 0.1, 0.1),
    (0.02, 0.002, 0.02, 0.3, 10.0, 0.1, 1.0),
    (0.02, 0.05, 0.2, 0.5, 10.0, 1.0, 0.1),
    (1.5, 0.2, 0.2, 0.5, 0.5, 1.0, 1.0),
    (1.5, 0.002, 0.2, 0.5, 10.0, 0.1, 1.0),
)


def rows() -> Iterator[Row]:
    yield below(
        "Without necrosis and uptake: density against Fisher-Kolmogorov, relative L2 error",
        fisher_kolmogorov_error(),
        1e-6,
        "the exponential of the reaction is rational here, off by 2e-7; twice as many stages",
    )
    yield below(
        "Cells at rest: nutrient ends where uptake and supply balance, 1 - s = sigma p / (sigma p + beta (1 - p))",
        balance_error(),
        1e-10,
        "largest error; the flow is exact for cells at rest",
    )
    errors = [voxel_error(num_steps) for num_steps in (60, 120, 240)]
    yield between(
        "Growth, necrosis and nutrient in one voxel over 120 d against Runge-Kutta of order 8: order in the step",
        np.log2(errors[1] / errors[2]),
        1.8,
        2.2,
        "flows split symmetrically",
    )
    yield below("The same in steps of 1 d: largest error of p, n and s", errors[1], 2e-3, "measured: a few times 1e-4")
    for own in HARD:
        yield below(
            f"At ends of ranges, D_w, rho, delta, s_h, D_s, sigma, beta = {', '.join(map(str, own))}: relative L2 "
            "error of the density after 100 d in default time steps",
            hard_error(own),
            7.5e-3,
            "the accuracy asked for, 5e-3, and half as much again: nutrient adds its own error",
        )


def fisher_kolmogorov_error() -> float:
    anatomy = patchy(SHAPE, CLINICAL)
    first = gaussian(SHAPE, CLINICAL, [9.0, 9.0, 14.0], 2.5, 0.5)
    own = (0.2, 0.08, 0.0, 0.4, 0.0, 0.0, 0.3)
    ours, reference = (
        solve(equation, values, anatomy, first, [60.0], accuracy=1e-4)[0]["density"]
        for equation, values in ((ProliferativeNecrotic(), own), (FisherKolmogorov(), own[:2]))
    )
    return relative(ours, reference)


def balance_error() -> float:
    cells = np.random.default_rng(0).uniform(0.01, 0.9, SHAPE)
    uptake, supply = 0.4, 0.3
    own = (0.0, 0.0, 0.0, 0.3, 0.0, uptake, supply)
    (fields,) = solve(ProliferativeNecrotic(), own, uniform(SHAPE), cells, [2000.0])
    expected = uptake * cells / (uptake * cells + supply * (1 - cells))
    return float(abs(fields["nutrient_deficit"] - expected).max())


def voxel_error(num_steps: int) -> float:
    _, rate, death, threshold, _, uptake, supply = OWN["proliferative-necrotic"]

    def slopes(_: float, state: np.ndarray) -> list[float]:
        p, n, q = state
        dying = death / (1 + ((1 - q) / threshold) ** 4) * p
        growing = rate * (1 - q) * p * (1 - p - n)
        return [growing - dying, dying, uptake * p * (1 - q) - supply * (1 - p - n) * q]

    exact = solve_ivp(slopes, (0, 120.0), [0.02, 0.0, 0.0], method="DOP853", rtol=1e-10, atol=1e-12).y[:, -1]
    state = (0.02, 0.0, 0.0)
    for _ in range(num_steps):
        state = pointwise.starve(*state, 120.0 / num_steps, rate, death, threshold, uptake, supply)
    return float(abs(np.array(state) - exact).max())


def hard_error(own: tuple[float, ...]) -> float:
    shape = (28, 28, 14)
    anatomy = patchy(shape, CLINICAL)
    first = gaussian(shape, CLINICAL, [14.0, 14.0, 20.0], 2.0, 0.9)
    ours, reference = (
        solve(ProliferativeNecrotic(), own, anatomy, first, [100.0], accuracy=accuracy, dtype="float32")[0]["density"]
        for accuracy in (5e-3, 1e-4)
    )
    return relative(ours, reference)
