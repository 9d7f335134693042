"""The elastic body: what its two implementations have in common, and the one on the CPU."""

from typing import Any

import numpy as np

from gliocast.core import InputError
from gliocast.growth.elasticity.checks import check_faces, check_moduli, check_options, check_pressure
from gliocast.growth.elasticity.displacement import Displacement
from gliocast.growth.elasticity.multigrid import conjugate_gradients, v_cycle
from gliocast.growth.elasticity.numba_level import NumbaLevel

#: Relative residual at which a solve ends [1]; the displacement's relative error is then 1e-4 in the atlas' head, and
#: 2e-3 where thin fluid parts brain from skull without partial volumes (validation/elasticity.py).
TOLERANCE = 1e-3

#: Most iterations of a solve [1]; a head takes 14 to 34.
MAX_ITERATIONS = 200


class ElasticBody:
    """Levels, finest first, and the solves on them; made by `Elasticity` and `TorchElasticity`."""

    def __init__(self, finest: Any, moduli: Any) -> None:
        self._levels, self._moduli = [finest], moduli
        while (level := self._levels[-1].coarsened()) is not None:
            self._levels.append(level)
        #: Iterations of the latest solve, the measure of work.
        self.num_iterations = 0

    def solve(
        self,
        pressure: Any,
        *,
        start: Displacement | None = None,
        tolerance: float = TOLERANCE,
        max_iterations: int = MAX_ITERATIONS,
    ) -> Displacement:
        """The displacement in equilibrium with a pressure.

        Args:
            pressure: what pushes tissue apart, gamma c [kPa], of the moduli's shape and floating type.
            start: a first guess, as the displacement of the time step before.
            tolerance: relative residual |f - A u| / |f| at which to stop [1].
            max_iterations: most iterations.

        Returns:
            The displacement normal to faces [mm].

        Raises:
            InputError: a pressure or a guess that doesn't belong to the moduli, or impossible options.
            ConvergenceError: the residual is still above the tolerance after the last iteration.
        """
        check_pressure(pressure, self._moduli)
        check_options(tolerance, max_iterations)
        if start is not None:
            check_faces(start, self._moduli, "first guess")
        return self._solve(pressure, start, tolerance, max_iterations)

    def respond(
        self,
        force: Displacement,
        *,
        start: Displacement | None = None,
        tolerance: float = TOLERANCE,
        max_iterations: int = MAX_ITERATIONS,
    ) -> Displacement:
        """The displacement [mm] in equilibrium with any force per volume, given at faces like a displacement [kPa/mm].

        Options, errors and the rest are those of `solve`; no gradients flow through it.
        """
        check_faces(force, self._moduli, "force")
        check_options(tolerance, max_iterations)
        if start is not None:
            check_faces(start, self._moduli, "first guess")
        finest = self._levels[0]
        guess = None if start is None else finest.pack(start)
        return self._unpack(self._iterate(finest.pack(force), guess, tolerance, max_iterations))

    def restoring_force(self, displacement: Displacement) -> Displacement:
        """What stresses pull back with at the faces of displaced tissue, A u = -div sigma [kPa/mm]; zero on the walls.

        Raises:
            InputError: a displacement that doesn't belong to the moduli.
        """
        check_faces(displacement, self._moduli, "displacement")
        finest = self._levels[0]
        return self._unpack(finest.apply(finest.pack(displacement))[0])

    def _solve(self, pressure: Any, start: Displacement | None, tolerance: float, max_iterations: int) -> Displacement:
        finest = self._levels[0]
        guess = None if start is None else finest.pack(start)
        return self._unpack(self._iterate(finest.push(pressure), guess, tolerance, max_iterations))

    def _iterate(self, rhs: Any, start: Any, tolerance: float, max_iterations: int) -> Any:
        """The solution in slots."""
        solution, self.num_iterations = conjugate_gradients(
            self._levels[0],
            lambda residual: v_cycle(self._levels, residual),
            rhs,
            start=start,
            tolerance=tolerance,
            max_iterations=max_iterations,
        )
        return solution

    def _unpack(self, u: Any) -> Displacement:
        """The components on faces, with the batch dimensions of the moduli."""
        return self._levels[0].unpack(u.reshape(tuple(self._moduli.shape[:-3]) + tuple(u.shape[-4:])))


class Elasticity(ElasticBody):
    """Linear elastic tissue in a rigid box, on the CPU; the package gives the equations.

    Args:
        lam: first Lamé modulus lambda >= 0 [kPa], shape (nx, ny, nz), float32 or float64.
        mu: shear modulus > 0 [kPa], likewise.
        spacing: cell size along the axes [mm].
        parallel: whether threads share a solve. A single-threaded one releases the GIL and may run beside others.

    Raises:
        InputError: moduli or a spacing that make no elastic body.
    """

    def __init__(
        self, lam: np.ndarray, mu: np.ndarray, spacing: tuple[float, float, float], *, parallel: bool = True
    ) -> None:
        check_moduli(lam, mu, spacing)
        if lam.ndim != 3:
            raise InputError(
                "elastic moduli",
                expected="one body, shape (nx, ny, nz)",
                got=f"shape {lam.shape}",
                advice="use `TorchElasticity` for a batch",
            )
        lam, mu = np.ascontiguousarray(lam), np.ascontiguousarray(mu)
        super().__init__(NumbaLevel(lam, mu, spacing, parallel=parallel), lam)
