"""The headers of one DICOM series in a folder, checked before a pixel is looked at.

What a header leaves open is refused, not guessed: a wrong guess would draw a contour in the wrong place.
"""

import re
import struct
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.errors import BytesLengthException, InvalidDicomError
from pydicom.uid import MediaStorageDirectoryStorage

from gliocast.core import InputError
from gliocast.data.folders import MAX_NAMES, printable

#: What a target volume is drawn on.
MODALITIES = ("MR", "CT")

#: Names that only DICOM files have, in lower case: one that isn't DICOM inside is damaged.
DICOM_ENDINGS = (".dcm", ".ima", ".dicom")

#: What names a patient or a day, by DICOM keyword; read to be kept on request, written nowhere else.
IDENTITY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber", "ReferringPhysicianName"),
)

#: Without these an image lies nowhere, or can't be referred to.
_REQUIRED = (
    *("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows", "Columns"),
)
_OTHERS = (
    *("Modality", "SeriesNumber", "NumberOfFrames", "SharedFunctionalGroupsSequence", "ImageType"),
    *("SliceThickness", "SpacingBetweenSlices", "InstanceNumber", "BurnedInAnnotation"),
)

#: What the standard calls modalities (PS3.3, C.7.3.1.1.1) and kinds of pixels (C.7.6.3.1.2): no one's name.
_MODALITY_TERMS = (
    *("AR", "AU", "BDUS", "BI", "BMD", "CR", "CT", "CTPROTOCOL", "DOC", "DG", "DX", "ECG", "EEG", "EPS", "ES", "FID"),
    *("GM", "HC", "HD", "IO", "IVOCT", "IVUS", "KER", "KO", "LEN", "LS", "M3D", "MG", "MR", "NM", "OAM", "OCT", "OP"),
    *("OPM", "OPT", "OPV", "OSS", "OT", "PA", "PLAN", "PR", "PT", "PX", "REG", "RESP", "RF", "RG", "RTDOSE", "RTIMAGE"),
    *("RTINTENT", "RTPLAN", "RTRAD", "RTRECORD", "RTSEGANN", "RTSTRUCT", "RWV", "SEG", "SM", "SMR", "SR", "SRF"),
    *("STAIN", "TG", "US", "VA", "XA", "XC"),
)
_PHOTOMETRIC_TERMS = (
    *("MONOCHROME1", "MONOCHROME2", "PALETTE COLOR", "RGB", "HSV", "ARGB", "CMYK", "XYB"),
    *("YBR_FULL", "YBR_FULL_422", "YBR_PARTIAL_422", "YBR_PARTIAL_420", "YBR_ICT", "YBR_RCT"),
)
#: Elements whose values messages quote, if they are among these; any other may be a name.
_TERMS = {"Modality": _MODALITY_TERMS, "PhotometricInterpretation": _PHOTOMETRIC_TERMS}

#: What begins the UID of every class of pictures of a screen.
_SECONDARY_CAPTURE = "1.2.840.10008.5.1.4.1.1.7"

#: A UID; what isn't one may name the patient, and would be written. Leading zeros, which some devices write, may stay.
_UID = re.compile(r"[0-9][0-9.]{0,63}")

#: How a DICOM file begins: so many bytes of anything, then four letters.
_PREAMBLE = 132

#: What pydicom raises for a file that isn't what it claims to be.
UNREADABLE = (
    InvalidDicomError,
    BytesLengthException,
    struct.error,
    EOFError,
    OSError,
    ValueError,
    TypeError,
    KeyError,
    AttributeError,
    NotImplementedError,
    OverflowError,
)


@dataclass(frozen=True, eq=False)
class Header:
    """What one image of a series says of itself.

    Args:
        path: its file.
        modality: MR or CT.
        uids: UIDs by keyword.
        position: center of the first pixel [mm, LPS], shape (3,).
        orientation: direction cosines of the rows, then of the columns [LPS], shape (6,).
        pixel_spacing: distance between rows, then between columns [mm], shape (2,).
        size: number of rows and of columns.
        thickness: of the slice [mm], None where the file doesn't say.
        stated_step: distance between slices as the file has it [mm], None where it doesn't say.
        number: of the image in the series, None where the file doesn't say.
        burned_in: whether the file says that its pixels show text that may name the patient.
        identity: what it says of `IDENTITY`.
    """

    path: Path
    modality: str
    uids: Mapping[str, str]
    position: np.ndarray
    orientation: np.ndarray
    pixel_spacing: np.ndarray
    size: tuple[int, int]
    thickness: float | None
    stated_step: float | None
    number: int | None
    burned_in: bool
    identity: Mapping[str, str]


def series_label(folder: Path) -> str:
    """A series as messages name it."""
    return f"series {printable(folder.name or str(folder))}"


def read_headers(folder: Path) -> list[Header]:
    """Headers of the one series in a folder, in the order of file names; subfolders are not searched.

    Files that aren't DICOM, a DICOMDIR, pipes and devices are passed over.

    Raises:
        InputError: no such folder, no DICOM, two series, a damaged or blank file, a broken link, no MR or CT, a
            localizer or a picture of a screen, several frames in one file, compressed pixels, or an image that doesn't
            say where it lies.
    """
    label = series_label(folder)
    files = _list_files(folder, label)
    found = [(path, dataset) for path in files if (dataset := _read_header(path, label)) is not None]
    if not found:
        names = ", ".join(printable(path.name) for path in files[:MAX_NAMES])
        raise InputError(
            label,
            expected="the DICOM files of one series",
            got=f"none among {names}" if files else "no file",
            advice="name the folder in which the images lie",
        )
    _require_one_series([dataset for _, dataset in found], label)
    with refusing_damage(label):
        return [_header(path, dataset, label) for path, dataset in found]


@contextmanager
def refusing_damage(label: str) -> Iterator[None]:
    """Turn pydicom's complaints into advice, and keep its warnings from the terminal.

    What they quote of the file is left out: it may name the patient.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        except UNREADABLE as error:
            reason = re.sub(r"'[^']*'?|\"[^\"]*\"?", "...", printable(" ".join(str(error).split())))
            reason = "no header of DICOM" if isinstance(error, InvalidDicomError) else reason or type(error).__name__
            raise InputError(
                label, expected="readable DICOM", got=reason[:200], advice="export or copy the series again"
            ) from error


def file_in(label: str, path: Path) -> str:
    """A file of a series as messages name it."""
    return f"{label} ({printable(path.name)})"


def quoted(dataset: pydicom.Dataset, name: str, *, absent: str = "none") -> str:
    """A value of a header as messages have it: a term that the standard defines, "another", or that it is absent."""
    value = dataset.get(name)
    if value in (None, ""):
        return absent
    return value if isinstance(value, str) and value in _TERMS[name] else "another"


def _list_files(folder: Path, label: str) -> list[Path]:
    try:
        entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
        for path in entries:
            _require_content(path, label)
        return [path for path in entries if path.is_file()]
    except FileNotFoundError:
        got = "no such folder"
    except NotADirectoryError:
        got = "a file"
    except (OSError, ValueError) as error:
        got = f"one that can't be read ({printable(getattr(error, 'strerror', None) or str(error))})"
    raise InputError(label, expected="the folder of one series", got=got, advice="check the path")


def _require_content(path: Path, label: str) -> None:
    """Raise InputError for what a copy that failed leaves behind: without this, a slice would be missing at the end.

    A folder is none, nor a pipe or a device, which would be waited for.
    """
    if path.exists() and not path.is_file():
        return
    got = "a link that leads nowhere"
    if path.exists():
        with path.open("rb") as file:
            start = file.read(_PREAMBLE)
        if start.strip(b"\0"):
            return
        got = "nothing but zeros" if start else "an empty file"
    raise InputError(file_in(label, path), expected="readable DICOM", got=got, advice="copy the series again")


def _read_header(path: Path, label: str) -> pydicom.FileDataset | None:
    """All that is of use of a header, and its file's meta information; None for a file that isn't an image."""
    with refusing_damage(file_in(label, path)):
        try:
            dataset = pydicom.dcmread(
                path, stop_before_pixels=True, specific_tags=[*_REQUIRED, *_OTHERS, *IDENTITY, "SpecificCharacterSet"]
            )
        except InvalidDicomError:
            if path.suffix.lower() in DICOM_ENDINGS:
                raise
            return None
        is_directory = dataset.file_meta.get("MediaStorageSOPClassUID") == MediaStorageDirectoryStorage
        return None if is_directory else dataset


def _require_one_series(datasets: list[pydicom.FileDataset], label: str) -> None:
    counts = Counter(str(dataset.get("SeriesInstanceUID", "")) for dataset in datasets)
    if len(counts) > 1:
        kinds = {str(dataset.get("SeriesInstanceUID", "")): dataset for dataset in datasets}
        parts = [
            f"{quoted(kinds[uid], 'Modality', absent='unknown')} series "
            f"{_whole_number(kinds[uid], 'SeriesNumber') or 'without number'} ({count} files)"
            for uid, count in counts.most_common(MAX_NAMES)
        ]
        raise InputError(
            label,
            expected="one series",
            got=f"{len(counts)}: {', '.join(parts)}",
            advice="move all but one to other folders",
        )


def _header(path: Path, dataset: pydicom.FileDataset, label: str) -> Header:
    subject = file_in(label, path)
    modality = quoted(dataset, "Modality")
    if modality not in MODALITIES:
        raise InputError(subject, expected="MR or CT images", got=f"modality {modality}", advice="pass the scan itself")
    _require_scan(dataset, subject)
    if int(dataset.get("NumberOfFrames") or 1) > 1 or "SharedFunctionalGroupsSequence" in dataset:
        raise InputError(
            subject,
            expected="one image per file",
            got="a multi-frame (enhanced) image",
            advice="split it first, e.g. with dcm4che's emf2sf",
        )
    _require_plain_pixels(dataset, subject)
    missing = [name for name in _REQUIRED if dataset.get(name) in (None, "", 0)]
    if missing:
        raise InputError(
            subject,
            expected="an image that says what it is and where it lies",
            got=f"no {', '.join(missing)}",
            advice="export the original series, not a copy for display",
        )
    return Header(
        path=path,
        modality=modality,
        uids=_uids(dataset, subject),
        position=_numbers(dataset, "ImagePositionPatient", 3, subject),
        orientation=_numbers(dataset, "ImageOrientationPatient", 6, subject),
        pixel_spacing=_numbers(dataset, "PixelSpacing", 2, subject),
        size=(int(dataset.Rows), int(dataset.Columns)),
        thickness=_length(dataset, "SliceThickness"),
        stated_step=_length(dataset, "SpacingBetweenSlices"),
        number=_whole_number(dataset, "InstanceNumber"),
        burned_in=dataset.get("BurnedInAnnotation") == "YES",
        identity={name: str(dataset[name].value) for name in IDENTITY if dataset.get(name) not in (None, "")},
    )


def _require_scan(dataset: pydicom.FileDataset, subject: str) -> None:
    """Raise InputError for images that show a scan, or where it is to be made, and aren't one."""
    kind = dataset.get("ImageType") or ()
    if "LOCALIZER" in ([kind] if isinstance(kind, str) else kind):
        raise InputError(subject, expected="a scan", got="a localizer", advice="move localizers to another folder")
    if str(dataset.get("SOPClassUID", "")).startswith(_SECONDARY_CAPTURE):
        raise InputError(
            subject,
            expected="a scan",
            got="a picture of a screen (secondary capture)",
            advice="export the original series, not a copy for display",
        )


def _uids(dataset: pydicom.FileDataset, subject: str) -> dict[str, str]:
    """UIDs by keyword; one that is none isn't quoted."""
    found = {name: str(dataset[name].value) for name in _REQUIRED if name.endswith("UID")}
    for name, uid in found.items():
        if not _UID.fullmatch(uid):
            raise InputError(
                subject,
                expected=f"up to 64 digits and points as {name}",
                got="something else",
                advice="export the original series",
            )
    return found


def _require_plain_pixels(dataset: pydicom.FileDataset, subject: str) -> None:
    syntax = dataset.file_meta.get("TransferSyntaxUID")
    if syntax is None or not syntax.is_transfer_syntax:
        raise InputError(
            subject,
            expected="a known transfer syntax",
            got="none" if syntax is None else "another",
            advice="export the series again, uncompressed",
        )
    if syntax.is_compressed:
        raise InputError(
            subject,
            expected="uncompressed pixels",
            got=f"transfer syntax {syntax.name}",
            advice="decompress the series first, e.g. with gdcmconv --raw",
        )


def _numbers(dataset: pydicom.FileDataset, name: str, count: int, subject: str) -> np.ndarray:
    """A value of several numbers, all finite."""
    values = np.array(dataset[name].value, dtype=np.float64).reshape(-1)
    if len(values) != count or not np.isfinite(values).all():
        shown = "\\".join(f"{value:g}" for value in values)
        raise InputError(subject, expected=f"{count} numbers as {name}", got=shown, advice="export the series again")
    return values


def _length(dataset: pydicom.FileDataset, name: str) -> float | None:
    value = dataset.get(name)
    return None if value in (None, "") else float(value)


def _whole_number(dataset: pydicom.FileDataset, name: str) -> int | None:
    """A number that nothing hangs on; None where the file has none or something else."""
    try:
        return int(dataset.get(name))
    except (TypeError, ValueError):
        return None
