"""A DICOM series to a NIfTI file with a sidecar: composition only."""

from pathlib import Path

from gliocast.core import InputError, Monitor, Silence
from gliocast.data import whole_folder, write_json, write_volume
from gliocast.data.dicom import Series, read_series
from gliocast.data.folders import printable
from gliocast.data.sidecar import sidecar

_ENDING = ".nii.gz"


def convert_series(folder: Path, out: Path, *, keep_identity: bool = False, monitor: Monitor | None = None) -> Series:
    """Write the one series in a folder as NIfTI, and beside it what NIfTI has no place for, as JSON.

    Args:
        folder: holds the DICOM files.
        out: file to write, ends in .nii.gz; the sidecar has the same name and ends in .json.
        keep_identity: whether the sidecar names the patient and the day.
        monitor: told of the stages, and of warnings.

    Returns:
        The series.

    Raises:
        InputError: as `read_series`, or the series says that its pixels show text and no identity is to be kept.
    """
    monitor = monitor or Silence()
    if not out.name.endswith(_ENDING) or out.name == _ENDING:
        raise InputError(
            "output", expected="a name that ends in .nii.gz", got=printable(out.name) or "nothing", advice="rename it"
        )
    with whole_folder(out.parent) as stage:
        monitor.begin("read")
        series = read_series(folder)
        if series.burned_in and not keep_identity:
            raise InputError(
                "series",
                expected="pixels that name nobody",
                got="text burned into them, as BurnedInAnnotation says",
                advice="export the original series, or pass --keep-identity if the scan may show it",
            )
        for warning in series.warnings:
            monitor.note(f"WARNING: {warning}")
        monitor.begin("write")
        write_volume(stage / out.name, series.volume.data, series.grid)
        write_json(stage / sidecar_path(out).name, sidecar(series, keep_identity=keep_identity))
    return series


def sidecar_path(image: Path) -> Path:
    """Where the sidecar of a NIfTI file lies."""
    return image.with_name(image.name.removesuffix(_ENDING) + ".json")
