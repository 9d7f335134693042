"""Whose objects are that gliocast writes for a DICOM series, and who made them.

By default a name nobody has, and an identifier made of the study's UID: two patients don't become one in an archive,
and nothing leads back from the file but the UIDs of study, series, images and frame of reference. These stay, or the
object would refer to nothing. Nothing else of the series is copied: no private tag, no institution, no description.
"""

import hashlib
from typing import Any

from pydicom import Dataset
from pydicom.uid import UID, generate_uid

from gliocast import __version__
from gliocast.data.dicom import Series
from gliocast.data.dicom_files import IDENTITY

#: What every object says of itself where a person reads it first; 13 characters fit a DICOM label.
RESEARCH_LABEL = "RESEARCH ONLY"
MANUFACTURER = "gliocast"

#: The family name of a patient who has none; the caret ends it.
ANONYMOUS = "ANONYMOUS^"
_METHOD = "gliocast: name, identifiers and dates left out, UIDs kept"


def patient_and_study(series: Series, *, keep_identity: bool) -> Dataset:
    """Attributes of patient and study, as of the series or of nobody, with the study's UID."""
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 192"
    for name in IDENTITY:
        setattr(dataset, name, series.identity.get(name, "") if keep_identity else "")
    if not keep_identity:
        dataset.PatientName = ANONYMOUS
        dataset.PatientID = f"ANON-{hashlib.sha256(series.study_uid.encode()).hexdigest()[:12]}"
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = _METHOD
    dataset.StudyInstanceUID = series.study_uid
    return dataset


def labeled(caution: str | None = None) -> str:
    """What a structure is described as: for research only, and what else a person has to know of it."""
    return RESEARCH_LABEL if caution is None else f"{RESEARCH_LABEL}, {caution}"


def derived_uid(*parts: str) -> UID:
    """A UID that is the same for the same content: what is written twice is one object."""
    return generate_uid(entropy_srcs=[MANUFACTURER, __version__, *parts])


def equipment() -> dict[str, Any]:
    """What made the object, by DICOM keyword."""
    return {"Manufacturer": MANUFACTURER, "ManufacturerModelName": MANUFACTURER, "SoftwareVersions": __version__}
