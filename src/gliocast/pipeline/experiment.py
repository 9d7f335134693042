"""A simulation made ready: files read and checked, a solver and its numbers."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gliocast.cohort import atlas_anatomy
from gliocast.core import Anatomy, Density, GrowthModel, Monitor, Treatments
from gliocast.core.volume import Volume
from gliocast.data import file_hash, read_diffusion_tensor, read_treatments, read_volume
from gliocast.data.atlas import Atlas, load_mni152
from gliocast.growth import DensityMap, GaussianSeed, PointSeed, Simulator
from gliocast.growth.start import SEED_WIDTH_MM, Start
from gliocast.pipeline.choices import Choices
from gliocast.pipeline.equations import Equation, find_equation
from gliocast.pipeline.maps import read_anatomy, require_fractions

#: Gray values of white matter, gray matter and fluid where there is no scan to show [1].
_SHADES = (0.85, 0.5, 0.12)


@dataclass(frozen=True, eq=False)
class Experiment:
    """Everything that a simulation needs.

    Args:
        equation: which model.
        simulator: the solver, with the start and the treatments.
        values: of its parameters.
        anatomy: the tissue.
        atlas: name of the atlas, None for maps from files.
        background: what pictures show below the tumor, in [0, 1], on the anatomy's grid.
        like: file whose geometry results take, None for that of the grid.
        inputs: SHA-256 of each input file.
    """

    equation: Equation
    simulator: Simulator
    values: tuple[float, ...]
    anatomy: Anatomy
    atlas: str | None
    background: np.ndarray
    like: Path | None
    inputs: dict[str, str]

    @property
    def treatments(self) -> Treatments:
        """What is done to the tumor; may be empty."""
        return self.simulator.treatments or Treatments(())

    def first_cells(self) -> Density:
        """The tumor on day 0, before anything is done to it.

        Raises:
            OutsideTissueError: growth can't begin there.
        """
        grid, model = self.anatomy.grid, self.simulator.model
        place = np.asarray(self.values[len(model.parameters) :])
        cells, box = self.simulator.start.cells(place, grid, model.tissue(self.anatomy))
        data = np.zeros(grid.shape, dtype=np.float32)
        data[box.slices] = cells
        return Density(data, grid, 0.0)


def prepare(choices: Choices, *, monitor: Monitor) -> Experiment:
    """Read and check all files of a simulation.

    Args:
        choices: what to simulate.
        monitor: watches, the growth to come included.

    Raises:
        InputError: a file can't be used, grids differ, or growth can't begin where it should.
    """
    tissue, equation = choices.tissue, find_equation(choices.model)
    atlas: Atlas | None = None
    if tissue.white_matter is None or tissue.gray_matter is None:
        atlas = load_mni152()
        anatomy = atlas_anatomy(atlas)
        background = _cut(atlas.t1, anatomy)
    else:
        anatomy = read_anatomy(tissue.white_matter, tissue.gray_matter, tissue.csf)
        maps = (anatomy.white_matter, anatomy.gray_matter, anatomy.csf)
        background = np.sum([np.float32(shade) * part for shade, part in zip(_SHADES, maps, strict=True)], axis=0)
    treatments = None if choices.treatments is None else read_treatments(choices.treatments)
    simulator = Simulator(
        _model(choices, anatomy, monitor),
        start=_start(choices, anatomy),
        treatments=treatments,
        backend=choices.backend,  # type: ignore[arg-type]  # checked when chosen
        device=choices.device,
        progress=monitor.advance,
    )
    experiment = Experiment(
        equation=equation,
        simulator=simulator,
        values=(*choices.values, *(float(x) for seed in choices.seeds for x in seed)),
        anatomy=anatomy,
        atlas=None if atlas is None else atlas.name,
        background=np.asarray(background, dtype=np.float32),
        like=tissue.white_matter,
        inputs=_hashes(choices),
    )
    simulator.check(experiment.values, anatomy, [choices.ending.last])
    experiment.first_cells()
    return experiment


def _model(choices: Choices, anatomy: Anatomy, monitor: Monitor) -> GrowthModel:
    equation, fibers = find_equation(choices.model), choices.fibers
    if fibers.tensor is None:
        return equation.model(diffusivity_ratio=choices.diffusivity_ratio)
    image = read_diffusion_tensor(fibers.tensor, order=fibers.order, axes=fibers.axes)  # type: ignore[arg-type]
    anatomy.grid.require_same(image.tensor.grid, "diffusion tensor")
    if image.num_mended:
        monitor.note(
            f"warning: the diffusion tensor had negative eigenvalues in {image.num_mended} voxels, set to zero"
        )
    anisotropy = 1.0 if fibers.anisotropy is None else fibers.anisotropy
    return equation.model(diffusivity_ratio=choices.diffusivity_ratio, water=image.tensor, anisotropy=anisotropy)


def _start(choices: Choices, anatomy: Anatomy) -> Start:
    beginning = choices.beginning
    if beginning.initial is not None:
        volume = read_volume(beginning.initial, "initial density")
        require_fractions(volume, "initial density")
        anatomy.grid.require_same(volume.grid, "initial density")
        return DensityMap(Density(np.minimum(volume.data, 1), anatomy.grid))
    if beginning.point:
        return PointSeed()
    width = SEED_WIDTH_MM if beginning.seed_width is None else beginning.seed_width
    return GaussianSeed(width, num_seeds=len(choices.seeds))


def _cut(volume: Volume, anatomy: Anatomy) -> np.ndarray:
    """The part of a volume that lies on the grid of an anatomy cropped from it."""
    corner = volume.grid.voxel_from_world(anatomy.grid.world_from_voxel(np.zeros(3)))
    lower = np.rint(corner).astype(int)
    return volume.data[tuple(slice(a, a + n) for a, n in zip(lower, anatomy.grid.shape, strict=True))]


def _hashes(choices: Choices) -> dict[str, str]:
    tissue = choices.tissue
    files = {
        "white_matter": tissue.white_matter,
        "gray_matter": tissue.gray_matter,
        "csf": tissue.csf,
        "initial": choices.beginning.initial,
        "tensor": choices.fibers.tensor,
        "treatments": choices.treatments,
    }
    return {name: file_hash(path) for name, path in files.items() if path is not None}
