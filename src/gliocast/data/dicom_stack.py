"""How the images of a DICOM series lie behind each other; refused unless they make up one regular grid."""

import numpy as np

from gliocast.core import InputError
from gliocast.data.dicom_files import Header, file_in
from gliocast.data.nifti import SPACING_RANGE

#: World coordinates RAS of those of DICOM, LPS.
RAS_FROM_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

#: How far a slice may lie from where even spacing puts it [mm]: files round positions, to 0.01 mm at worst.
POSITION_TOLERANCE = 0.05
#: How far direction cosines may be from each other and from orthonormal [1]: a tenth of a millimeter over a head.
COSINE_TOLERANCE = 5e-4
#: Relative difference of pixel spacings that isn't one [1].
SPACING_TOLERANCE = 1e-4
#: A slice distance above this share of the slice thickness leaves tissue unseen [1].
GAP_SHARE = 1.05


def require_alike(headers: list[Header], label: str) -> None:
    """Raise InputError unless all images are of one kind and could lie in one volume."""
    first = headers[0]
    for other in headers[1:]:
        differing = [
            what
            for what, differs in (
                ("modality", other.modality != first.modality),
                ("patient", other.identity.get("PatientID") != first.identity.get("PatientID")),
                ("study", other.uids["StudyInstanceUID"] != first.uids["StudyInstanceUID"]),
                ("frame of reference", other.uids["FrameOfReferenceUID"] != first.uids["FrameOfReferenceUID"]),
                ("size", other.size != first.size),
                ("orientation", np.abs(other.orientation - first.orientation).max() > COSINE_TOLERANCE),
                ("pixel spacing", not np.allclose(other.pixel_spacing, first.pixel_spacing, rtol=SPACING_TOLERANCE)),
            )
            if differs
        ]
        if differing:
            raise InputError(
                label,
                expected="images of one patient, size, orientation and frame of reference",
                got=f"another {' and '.join(differing)} in {file_in('file', other.path)}",
                advice="leave out localizers, reformatted images and those of others",
            )
    names = {header.uids["SOPInstanceUID"] for header in headers}
    if len(names) < len(headers):
        raise InputError(
            label,
            expected="each image once",
            got=f"{len(headers)} files of {len(names)} images",
            advice="remove the copies",
        )


def orthonormal(orientation: np.ndarray, label: str) -> np.ndarray:
    """Row and column directions, shape (2, 3) [LPS], without what the file rounded."""
    row, column = orientation.reshape(2, 3)
    error = max(abs(np.linalg.norm(row) - 1), abs(np.linalg.norm(column) - 1), abs(row @ column))
    if error > COSINE_TOLERANCE:
        raise InputError(
            label,
            expected="rows and columns at right angles, as direction cosines",
            got="\\".join(f"{value:g}" for value in orientation),
            advice="export the series again",
        )
    row = row / np.linalg.norm(row)
    column = column - (column @ row) * row
    return np.stack([row, column / np.linalg.norm(column)])


def stack(headers: list[Header], orientation: np.ndarray, label: str) -> tuple[list[Header], float]:
    """Headers along the normal of the images, and the distance between slices [mm].

    Raises:
        InputError: fewer than two images, two at one place, a gap, or images that aren't behind each other.
    """
    normal = np.cross(*orientation)
    headers = sorted(headers, key=lambda header: float(header.position @ normal))
    if len(headers) < 2:
        raise InputError(label, expected="at least two slices", got="one", advice="export the whole series")
    offsets = np.array([header.position @ normal for header in headers])
    steps = np.diff(offsets)
    step = float(np.median(steps))
    if steps.min() < POSITION_TOLERANCE:
        pair = int(np.argmin(steps))
        a, b = (file_in("file", headers[pair + side].path) for side in (0, 1))
        raise InputError(
            label,
            expected="one image at each position",
            got=f"two at one, {a} and {b}, {np.count_nonzero(steps < POSITION_TOLERANCE)} times",
            advice="keep one echo, one b-value, one time point",
        )
    if np.abs(steps - step).max() > POSITION_TOLERANCE:
        wide = int(np.argmax(np.abs(steps - step)))
        raise InputError(
            label,
            expected=f"slices {step:.3g} mm apart without gaps",
            got=f"{steps[wide]:.3g} mm between slices {wide + 1} and {wide + 2} of {len(headers)}",
            advice="export the missing slices",
        )
    step = float(offsets[-1] - offsets[0]) / (len(headers) - 1)
    require_spacing(np.array([step]), "distance between slices", label)
    even = headers[0].position + np.arange(len(headers))[:, None] * step * normal
    drift = np.linalg.norm(np.array([header.position for header in headers]) - even, axis=1)
    if drift.max() > POSITION_TOLERANCE + COSINE_TOLERANCE * float(offsets[-1] - offsets[0]):
        raise InputError(
            label,
            expected="slices straight behind each other",
            got=f"one shifted by {drift.max():.3g} mm (a tilted gantry?)",
            advice="resample it to a series without tilt first",
        )
    return headers, step


def affine_of(headers: list[Header], orientation: np.ndarray, step: float) -> np.ndarray:
    """From (column, row, slice) to world coordinates [mm, RAS], shape (4, 4)."""
    row, column = orientation
    between_rows, between_columns = headers[0].pixel_spacing
    affine = np.eye(4)
    affine[:3, :3] = np.stack([row * between_columns, column * between_rows, np.cross(row, column) * step], axis=1)
    affine[:3, 3] = headers[0].position
    return RAS_FROM_LPS @ affine


def require_spacing(spacing: np.ndarray, what: str, label: str) -> None:
    """Raise InputError unless all distances [mm] are those of a brain scan."""
    lower, upper = SPACING_RANGE
    if not ((spacing >= lower) & (spacing <= upper)).all():
        raise InputError(
            label,
            expected=f"a {what} between {lower:g} and {upper:g} mm",
            got=" x ".join(f"{value:.3g}" for value in spacing),
            advice="export the series again",
        )


def gap_warning(headers: list[Header], step: float) -> tuple[str, ...]:
    """A word where slices may be missing although they are evenly spaced, such as every other one or the first."""
    thickness, stated = headers[0].thickness, headers[0].stated_step
    if thickness is not None and 0 < thickness < step / GAP_SHARE:
        return (f"slices are {thickness:.3g} mm thick and {step:.3g} mm apart: are all of them there?",)
    if stated is not None and 0 < stated < step / GAP_SHARE:
        return (f"slices are {step:.3g} mm apart, and {stated:.3g} mm by their headers: are all of them there?",)
    numbers = {header.number for header in headers} - {None}
    if len(numbers) == len(headers):
        first, last = (int(end(number for number in numbers if number is not None)) for end in (min, max))
        if first > 1 or last - first >= len(headers):
            return (f"{len(headers)} images are numbered from {first} to {last}: are all of them there?",)
    return ()
