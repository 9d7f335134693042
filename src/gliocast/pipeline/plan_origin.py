"""What targets were made of: density and segmentation, and traces of the scans behind both."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gliocast.core import InputError, Visit
from gliocast.data import file_hash, find_results, read_table
from gliocast.data.likeness import fingerprint, likeness
from gliocast.data.results import PLAN
from gliocast.data.sidecar import read_sidecar


@dataclass(frozen=True)
class Origin:
    """What targets were made of.

    Args:
        density: SHA-256 of the image of the tumor-cell density.
        segmentation: SHA-256 of the tumor segmentation's; None where it isn't known.
        scans: fingerprints of the scans behind them by modality; none where they aren't known.
        frames: UIDs of the frames of reference that sidecars beside those scans name; none where nothing does.
    """

    density: str
    segmentation: str | None = None
    scans: Mapping[str, str] = field(default_factory=dict)
    frames: tuple[str, ...] = ()

    def likeness(self, scans: Mapping[str, str]) -> float | None:
        """How alike the scans are to others by fingerprint, best of all pairs; None where nothing can be compared."""
        pairs = (likeness(own, other) for own in self.scans.values() for other in scans.values())
        return max((found for found in pairs if found is not None), default=None)


def origin_of(visit: Visit, density: Path, segmentation: Path | None) -> Origin:
    """Of targets from the segmentation of a visit, if it lies anywhere, and a density that was found from its scans."""
    return Origin(file_hash(density), _hash(segmentation), fingerprints(visit), _frames(visit))


def fingerprints(visit: Visit) -> dict[str, str]:
    """Of the scans of a visit by modality, as far as they show its brain."""
    return {name: fingerprint(scan.volume, visit.brain) for name, scan in visit.scans.items()}


def _frames(visit: Visit) -> tuple[str, ...]:
    """What sidecars of `gliocast convert` beside the scans of a visit say; others, and of another grid, say nothing."""
    found = set()
    for path in (scan.path for scan in visit.scans.values() if scan.path is not None):
        try:
            beside = read_sidecar(path.with_name(path.name.removesuffix(".gz").removesuffix(".nii") + ".json"))
        except InputError:
            continue
        if beside.grid == visit.grid:
            found.add(beside.frame_uid)
    return tuple(sorted(found))


def find_origin(density: Path, segmentation: Path | None = None) -> Origin:
    """Of targets from files: their scans are known if `plan.json` beside the density is about those very files.

    Args:
        density: of tumor cells, from which the model's targets are.
        segmentation: from which GTV and standard CTV are; None for the density alone, whatever was segmented.
    """
    own = Origin(file_hash(density), _hash(segmentation))
    beside = read_origin(density.parent)
    if beside is None or beside.density != own.density:
        return own
    if segmentation is None or beside.segmentation == own.segmentation:
        return beside
    return replace(own, frames=beside.frames)


def strangers(density: Path, segmentation: Path, others: Mapping[str, Path | None]) -> tuple[str, ...]:
    """What is said of files that aren't those which belong to a density: they may be of two patients, on one grid.

    Args:
        density: of tumor cells; `plan.json` beside it tells its segmentation, if it is about that very density.
        segmentation: to plan on. One that was edited since the fit is another one, too.
        others: images by plain name, such as ``white_matter``, that may lie beside the density under the same names;
            None for one that isn't used.

    Returns:
        A sentence for the segmentation, and one for all others together; none where nothing is known or all is well.
    """
    found, beside = [], read_origin(density.parent)
    known = beside.segmentation if beside is not None and beside.density == file_hash(density) else None
    if known is not None and known != file_hash(segmentation):
        found.append(
            "the segmentation isn't the one that the density was fitted to: make sure that it was edited since, and "
            "isn't another patient's"
        )
    names = [name for name, path in others.items() if path is not None and _is_another(density, name, path)]
    if names:
        are = "isn't the one that lies" if len(names) == 1 else "aren't those that lie"
        found.append(f"{', '.join(names)} {are} beside the density: make sure that all are of one patient")
    return tuple(found)


def _is_another(density: Path, name: str, path: Path) -> bool:
    """Whether a file of this name lies beside a density, and it is another one."""
    try:
        own = find_results(density.parent).path(f"{name}.nii.gz")
        return own.is_file() and not own.samefile(path) and file_hash(own) != file_hash(path)
    except (OSError, InputError):
        return False


def _hash(path: Path | None) -> str | None:
    return None if path is None else file_hash(path)


def read_origin(folder: Path) -> Origin | None:
    """What the targets of a folder were made of, in either layout; None where it doesn't say."""
    try:
        content = read_table(find_results(folder).path(PLAN))
        scans = {str(name): text for name, text in content["scans"].items() if isinstance(text, str)}
        segmentation = content.get("segmentation")  # older versions didn't write it
        frames = tuple(uid for uid in content.get("frames", ()) if isinstance(uid, str))
        return Origin(str(content["density"]), segmentation if isinstance(segmentation, str) else None, scans, frames)
    except (OSError, InputError, ValueError, KeyError, TypeError, AttributeError):
        return None
