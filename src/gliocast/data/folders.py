"""Which file of a patient's folder is which scan."""

import re
from collections.abc import Mapping
from pathlib import Path

from gliocast.core import MODALITIES, InputError

#: How public data sets end the names of their files, in lower case: BraTS 2018-2021, BraTS 2023 and later, BIDS, plain.
ENDINGS: Mapping[str, tuple[str, ...]] = {
    "t1": ("t1", "t1w", "t1n"),
    "t1c": ("t1c", "t1ce", "t1gd"),
    "t2": ("t2", "t2w"),
    "flair": ("flair", "t2f"),
    "seg": ("dseg", "seg"),
}

#: BIDS calls the T1 with contrast agent a T1w, too, and names the agent: ``sub-01_ce-gadolinium_T1w``.
_CONTRAST_AGENT = re.compile(r"_ce-[a-z0-9]+_(.+_)?t1w$")

#: Where a BIDS dataset keeps scans like these: in the folder of a subject, or of a session in it.
_BIDS_SCANS, _BIDS_SESSION = "anat", re.compile(r"ses-[A-Za-z0-9]+")

#: File names quoted in an error message, so that it stays one readable line.
MAX_NAMES = 8


def printable(text: str) -> str:
    """The text with line breaks, control characters and undecodable bytes shown as "?", fit for one line."""
    return "".join(character if character.isprintable() else "?" for character in text)


def find_files(folder: Path | str, *, segmented: bool = True) -> dict[str, Path]:
    """Find the four scans and the segmentation of a patient.

    Names are recognized by what follows their last underscore, hyphen or dot, in any case: ``BraTS20_001_t1ce.nii``,
    ``BraTS-GLI-00001-000-t2f.nii.gz``, ``sub-01_ce-gadolinium_T1w.nii.gz``, ``flair.nii.gz``.

    Args:
        folder: holds one patient's files; subfolders are not searched, unless this is the folder of a subject or
            session of a BIDS dataset, whose files lie in ``anat``.
        segmented: whether there must be a segmentation.

    Returns:
        Paths by ``t1``, ``t1c``, ``t2``, ``flair`` and, where there is one, ``seg``.

    Raises:
        InputError: the folder can't be listed, a file is missing, two files claim to be the same scan, or a subject has
            several sessions.
    """
    folder = scans_folder(Path(folder))
    subject = f"folder {printable(folder.name or str(folder))}"
    names = _list_images(folder)
    found: dict[str, list[Path]] = {key: [] for key in (*MODALITIES, "seg")}
    for path in names:
        key = _recognize(path.name)
        if key is not None:
            found[key].append(path)
    for key, paths in found.items():
        if len(paths) > 1:
            raise InputError(
                subject,
                expected=f"one {key} file",
                got=" and ".join(printable(path.name) for path in paths),
                advice="move all but one elsewhere, or name the files one by one",
            )
    missing = [key for key, paths in found.items() if not paths and (segmented or key != "seg")]
    if missing:
        raise InputError(
            subject,
            expected=f"t1, t1c, t2{', flair and seg' if segmented else ' and flair'} as .nii or .nii.gz",
            got=f"no {', '.join(missing)} among {_quote(names)}",
            advice=f"add the missing {'file' if len(missing) == 1 else 'files'} or rename as in BraTS, "
            + ", ".join(f"*_{ENDINGS[key][-1]}.nii.gz" for key in missing),
        )
    return {key: paths[0] for key, paths in found.items() if paths}


def find_segmentation(folder: Path) -> Path:
    """The one segmentation in a folder (or of the subject or session whose folder it is), whichever scans there are.

    Raises:
        InputError: the folder can't be listed, or holds none or several.
    """
    folder = scans_folder(folder)
    return _one_of([path for path in _list_images(folder) if _recognize(path.name) == "seg"], folder, "seg")


def find_recurrence(folder: Path) -> Path | None:
    """A segmentation of a later day that lies in a folder (`recurrence.nii.gz`, `*_recurrence.nii.gz`), if any.

    Raises:
        InputError: the folder can't be listed, or there are several.
    """
    found = [path for path in _list_images(folder) if is_recurrence(path.name)]
    return _one_of(found, folder, "recurrence") if found else None


def is_recurrence(name: str) -> bool:
    """Whether a file is called the segmentation of a recurrence."""
    return _ending(name) == "recurrence"


def _one_of(found: list[Path], folder: Path, key: str) -> Path:
    if len(found) != 1:
        raise InputError(
            f"folder {printable(folder.name)}",
            expected=f"one {key} file",
            got=" and ".join(printable(path.name) for path in found) or "none",
            advice=f"add it as *_{key}.nii.gz" if not found else "move all but one elsewhere",
        )
    return found[0]


def scans_folder(folder: Path) -> Path:
    """The folder itself, or where a BIDS dataset keeps the scans of the subject or session whose folder this is.

    Raises:
        InputError: the folder can't be listed, or is that of a subject with several sessions.
    """
    if not folder.is_dir() or _list_images(folder):
        return folder
    if (folder / _BIDS_SCANS).is_dir():
        return folder / _BIDS_SCANS
    places = sorted(path for path in folder.iterdir() if _BIDS_SESSION.fullmatch(path.name))
    sessions = [path for path in places if (path / _BIDS_SCANS).is_dir()]
    if len(sessions) > 1:
        raise InputError(
            f"folder {printable(folder.name or str(folder))}",
            expected="one session",
            got=", ".join(path.name for path in sessions[:MAX_NAMES]),
            advice="name the folder of one",
        )
    return sessions[0] / _BIDS_SCANS if sessions else folder


def _list_images(folder: Path) -> list[Path]:
    """NIfTI files directly inside the folder, by name; hidden ones (macOS litter such as ``._t1.nii``) left out."""
    try:
        entries = sorted(folder.iterdir())
        return [path for path in entries if _stem(path.name) and not path.name.startswith(".") and path.is_file()]
    except FileNotFoundError:
        got = "no such folder"
    except NotADirectoryError:
        got = "a file"
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        got = f"one that can't be read ({printable(getattr(error, 'strerror', None) or str(error))})"
    raise InputError(
        f"folder {printable(folder.name or str(folder))}",
        expected="the folder of one patient",
        got=got,
        advice="check the path",
    )


def _recognize(name: str) -> str | None:
    """The scan that a file name stands for."""
    if _CONTRAST_AGENT.search(_stem(name)):
        return "t1c"
    return next((key for key, endings in ENDINGS.items() if _ending(name) in endings), None)


def _ending(name: str) -> str:
    """What follows the last underscore, hyphen or dot before ``.nii``."""
    return re.split(r"[_\-.]", _stem(name))[-1]


def _stem(name: str) -> str:
    """The name in lower case without ``.nii`` or ``.nii.gz``; empty for any other kind of file."""
    match = re.fullmatch(r"(.+)\.nii(\.gz)?", name.lower(), flags=re.DOTALL)
    return match.group(1) if match else ""


def _quote(paths: list[Path]) -> str:
    names = [printable(path.name) for path in paths[:MAX_NAMES]]
    rest = len(paths) - len(names)
    return (", ".join(names) + (f" and {rest} more" if rest else "")) or "no NIfTI file"
