"""Folders of many patients, as BraTS and `gliocast cohort simulate` lay them out."""

from pathlib import Path

from gliocast.core import InputError
from gliocast.data.folders import printable


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


def _has_images(folder: Path) -> bool:
    return any(path.name.lower().endswith((".nii", ".nii.gz")) for path in folder.iterdir())
