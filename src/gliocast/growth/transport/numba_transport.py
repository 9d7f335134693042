"""Transport on the CPU, with compiled sweeps.

Symbols: m fields, shape (k, nx, ny, nz); f Courant numbers of faces, displacement over spacing; ll, l | r, rr the two
cells on either side of a face.

A plane of cells lies in one piece of memory, so fluxes through its faces are one long loop each, which fills vector
registers where rows of some fifty voxels would leave a rest. Faces normal to z come in rows of their own length with
room for the cells next to the walls, see `_Z_PAD`.
"""

import numba
import numpy as np

from gliocast.growth.elasticity import Displacement
from gliocast.growth.kernels.compiled import ROW_OPTIONS, compile_loops
from gliocast.growth.transport.courant import check_transport, num_substeps

#: Slabs into which a field is cut for threads; each sweeps one layer of faces that its neighbor sweeps too.
_NUM_SLABS = 8

#: Entries by which a row of faces normal to z is longer than a row of cells: one more face, and zeros so that rows of
#: faces and rows of cells with two copies of the wall's on either side are of one length.
_Z_PAD = 4


@numba.njit(**ROW_OPTIONS)
def _flux(out, f, ll, l, r, rr):  # type: ignore[no-untyped-def] # noqa: E741
    """out <- f times the upwind value, tilted by half of van Leer's slope."""
    zero = out.dtype.type(0)
    for c in range(out.size):
        forward, across = f[c] > 0, r[c] - l[c]
        upwind = l[c] - ll[c] if forward else rr[c] - r[c]
        product = upwind * across
        tilt = product / (upwind + across) if product > 0 else zero
        out[c] = f[c] * (l[c] + tilt if forward else r[c] - tilt)


@numba.njit(**ROW_OPTIONS)
def _x_fluxes(flux, planes, fx, i):  # type: ignore[no-untyped-def]
    """flux <- what flows through the faces i normal to x, in one row; nothing through the walls."""
    count = len(planes)
    if i == 0 or i == count:
        flux[:] = 0
    else:
        _flux(flux, fx[i], planes[max(i - 2, 0)], planes[i - 1], planes[i], planes[min(i + 1, count - 1)])


@numba.njit(**ROW_OPTIONS)
def _y_fluxes(flux, plane, fy, ny, nz):  # type: ignore[no-untyped-def]
    """The same through the faces of a plane that are normal to y; all in one row, nz for each j."""
    flux[:nz] = 0
    flux[ny * nz :] = 0
    for j in (1, ny - 1):  # next to the walls
        if 0 < j < ny:
            first, last = max(j - 2, 0) * nz, min(j + 1, ny - 1) * nz
            here = j * nz
            _flux(
                flux[here : here + nz],
                fy[here : here + nz],
                plane[first : first + nz],
                plane[here - nz : here],
                plane[here : here + nz],
                plane[last : last + nz],
            )
    many = (ny - 3) * nz
    if many > 0:
        _flux(
            flux[2 * nz : 2 * nz + many],
            fy[2 * nz : 2 * nz + many],
            plane[:many],
            plane[nz : nz + many],
            plane[2 * nz : 2 * nz + many],
            plane[3 * nz : 3 * nz + many],
        )


@numba.njit(**ROW_OPTIONS)
def _z_fluxes(flux, plane, fz, extended, ny, nz):  # type: ignore[no-untyped-def]
    """The same normal to z; all in one row, nz + _Z_PAD for each j."""
    length = nz + _Z_PAD
    for j in range(ny):
        here, row = j * length + 2, plane[j * nz : (j + 1) * nz]
        extended[here - 1] = row[0]
        extended[here : here + nz] = row
        extended[here + nz] = row[nz - 1]
    total = ny * length
    _flux(flux, fz, extended[:total], extended[1 : total + 1], extended[2 : total + 2], extended[3 : total + 3])


@numba.njit(**ROW_OPTIONS)
def _update_row(out, base, m, keep, x0, x1, y0, y1, z):  # type: ignore[no-untyped-def]
    """out <- keep base + (1 - keep) (m - net outflow)."""
    take = out.dtype.type(1) - keep
    for c in range(out.size):
        change = (x1[c] - x0[c]) + (y1[c] - y0[c]) + (z[c + 1] - z[c])
        out[c] = keep * base[c] + take * (m[c] - change)


def _euler(out, base, m, keep, fx, fy, fz, num_slabs):  # type: ignore[no-untyped-def]
    """out <- keep base + (1 - keep) (an explicit Euler step of m)."""
    num_fields, nx, ny, nz = m.shape
    length = nz + _Z_PAD
    x_faces, y_faces, z_faces = fx.reshape(nx + 1, -1), fy.reshape(nx, -1), fz.reshape(nx, -1)
    for task in numba.prange(num_fields * num_slabs):
        field, slab = task // num_slabs, task % num_slabs
        first, last = slab * nx // num_slabs, (slab + 1) * nx // num_slabs
        planes = m[field].reshape(nx, ny * nz)
        x, y = np.empty((2, ny * nz), m.dtype), np.empty((ny + 1) * nz, m.dtype)
        z, extended = np.empty(ny * length, m.dtype), np.zeros(ny * length + 3, m.dtype)
        _x_fluxes(x[first % 2], planes, x_faces, first)
        for i in range(first, last):
            x0, x1 = x[i % 2], x[1 - i % 2]
            _x_fluxes(x1, planes, x_faces, i + 1)
            _y_fluxes(y, planes[i], y_faces[i], ny, nz)
            _z_fluxes(z, planes[i], z_faces[i], extended, ny, nz)
            for j in range(ny):
                a, b, c = j * nz, (j + 1) * nz, j * length
                _update_row(
                    out[field, i, j],
                    base[field, i, j],
                    planes[i, a:b],
                    keep,
                    x0[a:b],
                    x1[a:b],
                    y[a:b],
                    y[b : b + nz],
                    z[c : c + nz + 1],
                )


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
    faces[2] = np.pad(faces[2], ((0, 0), (0, 0), (0, _Z_PAD - 1)))
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
