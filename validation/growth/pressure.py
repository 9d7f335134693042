"""Elastic tissue against solutions that are known, and tumors that push it, where there is such a model."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import sympy

from gliocast.core import Anatomy, ConvergenceError
from gliocast.core.box import Box
from gliocast.growth.elasticity import Displacement, Elasticity, divergence, lame
from gliocast.growth.evolve import Tempo, evolve
from gliocast.growth.kernels import NumbaSweeps
from gliocast.growth.models import FisherKolmogorov, MassEffect

from .scenes import UNIT, gaussian, relative, smooth, uniform
from .table import Row, below, between, told

#: Brain tissue: Young's modulus [kPa] and Poisson's ratio.
BRAIN = (2.1, 0.4)
#: White-matter diffusivity [mm^2/d], rate [1/d] and pressure [kPa] of the tumors that push.
PUSHING = (0.2, 0.08, 2.0)


def rows() -> Iterator[Row]:
    errors = [manufactured_error(n) for n in (12, 24, 48)]
    yield between(
        "Displacement in varying moduli against a manufactured one: order in the voxel size (24 to 48 cells)",
        np.log2(errors[1] / errors[2]),
        1.85,
        2.15,
        "second-order scheme, walls included",
    )
    yield below("The same: relative L2 error on 48 cells", errors[2], 5e-3, "three half waves on 48 cells")
    yield below(
        "Forces of a translation and a rotation in random moduli of contrast 100, over those of a unit shear",
        rigid_force(),
        1e-12,
        "rounding of float64",
    )
    inside, outside, share = pressure_ball()
    yield below(
        "A ball of pressure in a large medium: div u inside over p / (lambda + 2 mu), minus 1",
        abs(inside - 1),
        3 * share,
        "the rigid box holds back some of it; the ball is 0.7 % of the box",
    )
    yield below(
        "The same: u at two radii over that of a point source, V div u / (4 pi r^2), minus 1",
        abs(outside - 1),
        0.1,
        "the wall is at four radii: images as large as (2/8)^2",
    )
    yield from mass_effect_rows()


def mass_effect_rows() -> Iterator[Row]:
    shape, extent = (24, 24, 24), 24.0
    anatomy = smooth(shape, extent)
    first = gaussian(shape, UNIT, [11.3, 12.1, 10.6], 2.5, 0.5)
    plain, state = (
        grow(equation, own, anatomy, first, 40.0, accuracy=1e-4)[1]
        for equation, own in ((FisherKolmogorov(), PUSHING[:2]), (MassEffect(), (*PUSHING[:2], 0.0)))
    )
    yield below(
        "Mass effect without pressure against Fisher-Kolmogorov, relative L2 error",
        relative(state.cells, plain[0]),
        1e-3,
        "a step migrates in two halves; the error of time steps falls with the accuracy, here 1e-4",
    )
    before, after = (
        grow(MassEffect(), (PUSHING[0], 0.0, PUSHING[2]), anatomy, first, days)[1] for days in (1e-6, 40.0)
    )
    yield below(
        "Cells without division while tissue is pushed: relative change over 40 d",
        float(abs(after.cells.sum() / before.cells.sum() - 1)),
        1e-10,
        "conservative transport, float64",
    )
    _, late = grow(MassEffect(), PUSHING, anatomy, first, 40.0)
    for number, kind in enumerate(("white matter", "gray matter")):
        yield below(
            f"Mass of {kind} while it is pushed: relative change over 40 d",
            float(abs(late.tissue[number].sum() / before.tissue[number].sum() - 1)),
            1e-10,
            "conservative transport, float64",
        )
    yield below(
        "Displacement around a ball of cells in uniform tissue: part across the radius over its length, 3 to 7 mm off",
        across_radius(),
        0.05,
        "voxels of 1 mm, and walls at 12 mm",
    )
    for pressure in (5.0, 20.0, 50.0):
        yield told(
            f"Greatest density, unclipped, after 60 d of growth in a cube of 24 mm under {pressure:g} kPa",
            greatest_density(anatomy, first, pressure),
            "tissue that is squeezed carries cells closer together; see the text",
        )
    grown = [grow(MassEffect(), PUSHING, anatomy, first, 40.0, accuracy=5e-3 / 4**n)[1] for n in (0, 1, 2, 4)]
    for field, label in (("cells", "density"), ("tissue", "tissue")):
        ours = [getattr(state, field) for state in grown]
        yield between(
            f"Mass effect: order of the {label} in the time step",
            np.log2(relative(ours[1], ours[3]) / relative(ours[2], ours[3])),
            1.4,
            2.6,
            "second order; elastic solves end at 5e-3 of their residual",
        )


def grow(
    equation: Any, own: tuple[float, ...], anatomy: Anatomy, first: np.ndarray, days: float, *, accuracy: float = 5e-3
) -> tuple[Any, Any]:
    """Dynamics and state on a day, the whole grid swept in float64."""
    shape, spacing = anatomy.grid.shape, anatomy.grid.spacing
    sweeps = NumbaSweeps(shape, spacing, dtype="float64", parallel=True)
    dynamics = equation.bind(own, equation.medium(anatomy, np.float64), sweeps)
    cells = np.where(equation.tissue(anatomy), first, 0)
    state = dynamics.begin(sweeps.begin(cells, Box((0, 0, 0), shape)))
    tempo = Tempo(*equation.speeds(own), 2.5, accuracy)
    ((_, state),) = evolve(dynamics, state, [days], tempo=tempo, spacing=spacing)
    return dynamics, state


def greatest_density(anatomy: Anatomy, first: np.ndarray, pressure: float) -> str:
    try:
        _, state = grow(MassEffect(), (*PUSHING[:2], pressure), anatomy, first, 60.0)
    except ConvergenceError as error:
        return f"refused: {error.got}"
    return f"{state.cells.max():.2f}"


def across_radius() -> float:
    shape = (25, 25, 25)
    first = gaussian(shape, UNIT, [12.0, 12.0, 12.0], 2.5, 0.9)
    dynamics, state = grow(MassEffect(), (0.05, 0.05, 5.0), uniform(shape), first, 20.0)
    u = np.asarray(dynamics.fields(state)["displacement"])
    x = np.indices(shape) - 12.0
    r = np.sqrt((x**2).sum(axis=0))
    shell = (r > 3) & (r < 7)
    radial = (u * x).sum(axis=0)[shell] / r[shell]
    length = np.sqrt((u**2).sum(axis=0))[shell]
    return float(np.sqrt(np.maximum(length**2 - radial**2, 0)).max() / length.max())


def manufactured() -> tuple[list[Any], ...]:
    """Functions of (x, y, z) on the unit cube: displacement, zero on its walls, lambda and mu, force -div sigma."""
    x = sympy.symbols("x y z")
    bumps = [sympy.sin(sympy.pi * a) for a in x]
    product = bumps[0] * bumps[1] * bumps[2]
    u = [product * (1 + x[1] / 2), bumps[0] * bumps[1] * sympy.sin(3 * sympy.pi * x[2]), product * sympy.exp(x[0])]
    lam, mu = 2 + sympy.cos(3 * x[0]) * x[1], sympy.exp(x[2] - x[0] / 2)
    div = sum(sympy.diff(u[a], x[a]) for a in range(3))
    force = []
    for a in range(3):
        stress = [mu * (sympy.diff(u[a], x[b]) + sympy.diff(u[b], x[a])) for b in range(3)]
        stress[a] += lam * div
        force.append(-sum(sympy.diff(part, x[b]) for b, part in enumerate(stress)))
    return tuple([sympy.lambdify(x, f, "numpy") for f in group] for group in (u, (lam, mu), force))


def face_places(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Iterator[list[np.ndarray]]:
    """Coordinates of the faces normal to x, to y and to z."""
    for axis in range(3):
        lines = [(np.arange(n + 1) if a == axis else np.arange(n) + 0.5) * spacing[a] for a, n in enumerate(shape)]
        yield np.meshgrid(*lines, indexing="ij")


def manufactured_error(n: int) -> float:
    exact, moduli, force = manufactured()
    shape, spacing = (n, n, n), (1 / n, 1 / n, 1 / n)
    centers = np.meshgrid(*([(np.arange(n) + 0.5) / n] * 3), indexing="ij")
    body = Elasticity(*(modulus(*centers) for modulus in moduli), spacing)
    places = list(face_places(shape, spacing))
    loads = Displacement(*(f(*place) for f, place in zip(force, places, strict=True)))
    solution = body.respond(loads, tolerance=1e-8)
    truth = [u(*place) for u, place in zip(exact, places, strict=True)]
    wrong = sum(float(((part - u) ** 2).sum()) for part, u in zip(solution.faces, truth, strict=True))
    return float(np.sqrt(wrong / sum(float((u**2).sum()) for u in truth)))


def rigid_force() -> float:
    shape, spacing = (12, 13, 11), (1.0, 1.0, 3.0)
    generator = np.random.default_rng(0)
    moduli = lame(np.exp(generator.uniform(0, np.log(100), shape)), generator.uniform(0, 0.45, shape))
    body = Elasticity(*moduli, spacing)
    places = [np.stack(place, axis=-1) for place in face_places(shape, spacing)]

    def force(gradient: np.ndarray, shift: np.ndarray) -> float:
        parts = [(place @ gradient.T)[..., a] + shift[a] for a, place in enumerate(places)]
        found = body.restoring_force(Displacement(*parts))
        return max(float(abs(part[2:-2, 2:-2, 2:-2]).max()) for part in found.faces)

    turn = np.array([[0, -0.5, 0.2], [0.5, 0, -0.3], [-0.2, 0.3, 0]])
    shear = np.array([[0, 1.0, 0], [0, 0, 0], [0, 0, 0]])
    none = np.zeros(3)
    return max(force(turn, none), force(0 * turn, np.array([1.0, -2.0, 0.5]))) / force(shear, none)


def pressure_ball() -> tuple[float, float, float]:
    """div u inside and u outside over those in an infinite medium, and the ball's share of the box."""
    n, radius, pressure = 64, 8.0, 0.7
    x = np.indices((n, n, n)) + 0.5 - n / 2
    inside = np.clip(radius - np.sqrt((x**2).sum(axis=0)) + 0.5, 0, 1)
    lam, mu = (np.full((n, n, n), modulus) for modulus in lame(*BRAIN))
    u = Elasticity(lam, mu, UNIT).solve(pressure * inside, tolerance=1e-6)
    dilation = pressure / (lam[0, 0, 0] + 2 * mu[0, 0, 0])
    middle = slice(n // 2 - 3, n // 2 + 3)
    r = 2 * radius
    far = u.x[n // 2 + int(r), n // 2 - 1 : n // 2 + 1, n // 2 - 1 : n // 2 + 1].mean()
    source = inside.sum() * dilation / (4 * np.pi * (r**2 + 0.5))
    return float(divergence(u, UNIT)[middle, middle, middle].mean() / dilation), float(far / source), inside.mean()
