"""Folders of many patients, as BraTS and `gliocast cohort simulate` lay them out."""

from pathlib import Path

from gliocast.core import InputError
from gliocast.data.folders import is_recurrence, printable
from gliocast.segmentation.split import patient_of

#: The folder of what no scan shows, in a digital patient's (or a visit's) own.
TRUTH = "truth"


def list_visits(folder: Path) -> list[Path]:
    """Folders that hold a visit's images: those in a folder, or one further down, by name.

    Raises:
        InputError: there is no such folder, there are none in it, or two have one name.
    """
    if not folder.is_dir():
        raise InputError(
            f"folder {printable(folder.name or str(folder))}",
            expected="a folder of patients",
            got="none",
            advice="check the path",
        )
    found: list[Path] = []
    for place in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        visits = [place] if _has_images(place) else sorted(p for p in place.iterdir() if p.is_dir() and _has_images(p))
        found += visits
    names = [path.name for path in found]
    if not found or len(set(names)) < len(names):
        raise InputError(
            f"folder {printable(folder.name)}",
            expected="a folder for each patient, with t1, t1c, t2, flair and seg",
            got="none" if not found else f"two that are called {max(names, key=names.count)}",
            advice="lay them out as BraTS does",
        )
    return found


def list_patients(folder: Path) -> dict[str, list[Path]]:
    """Folders of visits in the order of their names, by patient: those in one folder, or of one name but for a number.

    Raises:
        InputError: as `list_visits`.
    """
    patients: dict[str, list[Path]] = {}
    for visit in list_visits(folder):
        name = patient_of(visit.name) if visit.parent == folder else visit.parent.name
        patients.setdefault(name, []).append(visit)
    return patients


def _has_images(folder: Path) -> bool:
    """Whether a folder is a visit's; a recurrence alone, or the truth of a digital patient, doesn't make it one."""
    names = (path.name for path in folder.iterdir() if folder.name != TRUTH)
    return any(name.lower().endswith((".nii", ".nii.gz")) and not is_recurrence(name) for name in names)
