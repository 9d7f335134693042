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
    found = [visit for visits in _visits_by_place(folder).values() for visit in visits]
    names = [path.name for path in found]
    if not found or len(set(names)) < len(names):
        got = "none" if not found else f"two that are called {max(names, key=names.count)}"
        raise _not_laid_out(folder, got)
    return found


def list_patients(folder: Path, *, empty: bool = False) -> dict[str, list[Path]]:
    """Folders of visits in the order of their names, by patient: those in one folder, or of one name but for a number.

    Args:
        folder: of the patients, each in a folder of its own, or their visits side by side.
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
    found = {}
    for place in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        inner = [place] if _has_images(place) else sorted(p for p in place.iterdir() if p.is_dir() and _has_images(p))
        found[place] = inner
    return found


def _not_laid_out(folder: Path, got: str) -> InputError:
    return InputError(
        f"folder {printable(folder.name)}",
        expected="a folder for each patient, with t1, t1c, t2, flair and seg",
        got=got,
        advice="lay them out as BraTS does",
    )


def _has_images(folder: Path) -> bool:
    """Whether a folder is a visit's; a recurrence alone, or the truth of a digital patient, doesn't make it one."""
    names = (path.name for path in folder.iterdir() if folder.name != TRUTH)
    return any(name.lower().endswith((".nii", ".nii.gz")) and not is_recurrence(name) for name in names)
