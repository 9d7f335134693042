"""Target volumes as a DICOM RT Structure Set on the series that is planned on.

Contours are closed and planar, one for each component in a slice, holes cut out by keyholes, in the patient coordinates
of the very image that they are drawn on. Names follow TG-263: the kind of target first, at most 16 characters, no
spaces; what a model drew ends in `_MODEL`. The set is unapproved and says that it is for research only.

Sources: DICOM PS3.3, A.19, C.8.8.5, C.8.8.6 and C.8.8.8; AAPM Task Group 263 (Mayo et al. 2018), names of targets.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import ImplicitVRLittleEndian, RTStructureSetStorage

from gliocast.core import RESEARCH_NOTICE, InputError, Volume
from gliocast.data.cache import content_key
from gliocast.data.dicom import Series
from gliocast.data.dicom_identity import RESEARCH_LABEL, derived_uid, equipment, labeled, patient_and_study
from gliocast.data.folders import printable
from gliocast.planning.contours import Contour, outline

#: Kinds of target by how their names begin: DICOM's RT ROI Interpreted Type.
KINDS = ("GTV", "CTV", "PTV")

#: Longest name of a structure [characters]: treatment planning systems cut off what goes beyond (TG-263).
LONGEST_NAME = 16
#: A kind of target and what tells it apart: letters, digits and the signs that TG-263 gives a meaning.
_NAME = re.compile(rf"({'|'.join(KINDS)})[A-Za-z0-9_^~+!-]*")

#: Digits after the point of a coordinate [mm]; DICOM's decimal strings have room for 16 characters.
_DECIMALS = 4

#: Colors of structures, in turn; by Okabe & Ito (2008), told apart by the color-blind.
_COLORS = ((213, 94, 0), (230, 159, 0), (0, 114, 178), (0, 158, 115), (204, 121, 167), (86, 180, 233))

#: UID of a class that only structure sets still name: the study to which the images belong.
_STUDY_CLASS = "1.2.840.10008.3.1.2.3.1"


@dataclass(frozen=True)
class Outlined:
    """What was drawn of a structure.

    Args:
        name: of the structure.
        kind: GTV, CTV or PTV.
        mask_ml: volume of the mask on the grid of the series [ml].
        contour_ml: volume between the contours, area times the distance between slices [ml].
        num_contours: number of contours.
        num_slices: number of slices that have one.
    """

    name: str
    kind: str
    mask_ml: float
    contour_ml: float
    num_contours: int
    num_slices: int


def roi_name(target: str) -> str:
    """The name of a structure for a target volume of a `Plan`: ctv_standard is CTVp, ctv_model is CTVp_MODEL.

    The p stands for the primary tumor. What follows the kind, other than `standard`, is kept in capitals.
    """
    kind, _, variant = target.partition("_")
    return f"{kind.upper()}p" + (f"_{variant.upper()}" if variant not in ("", "standard") else "")


def roi_kind(name: str) -> str:
    """GTV, CTV or PTV, as a name says that follows TG-263.

    Raises:
        InputError: it doesn't.
    """
    match = _NAME.fullmatch(name)
    if match is None or len(name) > LONGEST_NAME:
        raise InputError(
            f"structure {printable(name)}",
            expected=f"a name of at most {LONGEST_NAME} characters without spaces that begins with {', '.join(KINDS)}",
            got=f"{len(name)} characters",
            advice="name it as TG-263 does, such as CTVp_MODEL",
        )
    return match[1]


def write_rtstruct(
    path: Path,
    masks: Mapping[str, Volume],
    series: Series,
    *,
    keep_identity: bool = False,
    cautions: Mapping[str, str] | None = None,
) -> tuple[Outlined, ...]:
    """Write target volumes as an RT Structure Set that refers to every image of a series.

    The same masks and cautions on the same series give the same bytes; so no date is written but those of the study,
    on request.

    Args:
        path: to write.
        masks: by name of the structure, on the grid of the series: bool, or shares in [0, 1] whose level set 1/2 is the
            outline (as `gliocast.data.placement.place_mask` gives).
        series: that is planned on.
        keep_identity: whether name, identifiers and dates of the series are copied.
        cautions: what a person has to know of a structure, by name, as far as there is anything.

    Returns:
        What was drawn, in the order of the masks.

    Raises:
        InputError: no mask, a name that TG-263 doesn't allow or that two structures share (capitals don't tell them
            apart), a mask on another grid, an empty one.
    """
    kinds, cautions = _kinds(masks), cautions or {}
    contours = {}
    for name, mask in masks.items():
        series.grid.require_same(mask.grid, f"structure {name}")
        contours[name] = outline(mask, f"structure {name}")
    parts = (part for name in masks for part in (name, masks[name].data, cautions.get(name, "")))
    content = content_key(*parts, series.digest)
    dataset = patient_and_study(series, keep_identity=keep_identity)
    _add_general(dataset, series, content + str(keep_identity))
    dataset.ReferencedFrameOfReferenceSequence = [_referenced_images(series)]
    dataset.StructureSetROISequence = []
    dataset.ROIContourSequence = []
    dataset.RTROIObservationsSequence = []
    drawn = tuple(_outlined(name, kinds[name], masks[name], contours[name]) for name in masks)
    for number, name in enumerate(masks, start=1):
        described = labeled(cautions.get(name))
        dataset.StructureSetROISequence.append(_roi(number, name, described, series))
        dataset.ROIContourSequence.append(_roi_contours(number, contours[name], series))
        dataset.RTROIObservationsSequence.append(_observation(number, name, kinds[name], described))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.MediaStorageSOPInstanceUID = dataset.SOPClassUID, dataset.SOPInstanceUID
    # explicit VR has two bytes for the length of a contour's numbers, too few for a large one
    meta.TransferSyntaxUID = ImplicitVRLittleEndian
    dataset.file_meta = meta
    dcmwrite(path, dataset, enforce_file_format=True)
    return drawn


def _kinds(masks: Mapping[str, Volume]) -> dict[str, str]:
    """The kind of each structure; raises InputError unless all names are fit and differ."""
    if not masks:
        raise InputError("structure set", expected="at least one target", got="none", advice="plan first")
    kinds = {name: roi_kind(name) for name in masks}
    folded = [name.casefold() for name in masks]
    twice = sorted(name for name in masks if folded.count(name.casefold()) > 1)
    if twice:
        raise InputError(
            "structure set",
            expected="names that differ by more than capitals",
            got=" and ".join(twice),
            advice="rename all but one",
        )
    return kinds


def _add_general(dataset: Dataset, series: Series, content: str) -> None:
    """What the set says of itself."""
    dataset.SOPClassUID = RTStructureSetStorage
    dataset.SOPInstanceUID = derived_uid("structure set", content)
    dataset.Modality = "RTSTRUCT"
    dataset.SeriesInstanceUID = derived_uid("structure set series", content)
    dataset.SeriesNumber, dataset.InstanceNumber = 1, 1
    dataset.SeriesDescription = f"{RESEARCH_LABEL} gliocast targets"
    dataset.OperatorsName = ""
    dataset.update(_dataset(**equipment()))
    dataset.FrameOfReferenceUID, dataset.PositionReferenceIndicator = series.frame_uid, ""
    dataset.StructureSetLabel, dataset.StructureSetName = RESEARCH_LABEL, f"{RESEARCH_LABEL} gliocast"
    dataset.StructureSetDescription = RESEARCH_NOTICE
    dataset.StructureSetDate, dataset.StructureSetTime = "", ""
    dataset.ApprovalStatus = "UNAPPROVED"


def _referenced_images(series: Series) -> Dataset:
    """The frame of reference, the study, the series and every image of it."""
    images = [_image(series, position) for position in range(len(series.slices))]
    referenced = _dataset(SeriesInstanceUID=series.series_uid, ContourImageSequence=images)
    study = _dataset(
        ReferencedSOPClassUID=_STUDY_CLASS,
        ReferencedSOPInstanceUID=series.study_uid,
        RTReferencedSeriesSequence=[referenced],
    )
    return _dataset(FrameOfReferenceUID=series.frame_uid, RTReferencedStudySequence=[study])


def _image(series: Series, position: int) -> Dataset:
    image = series.slices[position]
    return _dataset(ReferencedSOPClassUID=image.sop_class_uid, ReferencedSOPInstanceUID=image.sop_instance_uid)


def _roi(number: int, name: str, described: str, series: Series) -> Dataset:
    return _dataset(
        ROINumber=number,
        ReferencedFrameOfReferenceUID=series.frame_uid,
        ROIName=name,
        ROIDescription=described,
        ROIGenerationAlgorithm="AUTOMATIC",
    )


def _roi_contours(number: int, contours: tuple[Contour, ...], series: Series) -> Dataset:
    items = []
    for index, contour in enumerate(contours, start=1):
        points = series.patient_points(contour.points, contour.position)
        items.append(
            _dataset(
                ContourNumber=index,
                ContourImageSequence=[_image(series, contour.position)],
                ContourGeometricType="CLOSED_PLANAR",
                NumberOfContourPoints=len(points),
                ContourData=[f"{value + 0.0:.{_DECIMALS}f}" for value in points.round(_DECIMALS).ravel()],
            )
        )
    color = list(_COLORS[(number - 1) % len(_COLORS)])
    return _dataset(ReferencedROINumber=number, ROIDisplayColor=color, ContourSequence=items)


def _observation(number: int, name: str, kind: str, described: str) -> Dataset:
    return _dataset(
        ObservationNumber=number,
        ReferencedROINumber=number,
        ROIObservationLabel=name,
        ROIObservationDescription=described,
        RTROIInterpretedType=kind,
        ROIInterpreter="",
    )


def _outlined(name: str, kind: str, mask: Volume, contours: tuple[Contour, ...]) -> Outlined:
    """Volumes in ml; a share above 1/2 counts as a voxel."""
    voxel = mask.grid.voxel_ml
    return Outlined(
        name=name,
        kind=kind,
        mask_ml=float(np.count_nonzero(mask.data > 0.5)) * voxel,
        contour_ml=sum(contour.area for contour in contours) * voxel,
        num_contours=len(contours),
        num_slices=len({contour.position for contour in contours}),
    )


def _dataset(**elements: object) -> Dataset:
    """A dataset of elements by DICOM keyword, in this order."""
    dataset = Dataset()
    for keyword, value in elements.items():
        setattr(dataset, keyword, value)
    return dataset
