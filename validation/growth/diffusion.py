"""Diffusion against heat kernels, and orders of convergence in space and time."""

from collections.abc import Iterator

import numpy as np

from gliocast.core import DiffusionTensor
from gliocast.growth.models import FisherKolmogorov, TensorFisherKolmogorov

from .scenes import OWN, anatomy_of, block_mean, gaussian, model, places, relative, smooth, solve
from .table import Row, below, between

#: A second order that is measured on coarse grids.
SECOND = (1.8, 2.25)
ACCURATE = 1e-6


def rows() -> Iterator[Row]:
    errors = [kernel_error(n) for n in (16, 32, 64)]
    yield between(
        "The heat kernel in a closed box (isotropic, D t = 3 mm^2): order in the voxel size, 0.75 to 0.375 mm",
        np.log2(errors[1] / errors[2]),
        *SECOND,
        "second-order scheme",
    )
    yield below(
        "Its relative L2 error on 0.75 mm (from 2 mm wide to 3.2 mm)", errors[1], 0.01, "h^2 / 12 of the variances"
    )
    errors = [tensor_kernel_error(n) for n in (24, 48)]
    yield between(
        "The heat kernel of a tensor of eigenvalues 1, 0.4, 0.2, turned by 30 degrees: order, 1.33 to 0.67 mm",
        np.log2(errors[0] / errors[1]),
        *SECOND,
        "second-order scheme",
    )
    yield below(
        "Covariance of a density in an oblique, mirrored grid of unequal voxels grows by 2 T t, in all six components: "
        "largest relative error",
        covariance_error(),
        1e-5,
        "exact for the scheme; the tensor is stored in float32, and 1e-6 of the cells get to the rim",
    )
    for name in OWN:
        yield between(
            f"{name}, growing in smooth tissue: order in the voxel size from three grids (2, 1, 0.5 mm)",
            space_order(name),
            1.7,
            2.4,
            "second-order scheme; coarse grids",
        )
    for name in OWN:
        order, error = time_order(name)
        yield between(
            f"{name}: order in the time step against 1/64 of the error",
            order,
            1.7,
            2.4,
            "Strang splitting, RKL2; steps change in length",
        )
        yield below(
            f"{name}: relative L2 error of time stepping at the default accuracy, 5e-3",
            error,
            5e-3,
            "what the option says",
        )


def kernel_error(n: int) -> float:
    """Relative error against the kernel and its mirror images behind the walls."""
    extent, diffusivity, days, start = 24.0, 0.3, 10.0, 2.0
    h, center = extent / n, np.array([9.0, 12.0, 13.0])
    points = (np.arange(n) + 0.5) * h

    def kernel(variance: float) -> np.ndarray:
        """A product of one-dimensional kernels, each with its images."""
        axes = []
        for c in center:
            images = [2 * extent * m + sign * c for m in (-1, 0, 1) for sign in (1, -1)]
            axes.append(sum(np.exp(-((points - image) ** 2) / (2 * variance)) for image in images))
        x, y, z = axes
        return (start**2 / variance) ** 1.5 * x[:, None, None] * y[:, None] * z

    anatomy = anatomy_of(np.ones((n, n, n)), np.zeros((n, n, n)), (h, h, h))
    first = 0.5 * kernel(start**2)
    grown = solve(FisherKolmogorov(), (diffusivity, 0.0), anatomy, first, [days], accuracy=ACCURATE, width=start)
    return relative(grown[0]["density"], 0.5 * kernel(start**2 + 2 * diffusivity * days))


def turned(eigenvalues: tuple[float, float, float]) -> np.ndarray:
    """A matrix of these eigenvalues and a mean of one, turned by 30 degrees about (1, 2, 3)."""
    turn = rotation((1, 2, 3), 30)
    matrix = turn @ np.diag(eigenvalues) @ turn.T
    return 3 * matrix / np.trace(matrix)


def rotation(axis: tuple[float, float, float], degrees: float) -> np.ndarray:
    """After Rodrigues."""
    x, y, z = np.array(axis) / np.linalg.norm(axis)
    k, angle = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]]), np.radians(degrees)
    return np.eye(3) + np.sin(angle) * k + (1 - np.cos(angle)) * k @ k


def tensor_kernel_error(n: int) -> float:
    extent, diffusivity, days, start = 32.0, 0.15, 10.0, 2.0
    h, matrix = extent / n, turned((1.0, 0.4, 0.2))
    anatomy = anatomy_of(np.ones((n, n, n)), np.zeros((n, n, n)), (h, h, h))
    water = DiffusionTensor.from_matrices(np.broadcast_to(matrix, (n, n, n, 3, 3)), anatomy.grid)
    x = np.moveaxis(places((n, n, n), (h, h, h)), 0, -1) - extent / 2 + h / 2

    def kernel(time: float) -> np.ndarray:
        covariance = start**2 * np.eye(3) + 2 * diffusivity * time * matrix
        exponent = np.einsum("...a,ab,...b", x, np.linalg.inv(covariance), x)
        return 0.5 * start**3 * np.exp(-exponent / 2) / np.sqrt(np.linalg.det(covariance))

    equation = TensorFisherKolmogorov(water)
    grown = solve(equation, (diffusivity, 0.0), anatomy, kernel(0), [days], accuracy=1e-5, width=start)
    return relative(grown[0]["density"], kernel(days))


def covariance_error() -> float:
    shape, diffusivity, days, matrix = (44, 40, 36), 0.1, 8.0, turned((1.0, 0.4, 0.15))
    affine = np.eye(4)
    affine[:3, :3] = rotation((2, -1, 1), 25) @ np.diag([-0.9, 1.1, 1.3])
    affine[:3, 3] = 3, -7, 11
    anatomy = anatomy_of(np.ones(shape), np.zeros(shape), affine=affine)
    equation = TensorFisherKolmogorov(
        DiffusionTensor.from_matrices(np.broadcast_to(matrix, (*shape, 3, 3)), anatomy.grid)
    )
    middle = anatomy.grid.world_from_voxel((np.array(shape) - 1) / 2)
    points = anatomy.grid.world_from_voxel(np.moveaxis(np.indices(shape), 0, -1)) - middle
    first = 0.5 * np.exp(-(points**2).sum(axis=-1) / (2 * 2.0**2))

    def covariance(density: np.ndarray) -> np.ndarray:
        weights = density.ravel() / density.sum()
        centered = points.reshape(-1, 3) - weights @ points.reshape(-1, 3)
        return (centered * weights[:, None]).T @ centered

    (grown,) = solve(equation, (diffusivity, 0.0), anatomy, first, [days], width=2.0)
    spread = covariance(grown["density"]) - covariance(first)
    return float(abs(spread / (2 * diffusivity * days) - matrix).max())


def space_order(name: str) -> float:
    """From the distances of neighbors among three grids; the finer is averaged onto the coarser."""
    extent, grown = 24.0, []
    for n in (12, 24, 48):
        h = extent / n
        anatomy = smooth((n, n, n), extent)
        first = gaussian((n, n, n), (h, h, h), [11 - h / 2, 12 - h / 2, 13 - h / 2], 3.0, 0.5)
        (fields,) = solve(model(name, anatomy.grid), OWN[name], anatomy, first, [20.0], accuracy=1e-3, width=3.0)
        grown.append(fields["density"])
    coarse, medium, fine = grown
    return float(np.log2(relative(coarse, block_mean(medium)) / relative(medium, block_mean(fine))))


def time_order(name: str) -> tuple[float, float]:
    n, extent = 20, 20.0
    anatomy = smooth((n, n, n), extent)
    first = gaussian((n, n, n), (1, 1, 1), [9.2, 10.1, 8.4], 2.0, 0.5)

    def grown(accuracy: float) -> np.ndarray:
        fields = solve(model(name, anatomy.grid), OWN[name], anatomy, first, [60.0], accuracy=accuracy, width=2.0)
        return fields[0]["density"]

    reference = grown(5e-3 / 256)
    default, half = (relative(grown(accuracy), reference) for accuracy in (5e-3, 5e-3 / 4))
    return float(np.log2(default / half)), default
