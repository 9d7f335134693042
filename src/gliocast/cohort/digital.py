"""Digital patients: a tumor grown with known parameters, seen by a simulated scanner and a simulated rater."""

from dataclasses import dataclass

import numpy as np

from gliocast.cohort.render import render_mri
from gliocast.core import SCHEMAS, Anatomy, Density, Grid, LabelMap, Patient, Scan, Visit
from gliocast.core.box import bounding_box
from gliocast.data.atlas import Atlas
from gliocast.growth import Simulator
from gliocast.observation import LabelErrors
from gliocast.observation import draw_outlines as sample_outlines

#: Where the atlas gives at least this share to white and gray matter, a healthy brain begins [1].
_BRAIN_SHARE = 0.2

#: Free voxels around the brain in the rendered scans.
_MARGIN = 6

#: Inside the core, cells this dense have outgrown their blood supply [1].
_NECROTIC_DENSITY = 0.88


@dataclass(frozen=True)
class Truth:
    """What a digital patient was made with.

    Args:
        diffusivity: white-matter diffusivity D_w [mm^2/d].
        rate: proliferation rate rho [1/d].
        age_days: days from the first cells to the scan, T [d].
        seed: where growth began, world coordinates [mm, RAS].
        t1c_threshold: density at which T1c shows the tumor core [1].
        flair_threshold: density at which FLAIR shows the whole tumor [1].
    """

    diffusivity: float = 0.10
    rate: float = 0.024
    age_days: float = 400.0
    seed: tuple[float, float, float] = (30.0, -12.0, 30.0)
    t1c_threshold: float = 0.7
    flair_threshold: float = 0.2

    def identifiable(self) -> dict[str, float]:
        """What one scan can tell, by the names of the inverse problem's parameters."""
        return {
            "diffusion_length": float(np.sqrt(self.diffusivity * self.age_days)),
            "growth_number": float(np.sqrt(self.rate * self.age_days)),
            **dict(zip(("seed_x", "seed_y", "seed_z"), self.seed, strict=True)),
            "t1c_threshold": self.t1c_threshold,
            "flair_threshold": self.flair_threshold,
        }


@dataclass(frozen=True, eq=False)
class DigitalPatient:
    """A synthetic patient and the truth behind it."""

    patient: Patient
    truth: Truth
    anatomy: Anatomy
    density: Density


def brain_of(atlas: Atlas) -> np.ndarray:
    """Where an atlas has brain, bool."""
    tissue = atlas.white_matter.data + atlas.gray_matter.data
    return np.asarray((tissue >= _BRAIN_SHARE) | (atlas.t1.data > 0))


def atlas_anatomy(atlas: Atlas) -> Anatomy:
    """The atlas' own brain, cropped to it with a small margin."""
    white, gray, brain = atlas.white_matter.data, atlas.gray_matter.data, brain_of(atlas)
    box = bounding_box(brain)
    lower = tuple(max(a - _MARGIN, 0) for a in box.lower)
    upper = tuple(min(b + _MARGIN, n) for b, n in zip(box.upper, brain.shape, strict=True))
    window = tuple(slice(a, b) for a, b in zip(lower, upper, strict=True))
    white, gray, brain = (np.ascontiguousarray(part[window]) for part in (white, gray, brain))
    csf = np.clip(1 - white - gray, 0, 1) * brain
    grid: Grid = atlas.t1.grid.crop(lower, upper)
    return Anatomy(white, gray, csf.astype(np.float32), brain, grid)


def make_digital_patient(atlas: Atlas, truth: Truth, generator: np.random.Generator) -> DigitalPatient:
    """Grow a tumor in the atlas' brain, draw its outlines with a rater's errors, and render its MRI."""
    anatomy = atlas_anatomy(atlas)
    values = (truth.diffusivity, truth.rate, *truth.seed)
    density = Simulator()(values, anatomy, days=[truth.age_days])[0]
    true_parts = _compartments(density, density.data > truth.t1c_threshold, density.data > truth.flair_threshold)
    images = render_mri(anatomy, true_parts, generator)
    drawn = _compartments(density, *draw_outlines(density, truth, generator))
    schema = SCHEMAS["brats-2021"]
    data = sum(getattr(schema, name) * mask for name, mask in drawn.items())
    labels = LabelMap(np.asarray(data, dtype=np.uint8), anatomy.grid, schema)
    scans = {modality: Scan(modality, volume) for modality, volume in images.items()}
    patient = Patient("synthetic", (Visit(scans, labels, anatomy.brain),))
    return DigitalPatient(patient, truth, anatomy, density)


def _compartments(density: Density, core: np.ndarray, whole: np.ndarray) -> dict[str, np.ndarray]:
    """Disjoint masks of edema, enhancing tumor and necrosis inside two outlines."""
    necrosis = core & (density.data > _NECROTIC_DENSITY)
    return {"edema": whole & ~core, "enhancing": core & ~necrosis, "necrosis": necrosis}


def draw_outlines(
    density: Density, truth: Truth, generator: np.random.Generator, errors: LabelErrors | None = None
) -> np.ndarray:
    """Core and whole-tumor outlines with a rater's correlated errors, (2, x, y, z) bool."""
    grown = density.data > 1e-3
    window = bounding_box(grown).grown((8, 8, 8), density.grid.shape)
    grid = density.grid.crop(window.lower, window.upper)
    cut = Density(np.ascontiguousarray(density.data[window.slices]), grid, density.day)
    outlines = np.zeros((2, *density.grid.shape), dtype=bool)
    outlines[(slice(None), *window.slices)] = sample_outlines(
        cut, truth.t1c_threshold, truth.flair_threshold, errors or LabelErrors(), generator
    )
    return outlines
