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
from gliocast.core.patient import MODALITIES, Patient, Scan, Visit
from gliocast.core.plan import Plan
from gliocast.core.posterior import Posterior
from gliocast.core.roles import Forward, GrowthModel, Monitor, ObservationModel, Target
from gliocast.core.volume import Volume, block_mean, dice

__all__ = [
    "MODALITIES",
    "POSITIVE",
    "REAL",
    "RESEARCH_NOTICE",
    "SCHEMAS",
    "UNIT_INTERVAL",
    "Anatomy",
    "Box",
    "ConvergenceError",
    "Density",
    "Forward",
    "GliocastError",
    "Grid",
    "GrowthModel",
    "InputError",
    "LabelMap",
    "LabelSchema",
    "Monitor",
    "ObservationModel",
    "OutsideTissueError",
    "Parameter",
    "Patient",
    "Plan",
    "Posterior",
    "QualityError",
    "Scan",
    "Silence",
    "Support",
    "Target",
    "Visit",
    "Volume",
    "VolumeCourse",
    "block_mean",
    "bounding_box",
    "dice",
]
