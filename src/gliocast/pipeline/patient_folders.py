"""Folders of many patients, as BraTS, BIDS and `gliocast cohort simulate` lay them out."""

import re
from pathlib import Path

from gliocast.core import InputError
from gliocast.data.bids import ANATOMICAL
from gliocast.data.folders import is_recurrence, printable
from gliocast.data.results import DESCRIPTION
from gliocast.segmentation.split import patient_of

#: The folder of what no scan shows, in a digital patient's (or a visit's) own.
TRUTH = "truth"

#: Folders of a BIDS dataset that hold a subject, and of a subject that hold a session.
_SUBJECT, _SESSION = re.compile(r"sub-[A-Za-z0-9]+"), re.compile(r"ses-[A-Za-z0-9]+")


def list_visits(folder: Path) -> list[Path]:
    """Folders that hold a visit's images, by name: those in a folder, one further down, or of a BIDS dataset.

    Raises:
        InputError: there is no such folder, there are none in it, or two have one name (`visit_name`).
    """
    found = [visit for visits in _visits_by_place(folder).values() for visit in visits]
    names = [visit_name(path) for path in found]
    if not found or len(set(names)) < len(names):
        got = "none" if not found else f"two that are called {printable(max(names, key=names.count))}"
        raise _not_laid_out(folder, got)
    return found


def visit_name(visit: Path) -> str:
    """What a visit is called: as its folder, or in BIDS, where sessions of all subjects are called alike, with both."""
    subject = visit.parent.name
    in_bids = _SESSION.fullmatch(visit.name) and _SUBJECT.fullmatch(subject)
    return f"{subject}_{visit.name}" if in_bids else visit.name


def list_patients(folder: Path, *, empty: bool = False) -> dict[str, list[Path]]:
    """Folders of visits in the order of their names, by patient: those in one folder, or of one name but for a number.

    Args:
        folder: of the patients, each in a folder of its own, or their visits side by side; or a BIDS dataset, in which
            only subjects are patients, with a visit in each session (or, without sessions, one of their own).
        empty: whether folders that hold no visit are patients, too, of whom something went missing.

    Raises:
        InputError: there is no such folder, or no visit in it.
    """
    patients: dict[str, list[Path]] = {}
    for place, visits in _visits_by_place(folder).items():
        if visits or empty:
            name = patient_of(place.name) if visits == [place] else place.name
            patients.setdefault(name, []).extend(visits)
    if not any(patients.values()):
        raise _not_laid_out(folder, "none")
    return patients


def _visits_by_place(folder: Path) -> dict[Path, list[Path]]:
    """Folders in a folder, by name, with those of visits in each of them, which may be itself."""
    if not folder.is_dir():
        raise InputError(
            f"folder {printable(folder.name or str(folder))}",
            expected="a folder of patients",
            got="none",
            advice="check the path",
        )
    found = _folders_in(folder)
    if (folder / DESCRIPTION).is_file():
        found = [place for place in found if _SUBJECT.fullmatch(place.name)]
    return {place: _visits_in(place) for place in found}


def _visits_in(place: Path) -> list[Path]:
    """Folders of visits in a folder: itself where it holds scans, as BIDS or gliocast has it, or those in it."""
    if _has_images(place):
        return [place]
    sessions = [path for path in _folders_in(place) if _SESSION.fullmatch(path.name)]
    in_bids = [path for path in (place, *sessions) if _has_images(path / ANATOMICAL)]
    return in_bids or [path for path in _folders_in(place) if _has_images(path)]


def _folders_in(folder: Path) -> list[Path]:
    """By name, without hidden ones."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))


def _not_laid_out(folder: Path, got: str) -> InputError:
    return InputError(
        f"folder {printable(folder.name)}",
        expected="a folder for each patient, with t1, t1c, t2, flair and seg",
        got=got,
        advice="lay them out as BraTS or BIDS does",
    )


def _has_images(folder: Path) -> bool:
    """Whether a folder is a visit's; a recurrence alone, or the truth of a digital patient, doesn't make it one."""
    names = (path.name for path in folder.iterdir()) if folder.is_dir() and folder.name != TRUTH else ()
    return any(name.lower().endswith((".nii", ".nii.gz")) and not is_recurrence(name) for name in names)
