"""Targets and densities of a results folder to DICOM, on the series that is planned on: composition only."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from gliocast.core import InputError, Monitor, Silence, Volume
from gliocast.data import Results, file_hash, find_results, read_integers, read_table, read_volume, whole_file
from gliocast.data.dicom import Series, read_series
from gliocast.data.dicom_images import Segment, write_parametric_map, write_segmentation
from gliocast.data.folders import printable
from gliocast.data.likeness import ALIKE, fingerprint
from gliocast.data.placement import place, place_mask
from gliocast.data.results import DENSITY, PLAN
from gliocast.data.sidecar import read_sidecar
from gliocast.pipeline.maps import require_fractions
from gliocast.pipeline.plan_origin import Origin, find_origin, read_origin
from gliocast.planning.caution import smaller_structure
from gliocast.planning.contours import LEVEL
from gliocast.planning.rtstruct import Outlined, roi_kind, roi_name, write_rtstruct

#: Files that are targets: what `gliocast plan` and `gliocast run` write, and others named alike.
_TARGET_FILE = re.compile(r"((?:gtv|ctv|ptv)(?:_\w+)?)\.nii\.gz")

#: What is left to a person where nothing else can tell.
_MAKE_SURE = "make sure that the series shows that patient, and look at the targets on it before anything else"

#: What nothing said.
_NO_FRAME = (
    "it isn't known in which frame of reference the targets lie, for no sidecar of `gliocast convert` lay beside the "
    "scans: their grid is that of the series, and no more can be told"
)

#: Relative difference between the volume of a mask and that between its contours worth a word [1].
_NOTABLE = 0.05


@dataclass(frozen=True)
class Export:
    """What to bring where.

    Args:
        plan: folder that `gliocast plan` or `gliocast run` wrote, in either layout.
        series: folder with the DICOM series.
        out: file to write.
        planned_on: sidecar of the scan that was planned on where that isn't the series; its frame of reference has to
            be that of the series, and what lies in the folder is interpolated.
        keep_identity: whether name, identifiers and dates of the series are copied.
        other_scan: whether it is known that the series is none of the scans that were planned on, such as a CT, and
            shows the same patient in the same place.
        monitor: told of the stages, and of warnings.
    """

    plan: Path
    series: Path
    out: Path
    planned_on: Path | None = None
    keep_identity: bool = False
    other_scan: bool = False
    monitor: Monitor = field(default_factory=Silence)


def export_rtstruct(request: Export) -> tuple[Outlined, ...]:
    """Write all targets of a folder as an RT Structure Set.

    Raises:
        InputError: no target, an empty one, one on another grid or frame, or beyond the series; a series that
            `read_series` refuses, or that looks like none of the scans that were planned on.
    """
    with _opened(request) as (series, path):
        masks, sizes = _placed_targets(request, series)
        doubts = _doubts(request, read_origin(request.plan), series)
        request.monitor.begin("write")
        cautions = _smaller(sizes)
        drawn = write_rtstruct(path, masks, series, keep_identity=request.keep_identity, cautions=cautions)
    _warn(request, *doubts, *_cautions(request.plan))
    for structure in drawn:
        size = sizes[structure.name]
        if abs(structure.contour_ml - size) > _NOTABLE * size:
            _warn(
                request,
                f"{structure.name} measures {size:.3g} ml, its contours {structure.contour_ml:.3g} ml: "
                "the series is coarse for it",
            )
    return drawn


def export_segmentation(request: Export) -> tuple[str, ...]:
    """Write all targets of a folder as a DICOM Segmentation, and return their names; raises as `export_rtstruct`."""
    with _opened(request) as (series, path):
        masks, sizes = _placed_targets(request, series)
        doubts = _doubts(request, read_origin(request.plan), series)
        cautions = _smaller(sizes)
        segments = [
            Segment(name, roi_kind(name), Volume(placed.data > LEVEL, series.grid), cautions.get(name))
            for name, placed in masks.items()
        ]
        request.monitor.begin("write")
        write_segmentation(path, segments, series, keep_identity=request.keep_identity)
    _warn(request, *doubts, *_cautions(request.plan))
    return tuple(segment.name for segment in segments)


def export_density(request: Export) -> None:
    """Write the density of a folder as a DICOM Parametric Map; raises as `export_rtstruct`."""
    with _opened(request) as (series, path):
        file = find_results(request.plan).path(DENSITY)
        density = read_volume(file, "density")
        require_fractions(density, "density")
        placed = place(density, series, "density", frame_uid=_frame(request, density, "density"))
        doubts = _doubts(request, find_origin(file), series)
        request.monitor.begin("write")
        limited = Volume(np.clip(placed.data, 0, 1), placed.grid)
        write_parametric_map(path, limited, series, keep_identity=request.keep_identity)
    _warn(request, *doubts)


@contextmanager
def _opened(request: Export) -> Iterator[tuple[Series, Path]]:
    """The series, and where to write to while all goes well."""
    if not request.out.name.endswith(".dcm"):
        raise InputError(
            "output",
            expected="a name that ends in .dcm",
            got=printable(request.out.name) or "nothing",
            advice="rename it",
        )
    with whole_file(request.out) as path:
        request.monitor.begin("read")
        series = read_series(request.series)
        _warn(request, *series.warnings)
        yield series, path


def _placed_targets(request: Export, series: Series) -> tuple[dict[str, Volume], dict[str, float]]:
    """By name the targets on the series, and how large they were planned [ml]."""
    masks, sizes = {}, {}
    for name, mask, placed in _targets(request, series):
        masks[name], sizes[name] = placed, float(np.count_nonzero(mask.data)) * mask.grid.voxel_ml
    return masks, sizes


def _smaller(sizes: Mapping[str, float]) -> dict[str, str]:
    """What is said of structures smaller than the guideline's; sizes are those planned [ml], not another grid's."""
    return {name: sentence for name in sizes if (sentence := smaller_structure(name, sizes)) is not None}


def _targets(request: Export, series: Series) -> Iterator[tuple[str, Volume, Volume]]:
    """Name, mask and mask on the series of each target of the folder, GTV before CTV before PTV."""
    found: set[str] = set()
    results = find_results(request.plan)
    for file in _target_files(results):
        target = file.removesuffix(".nii.gz")
        name = roi_name(target)
        roi_kind(name)
        if name.casefold() in found:
            raise InputError(
                f"folder {printable(request.plan.name)}",
                expected="targets whose structures have different names",
                got=f"two {name}",
                advice="move one elsewhere",
            )
        found.add(name.casefold())
        mask = _mask(results.path(file), target)
        yield name, mask, place_mask(mask, series, target, frame_uid=_frame(request, mask, target))


def _target_files(results: Results) -> list[str]:
    """Plain names of the targets' files, GTV before CTV before PTV."""
    label = f"folder {printable(results.folder.name or str(results.folder))}"
    try:
        files = [name for name in results.images() if _TARGET_FILE.fullmatch(name)]
    except OSError as error:
        raise InputError(
            label,
            expected="a folder with targets",
            got=printable(error.strerror or str(error)),
            advice="check the path",
        ) from error
    if not files:
        raise InputError(
            label,
            expected="targets such as gtv.nii.gz and ctv_model.nii.gz",
            got="none",
            advice="name the folder that plan or run wrote",
        )
    if results.path(PLAN).is_file():
        files = _planned_files(results, label)
    return sorted(files, key=lambda name: ("gtv", "ctv", "ptv").index(name[:3]))


def _planned_files(results: Results, label: str) -> list[str]:
    """Targets of the plan that was written last; what an earlier one left is none of them.

    Raises:
        InputError: the list can't be read, or a target isn't as it was written.
    """
    try:
        listed = dict(read_table(results.path(PLAN))["files"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            label, expected=f"{PLAN} with a list of files", got="none", advice="plan again with this version"
        ) from error
    files = []
    for name, digest in listed.items():
        file = results.plain(name)
        path = results.folder / name
        if file is None or not _TARGET_FILE.fullmatch(file) or not path.is_file() or file_hash(path) != digest:
            raise InputError(
                label,
                expected=f"{printable(name)} as {PLAN} has it",
                got="another file or none",
                advice="plan again, into an empty folder",
            )
        files.append(file)
    return files


def _mask(path: Path, target: str) -> Volume:
    volume = read_integers(path, target)
    low, high = int(volume.data.min()), int(volume.data.max())
    if low < 0 or high > 1:
        raise InputError(
            target, expected="a mask of 0 and 1", got=f"{low} to {high}", advice="pass one target per file"
        )
    return Volume(volume.data > 0, volume.grid)


def _frame(request: Export, volume: Volume, subject: str) -> str | None:
    """The frame of reference that what was planned lies in, where a sidecar says so."""
    if request.planned_on is None:
        return None
    beside = read_sidecar(request.planned_on)
    beside.grid.require_same(volume.grid, subject)
    return beside.frame_uid


def _doubts(request: Export, origin: Origin | None, series: Series) -> list[str]:
    """All that speaks against that the series shows the patient of the plan in the same place.

    Raises:
        InputError: it lies in another frame of reference, or looks like none of the scans.
    """
    frames = () if origin is None else origin.frames
    if frames and series.frame_uid not in frames:
        raise InputError(
            "series",
            expected="the frame of reference of the scans that were planned on",
            got="another",
            advice="pass the series that was planned on, or register the scans and plan again",
        )
    doubt = _doubt(request, origin, series)
    if doubt is not None:
        return [doubt]
    return [] if frames or request.planned_on is not None else [_NO_FRAME]


def _doubt(request: Export, origin: Origin | None, series: Series) -> str | None:
    """What speaks against that the series, or the scan that was planned on, is one of the scans behind the plan.

    That grids agree says little: two patients who were scanned by one protocol have the same.

    Returns:
        A sentence, also where nothing is known of those scans; None where it looks like one of them.

    Raises:
        InputError: it looks like none of them, and isn't said to be another scan.
    """
    what, shown = "series", fingerprint(series.volume)
    if request.planned_on is not None:
        what, beside = "sidecar", read_sidecar(request.planned_on)
        shown = beside.fingerprint or ""
    alike = None if origin is None else origin.likeness({what: shown})
    if alike is None:
        return f"it isn't known which scans were planned on: {_MAKE_SURE}"
    if alike >= ALIKE:
        return None
    if not request.other_scan:
        raise InputError(
            what,
            expected="one of the scans that were planned on",
            got=f"an image that looks like none of them (correlation {alike:.2f}; theirs is above {ALIKE:g})",
            advice="pass the series of that patient, or --other-scan if it is, such as a CT",
        )
    return f"the {what} looks like none of the scans that were planned on: {_MAKE_SURE}"


def _cautions(plan: Path) -> tuple[str, ...]:
    """What a plan says must be read before its targets are used."""
    try:
        found = read_table(find_results(plan).path(PLAN))["warnings"]
    except (OSError, ValueError, KeyError, TypeError):
        return ()
    return tuple(printable(str(sentence)) for sentence in found) if isinstance(found, list) else ()


def _warn(request: Export, *sentences: str | None) -> None:
    for sentence in filter(None, sentences):
        request.monitor.note(f"WARNING: {sentence}")
