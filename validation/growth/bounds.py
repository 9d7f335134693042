"""Densities in [0, 1], whatever the parameters, the grid and the seed; and walls that hold."""

from collections.abc import Iterator
from itertools import product

import numpy as np

from gliocast.core import Anatomy, GrowthModel
from gliocast.growth import PointSeed, Simulator
from gliocast.growth.models import FisherKolmogorov, ProliferativeNecrotic, TensorFisherKolmogorov

from .scenes import CLINICAL, OWN, UNIT, Spacing, anatomy_of, gaussian, model, patchy, solve, turning_fibers, uniform
from .table import Row, below

NUM_DRAWS = 12
#: Largest excess over [0, 1] that rounding of float32 explains.
ROUNDING = 1e-6
#: Ends of ranges: D_w [mm^2/d], rho [1/d], days.
CORNERS = tuple(product((1e-5, 0.02, 1.5), (0.0, 0.002, 0.2), (1000.0,)))


def rows() -> Iterator[Row]:
    for name in OWN:
        worst = {"density": 0.0, "nutrient_deficit": 0.0}
        for anatomy, equation, own, days in sweep(name):
            first = gaussian(anatomy.grid.shape, anatomy.grid.spacing, [6.0, 7.0, 9.0], 2.0, 0.9)
            for fields in solve(equation, own, anatomy, first, days, dtype="float32"):
                for field in worst.keys() & fields.keys():
                    worst[field] = max(worst[field], -fields[field].min(), fields[field].max() - 1)
        what = "p + n and the nutrient deficit" if name == "proliferative-necrotic" else "the density"
        yield below(
            f"{name}: how far {what} leaves [0, 1] over {NUM_DRAWS} draws (typical, ratio up to 100) and corners "
            "(D 1e-5 to 1.5, rho 0 to 0.2, 1000 d), float32, sharp tissue, 1 x 1 x 3 mm and others",
            max(worst.values()),
            ROUNDING,
            "rounding of float32; states are looked at unclipped",
        )
    yield below(
        "Fisher-Kolmogorov from single voxels (a point seed), same corners: how far the density leaves [0, 1]",
        point_excess(),
        ROUNDING,
        "rounding of float32",
    )
    for name in OWN:
        yield below(
            f"{name}: cells behind a wall of fluid one voxel thick, across each axis, after 1000 d",
            behind_wall(name),
            0.0,
            "nothing at all",
        )
    yield below(
        "Tensor of needles (50:1, oblique): cells behind such a wall", behind_wall("needles"), 0.0, "nothing at all"
    )
    for name in OWN:
        yield below(
            f"{name}: cells lost without division on 2 x 2 x 2 to 30 x 1 x 3 voxels, from a seed at the corner",
            tiny_grid_loss(name),
            2e-5,
            "rounding of float32",
        )


def sweep(name: str) -> Iterator[tuple[Anatomy, GrowthModel, tuple[float, ...], list[float]]]:
    generator = np.random.default_rng(1)
    for number in range(NUM_DRAWS + len(CORNERS)):
        spacing: Spacing = (CLINICAL, UNIT, (0.7, 2.0, 1.0))[number % 3]
        anatomy = patchy((16, 14, 10), spacing, seed=number)
        ratio = (1.0, 10.0, 100.0)[number % 3]
        equation: GrowthModel = FisherKolmogorov(ratio)
        if name == "tensor":
            equation = TensorFisherKolmogorov(turning_fibers(anatomy.grid, 50.0), ratio, anisotropy=3.0)
        if name == "proliferative-necrotic":
            equation = ProliferativeNecrotic(ratio)
        typical = np.log([parameter.typical for parameter in equation.parameters])
        own = np.exp(generator.uniform(typical[:, 0], typical[:, 1]))
        days = float(generator.uniform(50, 400))
        if number >= NUM_DRAWS:
            own[0], own[1], days = CORNERS[number - NUM_DRAWS]
        yield anatomy, equation, tuple(own), [days / 50, days / 4, days]


def point_excess() -> float:
    worst = 0.0
    for diffusivity, rate, days in CORNERS:
        anatomy = patchy((16, 14, 10), CLINICAL)
        first = np.zeros(anatomy.grid.shape)
        first[8, 7, 5] = 1.0
        for fields in solve(
            FisherKolmogorov(), (diffusivity, rate), anatomy, first, [days / 100, days], dtype="float32"
        ):
            worst = max(worst, -fields["density"].min(), fields["density"].max() - 1)
    return worst


def behind_wall(name: str) -> float:
    arrived = 0.0
    for axis in range(3):
        white = np.ones((11, 11, 11))
        np.moveaxis(white, axis, 0)[5] = 0
        anatomy = anatomy_of(white, np.zeros_like(white), CLINICAL)
        first = np.ones_like(white)
        np.moveaxis(first, axis, 0)[6:] = 0
        if name == "needles":
            equation, own = TensorFisherKolmogorov(turning_fibers(anatomy.grid, 50.0)), (1.5, 0.2)
        else:
            equation, own = model(name, anatomy.grid), (1.5, 0.2, *OWN[name][2:])
        (fields,) = solve(equation, own, anatomy, first, [1000.0])
        arrived = max(arrived, float(abs(np.moveaxis(fields["density"], axis, 0)[5:]).max()))
    return arrived


def tiny_grid_loss(name: str) -> float:
    worst = 0.0
    for shape in ((2, 2, 2), (30, 1, 3), (3, 30, 1), (12, 12, 12)):
        anatomy = uniform(shape, CLINICAL)
        center = (0.0, 0.0, 0.0)
        own = (OWN[name][0], 0.0, *OWN[name][2:])
        simulator = Simulator(model(name, anatomy.grid), start=PointSeed(mass=1.0))
        early, late = simulator((*own, *center), anatomy, days=[1e-6, 300.0])
        worst = max(worst, abs(late.burden() / early.burden() - 1))
    return worst
