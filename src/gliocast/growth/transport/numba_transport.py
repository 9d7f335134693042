"""Transport on the CPU, with compiled sweeps.

Symbols: m fields, shape (k, nx, ny, nz); f Courant numbers of faces, displacement over spacing; ll, l | r, rr the two
cells on either side of a face.
"""

import numba
import numpy as np

from gliocast.growth.elasticity import Displacement
from gliocast.growth.kernels.compiled import ROW_OPTIONS, compile_loops
from gliocast.growth.transport.courant import check_transport, num_substeps

#: Slabs into which a field is cut for threads; each sweeps one layer of faces that its neighbor sweeps too.
_NUM_SLABS = 8


@numba.njit(**ROW_OPTIONS)
def _flux_row(out, f, ll, l, r, rr):  # type: ignore[no-untyped-def] # noqa: E741
    """out <- f times the upwind value, tilted by half of van Leer's slope."""
    zero = out.dtype.type(0)
    for c in range(out.size):
        before, across, after = l[c] - ll[c], r[c] - l[c], rr[c] - r[c]
        rise, drop = before * across, across * after
        left = l[c] + (rise / (before + across) if rise > 0 else zero)
        right = r[c] - (drop / (across + after) if drop > 0 else zero)
        out[c] = max(f[c], zero) * left + min(f[c], zero) * right


@numba.njit(**ROW_OPTIONS)
def _update_row(out, base, m, keep, x0, x1, y0, y1, z):  # type: ignore[no-untyped-def]
    """out <- keep base + (1 - keep) (m - net outflow)."""
    change, take = np.empty_like(out), out.dtype.type(1) - keep
    for c in range(out.size):
        change[c] = (x1[c] - x0[c]) + (y1[c] - y0[c]) + (z[c + 1] - z[c])
    for c in range(out.size):
        out[c] = keep * base[c] + take * (m[c] - change[c])


@numba.njit(**ROW_OPTIONS)
def _x_fluxes(flux, m, fx, i):  # type: ignore[no-untyped-def]
    """flux <- what flows through the faces i normal to x; nothing through the walls."""
    nx, ny, _ = m.shape
    for j in range(ny):
        if i == 0 or i == nx:
            flux[j] = 0
        else:
            _flux_row(flux[j], fx[i, j], m[max(i - 2, 0), j], m[i - 1, j], m[i, j], m[min(i + 1, nx - 1), j])


@numba.njit(**ROW_OPTIONS)
def _sweep_plane(out, base, m, keep, x0, x1, fy, fz, i):  # type: ignore[no-untyped-def]
    """One plane of cells, from the fluxes through its faces normal to x."""
    _, ny, nz = m.shape
    y_flux, z_flux, extended = np.zeros((2, nz), m.dtype), np.zeros(nz + 1, m.dtype), np.empty(nz + 2, m.dtype)
    for j in range(ny):
        y0, y1 = y_flux[j % 2], y_flux[1 - j % 2]
        if j + 1 < ny:
            _flux_row(y1, fy[i, j + 1], m[i, max(j - 1, 0)], m[i, j], m[i, j + 1], m[i, min(j + 2, ny - 1)])
        else:
            y1[:] = 0
        extended[0], extended[nz + 1] = m[i, j, 0], m[i, j, nz - 1]
        extended[1 : nz + 1] = m[i, j]
        _flux_row(z_flux[1:nz], fz[i, j, 1:nz], extended[:-3], extended[1:-2], extended[2:-1], extended[3:])
        _update_row(out[i, j], base[i, j], m[i, j], keep, x0[j], x1[j], y0, y1, z_flux)


def _euler(out, base, m, keep, fx, fy, fz, num_slabs):  # type: ignore[no-untyped-def]
    """out <- keep base + (1 - keep) (an explicit Euler step of m)."""
    num_fields, nx, ny, nz = m.shape
    for task in numba.prange(num_fields * num_slabs):
        field, slab = task // num_slabs, task % num_slabs
        first, last = slab * nx // num_slabs, (slab + 1) * nx // num_slabs
        x_flux = np.empty((2, ny, nz), m.dtype)
        _x_fluxes(x_flux[first % 2], m[field], fx, first)
        for i in range(first, last):
            x0, x1 = x_flux[i % 2], x_flux[1 - i % 2]
            _x_fluxes(x1, m[field], fx, i + 1)
            _sweep_plane(out[field], base[field], m[field], keep, x0, x1, fy, fz, i)


def _outflow(fx, fy, fz):  # type: ignore[no-untyped-def]
    """Largest outflow of a cell: the larger of two sides, summed over the axes."""
    nx, ny, nz = fy.shape[0], fx.shape[1], fx.shape[2]
    largest = np.zeros(nx)
    for i in numba.prange(nx):
        zero = fx.dtype.type(0)
        most = zero
        for j in range(ny):
            x0, x1, y0, y1, z = fx[i, j], fx[i + 1, j], fy[i, j], fy[i, j + 1], fz[i, j]
            for k in range(nz):
                total = max(-x0[k], x1[k], zero) + max(-y0[k], y1[k], zero) + max(-z[k], z[k + 1], zero)
                most = max(most, total)
        largest[i] = most
    return largest.max()


_SHARED = compile_loops(_euler, _outflow, parallel=True)
_SINGLE = compile_loops(_euler, _outflow, parallel=False)


def transport(
    fields: np.ndarray, displacement: Displacement, spacing: tuple[float, float, float], *, parallel: bool = True
) -> np.ndarray:
    """Fields after their tissue was displaced; their sums over the grid stay what they were.

    Args:
        fields: amounts per volume, nonnegative ones stay so, shape (k, nx, ny, nz), float32 or float64.
        displacement: v tau over the step, normal to faces and zero on the walls [mm].
        spacing: cell size along the axes [mm].
        parallel: whether threads share a step. A single-threaded one releases the GIL and may run beside others.

    Returns:
        The new fields, in memory of their own.

    Raises:
        InputError: fields and displacement that don't belong together.
        ConvergenceError: a displacement of so many cells that units must be wrong.
    """
    check_transport(fields, displacement, spacing)
    loops, kind = (_SHARED if parallel else _SINGLE), fields.dtype.type
    faces = [np.ascontiguousarray(part / kind(h)) for part, h in zip(displacement.faces, spacing, strict=True)]
    substeps = num_substeps(float(loops.outflow(*faces)))
    if substeps > 1:
        faces = [part / kind(substeps) for part in faces]
    m = np.ascontiguousarray(fields)
    stage, results = np.empty_like(m), [np.empty_like(m) for _ in range(min(substeps, 2))]
    for step in range(substeps):
        result = results[step % 2]
        loops.euler(stage, m, m, kind(0), *faces, _NUM_SLABS)
        loops.euler(result, m, stage, kind(0.5), *faces, _NUM_SLABS)
        m = result
    return m
