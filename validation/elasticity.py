"""Orders, iterations and times of the elastic solver and of transport, as Markdown tables.

Heads are synthetic: ellipsoids with sharp borders (fluid around the brain and in its ventricles and sulci, stiff
elsewhere), which is harder than anatomy, and the atlas' tissue fractions. Times are the shortest of several runs.

    python validation/elasticity.py --repeats 5
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
import sympy

from gliocast.cohort import atlas_anatomy
from gliocast.data.atlas import load_mni152
from gliocast.growth.elasticity import Displacement, Elasticity, divergence, lame
from gliocast.growth.transport import transport

#: Young's modulus [kPa] and Poisson's ratio [1] of fluid, brain, tumor and what is outside.
FLUID, BRAIN, TUMOR, OUTSIDE = (0.1, 0.1), (2.1, 0.4), (8.0, 0.45), (15.0, 0.45)
EXTENT_MM = 192.0
GROWTH = 1.02  # radius of the tumor one time step later, over that before


def timed(function: Callable[[], object], repeats: int) -> tuple[object, float]:
    """The result and the shortest time [s]."""
    times = []
    for _ in range(repeats):
        since = time.perf_counter()
        result = function()
        times.append(time.perf_counter() - since)
    return result, min(times)


def stiffness(parts, tumor):
    """Moduli of a mixture of (share, tissue), of which a tumor takes the place by its density."""
    young, poisson = (sum(share * tissue[i] for share, tissue in parts) for i in (0, 1))
    moduli = lame(young * (1 - tumor) + TUMOR[0] * tumor, poisson * (1 - tumor) + TUMOR[1] * tumor)
    return *(m.astype(np.float32) for m in moduli), tumor.astype(np.float32)


def ellipsoid_head(n, growth=1.0):
    """A head of n^3 cells: lambda, mu, density of the tumor."""
    line = (np.arange(n) + 0.5) / n - 0.5
    x, y, z = np.meshgrid(line, line, line, indexing="ij")

    def inside(center, radii, level=1.0):
        return sum(((a - c) / r) ** 2 for a, c, r in zip((x, y, z), center, radii, strict=True)) < level

    brain = inside((0, 0, 0), (0.37, 0.43, 0.35))
    head = inside((0, 0, 0), (0.40, 0.46, 0.38))
    sulci = (np.sin(18 * np.arctan2(y, x) + 6 * np.sin(20 * z)) > 0.9) & ~inside((0, 0, 0), (0.37, 0.43, 0.35), 0.7)
    ventricles = inside((0.06, 0.02, 0.03), (0.03, 0.18, 0.06)) | inside((-0.06, 0.02, 0.03), (0.03, 0.18, 0.06))
    tissue = brain & ~sulci & ~ventricles
    distance = np.sqrt((x - 0.16) ** 2 + (y - 0.1) ** 2 + (z - 0.03) ** 2)
    tumor = 1 / (1 + np.exp((distance - 0.1 * growth) / 0.02))
    return stiffness(((tissue, BRAIN), (head & ~tissue, FLUID), (~head, OUTSIDE)), tumor)


def atlas_head(anatomy, growth=1.0):
    """The middle 128^3 cells of the atlas [1 mm]: lambda, mu, density of the tumor."""
    box = tuple(slice((n - 128) // 2, (n - 128) // 2 + 128) for n in anatomy.grid.shape)
    brain = anatomy.brain[box]
    tissue = (anatomy.white_matter + anatomy.gray_matter)[box] * brain
    distance = np.sqrt(sum((a - c) ** 2 for a, c in zip(np.indices((128,) * 3), (90, 77, 78), strict=True)))
    tumor = brain / (1 + np.exp((distance - 18 * growth) / 3))
    return stiffness(((tissue, BRAIN), (brain - tissue, FLUID), (~brain, OUTSIDE)), tumor)


def norm(displacement):
    return np.sqrt(sum((part.astype(float) ** 2).sum() for part in displacement.faces))


def print_speed(repeats):
    print("\n| head | cells | setup [s] | iterations | solve [s] | error of u | next step: iterations | [s] |")
    print("|---|---|---|---|---|---|---|---|")
    anatomy = atlas_anatomy(load_mni152())
    cases = [(f"ellipsoids {EXTENT_MM / n:g} mm", n, EXTENT_MM / n, ellipsoid_head) for n in (32, 64, 128)]
    cases.append(("atlas 1 mm", 128, 1.0, lambda n, growth=1.0: atlas_head(anatomy, growth)))
    for name, n, step, head in cases:
        spacing = (step,) * 3
        (lam, mu, pressure), (lam_next, mu_next, pressure_next) = head(n), head(n, GROWTH)
        Elasticity(lam, mu, spacing).solve(pressure, tolerance=0.5)  # compiles
        body, setup = timed(lambda m=(lam, mu, spacing): Elasticity(*m), repeats)
        u, solve = timed(lambda b=body, p=pressure: b.solve(p), repeats)
        iterations = body.num_iterations
        error = norm(body.solve(pressure, start=u, tolerance=1e-5) - u) / norm(u)
        later = Elasticity(lam_next, mu_next, spacing)
        _, again = timed(lambda b=later, p=pressure_next, s=u: b.solve(p, start=s), repeats)
        print(
            f"| {name} | {n}^3 | {setup:.3f} | {iterations} | {solve:.2f} | {error:.1e} "
            f"| {later.num_iterations} | {again:.2f} |",
            flush=True,
        )


def manufactured():
    """Functions of (x, y, z): displacement (zero on the unit cube's walls), lambda and mu, force -div sigma."""
    x = sympy.symbols("x y z")
    bump = sympy.prod(sympy.sin(sympy.pi * a) for a in x)
    u = [bump * (1 + x[1] / 2), bump * sympy.cos(2 * x[2]), bump * sympy.exp(x[0])]
    lam, mu = 2 + sympy.cos(3 * x[0]) * x[1], sympy.exp(x[2] - x[0] / 2)
    div = sum(sympy.diff(u[a], x[a]) for a in range(3))
    force = []
    for a in range(3):
        shears = [mu * (sympy.diff(u[a], x[b]) + sympy.diff(u[b], x[a])) for b in range(3)]
        force.append(-sum(sympy.diff(s + (lam * div if a == b else 0), x[b]) for b, s in enumerate(shears)))
    return [[sympy.lambdify(x, f, "numpy") for f in group] for group in (u, (lam, mu), force)]


def print_order_of_elasticity():
    print("\n| manufactured solution, cells | largest error | order | root mean square | order |")
    print("|---|---|---|---|---|")
    exact, moduli, force = manufactured()
    before = None
    for n in (8, 16, 32, 64):
        centers, edges = (np.arange(n) + 0.5) / n, np.arange(n + 1) / n
        places = [np.meshgrid(*(edges if a == b else centers for b in range(3)), indexing="ij") for a in range(3)]
        cells = np.meshgrid(centers, centers, centers, indexing="ij")
        body = Elasticity(*(modulus(*cells) for modulus in moduli), (1 / n,) * 3)
        loads = Displacement(*(f(*place) for f, place in zip(force, places, strict=True)))
        u = body.respond(loads, tolerance=1e-8)
        errors = np.concatenate([(part - f(*p)).ravel() for part, f, p in zip(u.faces, exact, places, strict=True)])
        now = np.array([abs(errors).max(), np.sqrt((errors**2).mean())])
        orders = ["", ""] if before is None else [f"{order:.2f}" for order in np.log2(before / now)]
        print(f"| {n}^3 | {now[0]:.2e} | {orders[0]} | {now[1]:.2e} | {orders[1]} |", flush=True)
        before = now


def print_ball():
    print("\n| ball of radius 6 in a rigid box of edge | div u inside over p / (lambda + 2 mu) |")
    print("|---|---|")
    for n in (32, 64, 96):
        line = np.arange(n) + 0.5 - n / 2
        distance = np.sqrt(sum(a**2 for a in np.meshgrid(line, line, line)))
        lam, mu = (np.full((n,) * 3, modulus) for modulus in lame(*BRAIN))
        u = Elasticity(lam, mu, (1.0,) * 3).solve(np.clip(6.5 - distance, 0, 1), tolerance=1e-5)
        middle = divergence(u, (1.0,) * 3)[(slice(n // 2 - 2, n // 2 + 2),) * 3].mean()
        print(f"| {n} | {middle * (lam[0, 0, 0] + 2 * mu[0, 0, 0]):.4f} |", flush=True)


def axis_solution(n, strength):
    """v = strength sin(pi x) along one axis: displacement at faces, cell averages before and after."""
    faces = np.arange(n + 1) / n
    origin = 2 / np.pi * np.arctan2(np.exp(-np.pi * strength) * np.sin(np.pi * faces / 2), np.cos(np.pi * faces / 2))
    velocity = strength * np.sin(np.pi * faces)
    velocity[[0, -1]] = 0

    def averages(x):
        return np.diff(x + 0.4 / np.pi * np.sin(np.pi * x) - 0.3 / (2 * np.pi) * np.sin(2 * np.pi * x)) * n

    return velocity, averages(faces), averages(origin)


def print_order_of_transport():
    print("\n| compressing flow, cells | mean error | order | change of mass |")
    print("|---|---|---|---|")
    before = None
    for n in (16, 32, 64, 128):
        axes = [axis_solution(n, strength) for strength in (0.12, -0.08, 0.05)]
        flow = Displacement(
            *(
                np.broadcast_to(
                    np.expand_dims(velocity, [a for a in range(3) if a != axis]), [n + (a == axis) for a in range(3)]
                )
                for axis, (velocity, _, _) in enumerate(axes)
            )
        )
        first, last = (np.einsum("i,j,k->ijk", *(axis[which] for axis in axes)) for which in (1, 2))
        result = transport(first[None], flow, (1 / n,) * 3)[0]
        error = abs(result - last).mean()
        order = "" if before is None else f"{np.log2(before / error):.2f}"
        print(f"| {n}^3 | {error:.2e} | {order} | {abs(result.sum() / first.sum() - 1):.0e} |", flush=True)
        before = error


def print_speed_of_transport(repeats):
    n, generator = 128, np.random.default_rng(0)
    faces = [generator.uniform(-0.15, 0.15, [n + (a == b) for b in range(3)]).astype(np.float32) for a in range(3)]
    for axis, part in enumerate(faces):
        np.moveaxis(part, axis, 0)[[0, -1]] = 0
    fields = generator.uniform(size=(4, n, n, n)).astype(np.float32)
    _, seconds = timed(lambda: transport(fields, Displacement(*faces), (1.0,) * 3), repeats + 1)
    print(f"\nOne step of four fields, 128^3 cells, float32: {seconds:.3f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    print_order_of_elasticity()
    print_ball()
    print_order_of_transport()
    print_speed_of_transport(repeats)
    print_speed(repeats)


if __name__ == "__main__":
    main()
