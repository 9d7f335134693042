"""The nouns everything else speaks in: frozen, validated, without algorithms and without files."""

from gliocast.core.anatomy import Anatomy
from gliocast.core.box import Box, bounding_box
from gliocast.core.course import VolumeCourse
from gliocast.core.density import Density
from gliocast.core.errors import ConvergenceError, GliocastError, InputError, OutsideTissueError, QualityError
from gliocast.core.grid import Grid
from gliocast.core.labels import SCHEMAS, LabelMap, LabelSchema
from gliocast.core.monitor import Silence
from gliocast.core.notice import RESEARCH_NOTICE
from gliocast.core.parameter import POSITIVE, REAL, UNIT_INTERVAL, Parameter, Support
from gliocast.core.patient import MODALITIES, Patient, Scan, Study, Visit
from gliocast.core.plan import Plan
from gliocast.core.posterior import Posterior
from gliocast.core.roles import (
    DisplaceableObservation,
    Forward,
    GrowthModel,
    LinearizableObservation,
    LinearizableTarget,
    Monitor,
    ObservationModel,
    Prior,
    Target,
    TemperableObservation,
)
from gliocast.core.schedule import WEEKDAYS, cycle_doses, weekday_fractions
from gliocast.core.snapshot import Snapshot
from gliocast.core.tensor import DiffusionTensor
from gliocast.core.treatment import (
    ALPHA,
    ALPHA_BETA,
    HALF_LIFE,
    KILL_RATE,
    Chemotherapy,
    Radiotherapy,
    Resection,
    Treatment,
    Treatments,
    adjuvant_temozolomide,
    concomitant_temozolomide,
)
from gliocast.core.volume import Volume, block_mean, dice

__all__ = [
    "ALPHA",
    "ALPHA_BETA",
    "HALF_LIFE",
    "KILL_RATE",
    "MODALITIES",
    "POSITIVE",
    "REAL",
    "RESEARCH_NOTICE",
    "SCHEMAS",
    "UNIT_INTERVAL",
    "WEEKDAYS",
    "Anatomy",
    "Box",
    "Chemotherapy",
    "ConvergenceError",
    "Density",
    "DiffusionTensor",
    "DisplaceableObservation",
    "Forward",
    "GliocastError",
    "Grid",
    "GrowthModel",
    "InputError",
    "LabelMap",
    "LabelSchema",
    "LinearizableObservation",
    "LinearizableTarget",
    "Monitor",
    "ObservationModel",
    "OutsideTissueError",
    "Parameter",
    "Patient",
    "Plan",
    "Posterior",
    "Prior",
    "QualityError",
    "Radiotherapy",
    "Resection",
    "Scan",
    "Silence",
    "Snapshot",
    "Study",
    "Support",
    "Target",
    "TemperableObservation",
    "Treatment",
    "Treatments",
    "Visit",
    "Volume",
    "VolumeCourse",
    "adjuvant_temozolomide",
    "block_mean",
    "bounding_box",
    "concomitant_temozolomide",
    "cycle_doses",
    "dice",
    "weekday_fractions",
]
