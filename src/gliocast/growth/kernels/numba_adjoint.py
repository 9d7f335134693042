r"""The discrete adjoint of one Runge-Kutta-Legendre step with the seven-point operator.

With stages Y_0 = u to Y_s and adjoints :math:`\Lambda_j = \partial \ell / \partial Y_j`, the recursion of the step runs
backwards, and as L is symmetric it is a recursion of the same kind:

.. math::
    \Lambda_{j-1} &= \mu_j \Lambda_j + \nu_{j+1} \Lambda_{j+1} + \tilde\mu_j\,a\,L \Lambda_j \\
    \bar f &\mathrel{-}= \tilde\mu_j\,a\,(\delta Y_{j-1})(\delta \Lambda_j)

for a step of amount a, with the face coefficients f and the difference :math:`\delta` across a face. What the stages
share, Y_0 and L Y_0, gathers S and G on the way.
"""
# mypy: disable-error-code="no-untyped-def"

from types import SimpleNamespace

import numba
import numpy as np

from gliocast.growth.kernels import numba_loops
from gliocast.growth.kernels.compiled import compile_loops, threads_share
from gliocast.growth.kernels.numba_loops import _laplacian_row
from gliocast.growth.kernels.rkl2 import rkl2_weights

Faces = tuple[np.ndarray, np.ndarray, np.ndarray]


def _adjoint_stage(current, later, shared, lap, fx, fy, fz, low, high, mu, nu, mu_scale, rest, gamma_scale):
    """later <- mu current + nu later + mu_scale L current;  shared += rest current;  lap += gamma_scale current."""
    for i in numba.prange(low[0], high[0]):
        row = np.empty(high[2] - low[2], current.dtype)
        for j in range(low[1], high[1]):
            _laplacian_row(row, current, fx, fy, fz, i, j, low, high)
            a, b = current[i, j, low[2] : high[2]], later[i, j, low[2] : high[2]]
            s, g = shared[i, j, low[2] : high[2]], lap[i, j, low[2] : high[2]]
            for k in range(row.size):
                b[k] = mu * a[k] + nu * b[k] + mu_scale * row[k]
            for k in range(row.size):
                s[k] += rest * a[k]
                g[k] += gamma_scale * a[k]


def _face_gradient(gx, gy, gz, y, adjoint, low, high, scale):
    """g -= scale (delta y)(delta adjoint) on the faces inside of the box."""
    for i in numba.prange(low[0], high[0]):
        for j in range(low[1], high[1]):
            u, a = y[i, j, low[2] : high[2]], adjoint[i, j, low[2] : high[2]]
            n = u.size
            if i > low[0]:
                v, b, g = y[i - 1, j, low[2] : high[2]], adjoint[i - 1, j, low[2] : high[2]], gx[i, j, low[2] : high[2]]
                for k in range(n):
                    g[k] -= scale * (u[k] - v[k]) * (a[k] - b[k])
            if j > low[1]:
                v, b, g = y[i, j - 1, low[2] : high[2]], adjoint[i, j - 1, low[2] : high[2]], gy[i, j, low[2] : high[2]]
                for k in range(n):
                    g[k] -= scale * (u[k] - v[k]) * (a[k] - b[k])
            g = gz[i, j, low[2] + 1 : high[2]]
            for k in range(n - 1):
                g[k] -= scale * (u[k + 1] - u[k]) * (a[k + 1] - a[k])


_LOOPS = (_adjoint_stage, _face_gradient)

_SHARED = SimpleNamespace(**vars(numba_loops.SHARED), **vars(compile_loops(*_LOOPS, parallel=True)))
_SINGLE = SimpleNamespace(**vars(numba_loops.SINGLE), **vars(compile_loops(*_LOOPS, parallel=False)))


def rkl2_stages(field: np.ndarray, faces: Faces, amount: float, num_stages: int) -> list[np.ndarray]:
    """Y_0 to Y_s of one step; Y_0 is `field` itself."""
    loops, number = _loops(field), field.dtype.type
    everywhere = ((0, 0, 0), field.shape)
    first, rest = rkl2_weights(num_stages)
    lap = np.empty_like(field)
    stages = [field, np.empty_like(field)]
    loops.first_stage(field, lap, stages[1], *faces, *everywhere, number(first * amount))
    for mu, nu, mu_tilde, gamma_tilde in rest:
        weights = (number(w) for w in (mu, nu, mu_tilde * amount, gamma_tilde * amount))
        out = np.empty_like(field)
        loops.stage(field, lap, stages[-1], stages[-2], out, *faces, *everywhere, *weights)
        stages.append(out)
    return stages


def rkl2_adjoint(
    field: np.ndarray, faces: Faces, amount: float, num_stages: int, cotangent: np.ndarray, *, with_faces: bool
) -> tuple[np.ndarray, Faces | None]:
    """Gradients of a loss with respect to the field before a step and, if wanted, to the face coefficients.

    Args:
        field: before the step, Y_0.
        faces: coefficients of the operator.
        amount: diffusivity times the length of the step.
        num_stages: of the step.
        cotangent: gradient with respect to the field after the step.
        with_faces: whether to go through the stages again for the faces' gradients.
    """
    loops, number = _loops(field), field.dtype.type
    everywhere = ((0, 0, 0), field.shape)
    first, rest = rkl2_weights(num_stages)
    stages, gradients = [field], None
    if with_faces:
        stages = rkl2_stages(field, faces, amount, num_stages)
        gradients = tuple(np.zeros_like(face) for face in faces)
    current, later = np.array(cotangent, order="C"), np.zeros_like(field)
    shared, lap = np.zeros_like(field), np.zeros_like(field)
    later_nu = 0.0
    for j in range(num_stages, 1, -1):
        mu, nu, mu_tilde, gamma_tilde = rest[j - 2]
        if gradients is not None:
            loops.face_gradient(*gradients, stages[j - 1], current, *everywhere, number(mu_tilde * amount))
        weights = (number(w) for w in (mu, later_nu, mu_tilde * amount, 1 - mu - nu, gamma_tilde * amount))
        loops.adjoint_stage(current, later, shared, lap, *faces, *everywhere, *weights)
        current, later, later_nu = later, current, nu
    # now current is Lambda_1 and later Lambda_2
    lap += number(first * amount) * current
    if gradients is not None:
        loops.face_gradient(*gradients, field, lap, *everywhere, number(1))
    result = np.empty_like(field)
    loops.laplacian(lap, result, *faces, *everywhere)
    result += shared + number(later_nu) * later + current
    return result, gradients  # type: ignore[return-value]


def _loops(field: np.ndarray) -> SimpleNamespace:
    return _SHARED if threads_share(field.size) else _SINGLE
