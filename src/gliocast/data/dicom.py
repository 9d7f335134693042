r"""A DICOM series of plane images as one volume in world coordinates, with all that refers back to it.

An image has its rows along `r`, its columns along `c` (ImageOrientationPatient), and the center of its first pixel at
`s_k` (ImagePositionPatient). Voxel (i, j, k), with i counting columns, j rows and k slices along the normal n = r x c,
lies at

    x = s_0 + i h_c r + j h_r c + k h_n n   [mm, LPS]

with the distances h_r between rows and h_c between columns (PixelSpacing, in this order) and h_n between slices, which
is measured, for SliceThickness and SpacingBetweenSlices are often something else. LPS becomes RAS here, once.

Source: DICOM PS3.3, C.7.6.2.1.1 (Equation C.7.6.2.1-1).
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom

from gliocast.core import Grid, InputError, Volume
from gliocast.data.dicom_files import Header, file_in, quoted, read_headers, refusing_damage, series_label
from gliocast.data.dicom_stack import affine_of, gap_warning, orthonormal, require_alike, require_spacing, stack

#: What stored values are multiplied by, and what is added, where the file doesn't say.
_RESCALING = (("Slope", 1.0), ("Intercept", 0.0))


@dataclass(frozen=True)
class Slice:
    """One image of a series: how it is referred to, and the center of its first pixel [mm, LPS]."""

    sop_class_uid: str
    sop_instance_uid: str
    position: tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Series:
    """One DICOM series as a volume.

    Args:
        volume: rescaled values, float32; axes are (columns, rows, slices), slices along the normal of the images.
        modality: MR or CT.
        study_uid: UID of the study.
        series_uid: UID of the series.
        frame_uid: UID of the frame of reference, in which world coordinates have their meaning.
        orientation: direction cosines of the rows, then of the columns [LPS].
        pixel_spacing: distance between rows, then between columns [mm].
        slices: in the order of the volume's third axis.
        digest: SHA-256 over the files.
        identity: who and when, by DICOM keyword.
        burned_in: whether it says that its pixels show text that may name the patient.
        warnings: what a person should know.
    """

    volume: Volume
    modality: str
    study_uid: str
    series_uid: str
    frame_uid: str
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, float]
    slices: tuple[Slice, ...]
    digest: str
    identity: Mapping[str, str]
    burned_in: bool = False
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.slices) != self.grid.shape[2]:
            raise InputError(
                "series",
                expected=f"{self.grid.shape[2]} slices, as its volume",
                got=f"{len(self.slices)}",
                advice="read it again",
            )

    @property
    def grid(self) -> Grid:
        """Where the voxels lie [mm, RAS]."""
        return self.volume.grid

    def patient_points(self, index: np.ndarray, position: int) -> np.ndarray:
        """Points of one slice as DICOM has them, measured from the position that the slice itself states.

        Args:
            index: fractional (column, row) of points, shape (n, 2).
            position: number of the slice.

        Returns:
            Shape (n, 3) [mm, LPS].
        """
        along_row, along_column = np.reshape(self.orientation, (2, 3))
        between_rows, between_columns = self.pixel_spacing
        steps = np.stack([along_row * between_columns, along_column * between_rows])
        return np.asarray(self.slices[position].position) + np.asarray(index, dtype=np.float64) @ steps


def read_series(folder: Path | str) -> Series:
    """Read the one MR or CT series in a folder.

    Args:
        folder: holds the files of the series; subfolders are not searched.

    Returns:
        The series; RescaleSlope and RescaleIntercept are applied, image by image.

    Raises:
        InputError: as `read_headers`, or the images differ in study, frame of reference, size, orientation or pixel
            spacing, don't lie behind each other at even distances, or hold no readable pixels.
    """
    folder = Path(folder)
    label = series_label(folder)
    headers = read_headers(folder)
    require_alike(headers, label)
    first = headers[0]
    orientation = orthonormal(first.orientation, label)
    require_spacing(first.pixel_spacing, "pixel spacing", label)
    headers, step = stack(headers, orientation, label)
    rows, columns = first.size
    grid = Grid((columns, rows, len(headers)), affine_of(headers, orientation, step))
    data = np.empty(grid.shape, dtype=np.float32)
    digest = hashlib.sha256()
    for index, header in enumerate(headers):
        content = header.path.read_bytes()
        digest.update(hashlib.sha256(content).digest())
        data[:, :, index] = _pixels(content, file_in(label, header.path), header.size).T
    return Series(
        volume=Volume(data, grid),
        modality=first.modality,
        study_uid=first.uids["StudyInstanceUID"],
        series_uid=first.uids["SeriesInstanceUID"],
        frame_uid=first.uids["FrameOfReferenceUID"],
        orientation=tuple(orientation.ravel().tolist()),
        pixel_spacing=(float(first.pixel_spacing[0]), float(first.pixel_spacing[1])),
        slices=tuple(_slice(header) for header in headers),
        digest=digest.hexdigest(),
        identity=dict(first.identity),
        burned_in=any(header.burned_in for header in headers),
        warnings=gap_warning(headers, step),
    )


def _pixels(content: bytes, subject: str, size: tuple[int, int]) -> np.ndarray:
    """Rescaled values of one image, shape (rows, columns), float32."""
    with refusing_damage(subject):
        dataset = pydicom.dcmread(io.BytesIO(content))
        if "PixelData" not in dataset:
            raise InputError(subject, expected="an image", got="no pixel data", advice="export the series with images")
        if dataset.get("SamplesPerPixel", 1) != 1 or dataset.get("PhotometricInterpretation") != "MONOCHROME2":
            raise InputError(
                subject,
                expected="gray values (MONOCHROME2)",
                got=quoted(dataset, "PhotometricInterpretation"),
                advice="export the original series",
            )
        slope, intercept = (_number(dataset, f"Rescale{name}", default) for name, default in _RESCALING)
        values = dataset.pixel_array.astype(np.float32) * np.float32(slope) + np.float32(intercept)
    if values.shape != size or slope == 0 or not np.isfinite(values).all():
        raise InputError(
            subject,
            expected=f"{size[0]}x{size[1]} finite values",
            got=f"{values.shape[0]}x{values.shape[1]}, rescaled by {slope:g} and {intercept:g}",
            advice="export or copy the series again",
        )
    return values


def _number(dataset: pydicom.Dataset, name: str, default: float) -> float:
    value = dataset.get(name)
    return default if value in (None, "") else float(value)


def _slice(header: Header) -> Slice:
    x, y, z = header.position.tolist()
    return Slice(header.uids["SOPClassUID"], header.uids["SOPInstanceUID"], (x, y, z))
