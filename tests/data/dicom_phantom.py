"""A DICOM series made up of numbers, as a scanner writes one; nothing of gliocast is used."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydicom import Dataset, FileMetaDataset, dcmwrite
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

#: Rows and columns of images [LPS]; the oblique ones lean by 20 and 35 degrees.
_A, _B = np.deg2rad(20), np.deg2rad(35)
ORIENTATIONS = {
    "axial": (1, 0, 0, 0, 1, 0),
    "sagittal": (0, 1, 0, 0, 0, -1),
    "coronal": (1, 0, 0, 0, 0, -1),
    "oblique": (
        *(np.cos(_A), np.sin(_A), 0),
        *(-np.sin(_A) * np.cos(_B), np.cos(_A) * np.cos(_B), np.sin(_B)),
    ),
}
#: Words that may stand in no output unless asked for.
PATIENT = {
    "PatientName": "DOE^JANE",
    "PatientID": "MRN-4711",
    "PatientBirthDate": "19570203",
    "PatientSex": "F",
    "StudyDate": "20240506",
    "StudyTime": "070809",
    "StudyID": "STUDY77",
    "AccessionNumber": "ACC1234",
    "ReferringPhysicianName": "HOUSE^GREG",
}
SECRETS = (*(value for value in PATIENT.values() if len(value) > 1), "ST ELSEWHERE", "PRIVATE-PHI", "JANE")


@dataclass(frozen=True)
class Phantom:
    """How a series is written; spacing between rows, between columns and between slices [mm]."""

    orientation: str = "axial"
    shape: tuple[int, int, int] = (40, 32, 18)  # columns, rows, slices
    spacing: tuple[float, float, float] = (1.5, 2.0, 3.0)
    origin: tuple[float, float, float] = (-31.5, 17.25, -40.0)
    modality: str = "MR"
    slope: float = 1.0
    intercept: float = 0.0
    frame_uid: str = "1.2.826.0.1.3680043.8.498.1"

    @property
    def cosines(self) -> np.ndarray:
        return np.array(ORIENTATIONS[self.orientation], dtype=float)

    @property
    def normal(self) -> np.ndarray:
        return np.cross(self.cosines[:3], self.cosines[3:])

    def values(self) -> np.ndarray:
        """Stored values: each voxel's own number, so that no two can be taken for each other."""
        return np.arange(np.prod(self.shape), dtype=np.uint16).reshape(self.shape)

    def world(self, column: float, row: float, position: float) -> np.ndarray:
        """Where a voxel is [mm, LPS], by the standard's equation."""
        between_rows, between_columns, step = self.spacing
        return (
            np.array(self.origin)
            + column * between_columns * self.cosines[:3]
            + row * between_rows * self.cosines[3:]
            + position * step * self.normal
        )


def images(phantom: Phantom) -> list[Dataset]:
    """Datasets of a series, from the last slice to the first, as no reader may rely on their order."""
    study, series = generate_uid(entropy_srcs=["study"]), generate_uid(entropy_srcs=[repr(phantom)])
    values = phantom.values()
    found = []
    for position in reversed(range(phantom.shape[2])):
        image = Dataset()
        for name, value in PATIENT.items():
            setattr(image, name, value)
        image.SOPClassUID = CTImageStorage if phantom.modality == "CT" else MRImageStorage
        image.SOPInstanceUID = generate_uid(entropy_srcs=[repr(phantom), str(position)])
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, phantom.frame_uid
        image.Modality, image.SeriesNumber, image.InstanceNumber = phantom.modality, 5, position + 1
        image.InstitutionName, image.SeriesDescription = "ST ELSEWHERE", "t1 for JANE"
        image.private_block(0x0029, "SOMEBODY", create=True).add_new(1, "LO", "PRIVATE-PHI")
        image.ImagePositionPatient = [f"{value:.6f}" for value in phantom.world(0, 0, position)]
        image.ImageOrientationPatient = [f"{value:.8f}" for value in phantom.cosines]
        image.PixelSpacing, image.SliceThickness = [f"{h:g}" for h in phantom.spacing[:2]], f"{phantom.spacing[2]:g}"
        image.Rows, image.Columns = phantom.shape[1], phantom.shape[0]
        image.SamplesPerPixel, image.PhotometricInterpretation, image.PixelRepresentation = 1, "MONOCHROME2", 0
        image.BitsAllocated, image.BitsStored, image.HighBit = 16, 16, 15
        if (phantom.slope, phantom.intercept) != (1.0, 0.0):
            image.RescaleSlope, image.RescaleIntercept, image.RescaleType = phantom.slope, phantom.intercept, "US"
        image.PixelData = np.ascontiguousarray(values[:, :, position].T).astype("<u2").tobytes()
        found.append(image)
    return found


def save(image: Dataset, path: Path, syntax: str = ExplicitVRLittleEndian) -> Path:
    """Write one image; the syntax is what its meta information claims."""
    image.file_meta = FileMetaDataset()
    image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID
    image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID
    image.file_meta.TransferSyntaxUID = syntax
    path.parent.mkdir(parents=True, exist_ok=True)
    dcmwrite(path, image, enforce_file_format=True)
    return path


def write_phantom(folder: Path, phantom: Phantom | None = None, change=None) -> Path:
    """Write a series; `change(images)` edits the datasets before, and may return others."""
    datasets = images(phantom or Phantom())
    datasets = (change(datasets) if change else None) or datasets
    for number, image in enumerate(datasets):
        save(image, folder / f"IM{number:04d}.dcm")
    return folder
