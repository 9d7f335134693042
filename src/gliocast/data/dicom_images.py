"""Target volumes as a DICOM Segmentation, a density as a DICOM Parametric Map, on the images of a series.

Both are written by highdicom, from what `Series` knows: of the series' own files nothing is copied that isn't meant to
be. Unlike a structure set they must say when they were made, so each one written is a new object.

Sources: DICOM PS3.3, A.51 (Segmentation) and A.75 (Parametric Map); PS3.16, CID 9580 (RT Target).
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code
from pydicom.uid import generate_uid

from gliocast import __version__
from gliocast.core import RESEARCH_NOTICE, InputError, Volume
from gliocast.data.dicom import Series
from gliocast.data.dicom_identity import MANUFACTURER, RESEARCH_LABEL, labeled, patient_and_study

#: The kinds of target, as SNOMED CT names them.
TARGET_CODES = {
    "GTV": codes.SCT.GrossTumorVolume,
    "CTV": codes.SCT.ClinicalTargetVolume,
    "PTV": codes.SCT.PlanningTargetVolume,
}

#: What a density is and how targets are found; no dictionary has a word for it, so these are ours.
DENSITY_CODE = Code("TUMOR_DENSITY", "99GLIOCAST", "Tumor-cell density, fraction of carrying capacity")
METHOD_CODE = Code("TARGET_PLANNING", "99GLIOCAST", "Margins around an outline, levels of a tumor-cell density")

#: A label that is a code string has no spaces.
_LABEL = RESEARCH_LABEL.replace(" ", "_")

#: What isn't a machine has no serial number; the standard wants one.
_SERIAL_NUMBER = "none"


@dataclass(frozen=True, eq=False)
class Segment:
    """A target volume.

    Args:
        name: of the structure.
        kind: GTV, CTV or PTV.
        mask: where it is on the grid of the series, bool.
        caution: what a person has to know of it; None for nothing.
    """

    name: str
    kind: str
    mask: Volume
    caution: str | None = None


def write_segmentation(path: Path, segments: Sequence[Segment], series: Series, *, keep_identity: bool = False) -> None:
    """Write target volumes as one binary Segmentation; they may overlap.

    Args:
        path: to write.
        segments: at least one, none empty.
        series: whose images it refers to.
        keep_identity: whether name, identifiers and dates of the series are copied.

    Raises:
        InputError: no segment, an empty one, one on another grid, or highdicom isn't installed.
    """
    highdicom = _highdicom()
    if not segments:
        raise InputError("segmentation", expected="at least one target", got="none", advice="plan first")
    for segment in segments:
        series.grid.require_same(segment.mask.grid, f"segment {segment.name}")
        if not segment.mask.data.any():
            raise InputError(
                f"segment {segment.name}",
                expected="a target",
                got="an empty mask",
                advice="leave it out, or plan again",
            )
    algorithm = highdicom.AlgorithmIdentificationSequence(name=MANUFACTURER, family=METHOD_CODE, version=__version__)
    descriptions = [
        highdicom.seg.SegmentDescription(
            segment_number=number,
            segment_label=segment.name,
            segmented_property_category=codes.DCM.RTTarget,
            segmented_property_type=TARGET_CODES[segment.kind],
            algorithm_type=highdicom.seg.SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=algorithm,
        )
        for number, segment in enumerate(segments, start=1)
    ]
    for description, segment in zip(descriptions, segments, strict=True):
        description.SegmentDescription = labeled(segment.caution)
    with _quiet():
        highdicom.seg.Segmentation(
            source_images=_images(series, keep_identity=keep_identity),
            pixel_array=np.stack([_frames(segment.mask.data.astype(np.uint8)) for segment in segments], axis=-1),
            segmentation_type=highdicom.seg.SegmentationTypeValues.BINARY,
            segment_descriptions=descriptions,
            **_general("segmentation"),
        ).save_as(path)


def write_parametric_map(path: Path, density: Volume, series: Series, *, keep_identity: bool = False) -> None:
    """Write a tumor-cell density in [0, 1] as a Parametric Map of float32.

    Args:
        path: to write.
        density: fraction of carrying capacity, on the grid of the series.
        series: whose images it refers to.
        keep_identity: as in `write_segmentation`.

    Raises:
        InputError: values outside of [0, 1], another grid, or highdicom isn't installed.
    """
    highdicom = _highdicom()
    series.grid.require_same(density.grid, "density")
    low, high = float(density.data.min()), float(density.data.max())
    if not 0 <= low <= high <= 1:
        raise InputError("density", expected="values in [0, 1]", got=f"{low:g} to {high:g}", advice="pass a density")
    mapping = highdicom.pm.RealWorldValueMapping(
        lut_label="density",
        lut_explanation="Tumor-cell density, fraction of carrying capacity",
        unit=codes.UCUM.NoUnits,
        value_range=(0.0, 1.0),
        slope=1.0,
        intercept=0.0,
        quantity_definition=DENSITY_CODE,
    )
    with _quiet():
        highdicom.pm.ParametricMap(
            source_images=_images(series, keep_identity=keep_identity),
            pixel_array=_frames(density.data.astype(np.float32)),
            contains_recognizable_visual_features=False,
            real_world_value_mappings=[mapping],
            voi_lut_transformations=[highdicom.VOILUTTransformation(window_center=0.5, window_width=1.0)],
            **_general("parametric map"),
        ).save_as(path)


def _highdicom() -> Any:
    """The package, with its parts; an extra that not everybody installs."""
    try:
        package = import_module("highdicom")
    except ImportError as error:
        raise InputError(
            "DICOM image", expected="highdicom", got="none installed", advice="pip install 'gliocast[dicom]'"
        ) from error
    for part in ("pm", "seg"):
        import_module(f"highdicom.{part}")
    return package


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep from the terminal what highdicom thinks of a patient's name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _frames(data: np.ndarray) -> np.ndarray:
    """An array (columns, rows, slices) as (slices, rows, columns)."""
    return np.ascontiguousarray(data.transpose(2, 1, 0))


def _images(series: Series, *, keep_identity: bool) -> list[Dataset]:
    """What highdicom has to know of the images of a series, and nothing else of them."""
    columns, rows, _ = series.grid.shape
    found = []
    for number, image in enumerate(series.slices, start=1):
        dataset = patient_and_study(series, keep_identity=keep_identity)
        dataset.SOPClassUID, dataset.SOPInstanceUID = image.sop_class_uid, image.sop_instance_uid
        dataset.Modality, dataset.SeriesInstanceUID, dataset.SeriesNumber = series.modality, series.series_uid, 1
        dataset.InstanceNumber = number
        dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = series.frame_uid, ""
        dataset.ImagePositionPatient = [f"{value:.6f}" for value in image.position]
        dataset.ImageOrientationPatient = [f"{value:.10f}" for value in series.orientation]
        dataset.PixelSpacing = [f"{value:.10g}" for value in series.pixel_spacing]
        dataset.SliceThickness = f"{series.grid.spacing[2]:.10g}"
        dataset.Rows, dataset.Columns = rows, columns
        found.append(dataset)
    return found


def _general(what: str) -> dict[str, Any]:
    """Arguments that both kinds of object take."""
    return {
        "series_instance_uid": generate_uid(),
        "series_number": 1,
        "sop_instance_uid": generate_uid(),
        "instance_number": 1,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MANUFACTURER,
        "software_versions": __version__,
        "device_serial_number": _SERIAL_NUMBER,
        "content_label": _LABEL,
        "content_description": RESEARCH_NOTICE[:64],
        "series_description": f"{RESEARCH_LABEL} gliocast {what}",
    }
