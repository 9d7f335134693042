"""Why a patient failed, in words that others may read: names of files, which could be a person's, are left out."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from gliocast.core.errors import GliocastError
from gliocast.data.bids import ANATOMICAL
from gliocast.data.folders import ENDINGS, printable
from gliocast.pipeline.patient_folders import TRUTH

#: What stands in the place of a name.
_BLOT = "[file]"

#: Folders in each other that are looked through: a BIDS subject's scans lie two below, a digital patient's truth, too.
_DEPTH = 6

#: Names that anybody's files have, without ending.
_ANYBODYS = {*(ending for endings in ENDINGS.values() for ending in endings), ANATOMICAL, TRUTH, "recurrence"}

#: Names that tell nobody from others: one letter, or a number of up to three digits.
_TELLS_NOTHING = re.compile(r".|\d{1,3}")

#: What messages may say of anything: a file's name without ending may be a word, as in density.nii.gz.
_WORD = re.compile(r"[a-z]+")


def reason_of(error: Exception, *places: Path) -> str:
    """What went wrong, in one line, without names of files and folders that could be a person's.

    Args:
        error: that was raised.
        places: folders of the patient; whatever is called as something in them, whole words alone, is left out. Their
            own names stay: patients are called as their folders are.
    """
    from gliocast.report.tables import scrub, scrub_paths

    text = _without(_line(str(error)), {form for place in places for form in _forms_in(place)})
    if isinstance(error, GliocastError):
        return scrub_paths(text)
    return f"internal error, {type(error).__name__}: {scrub(text) or 'no message'}"


def _without(text: str, names: set[str]) -> str:
    """The text without names, the longest first; a part of a longer word or number is none."""
    if not names:
        return text
    either = "|".join(re.escape(name) for name in sorted(names, key=lambda name: (-len(name), name)))
    return re.sub(rf"(?<![\w.\-])(?:{either})(?![\w\-]|\.\w)", _BLOT, text)


def _forms_in(place: Path) -> Iterator[str]:
    """What messages may call the files and folders in a folder."""
    for folder, folders, files in os.walk(place, followlinks=True):
        if len(Path(folder).relative_to(place).parts) >= _DEPTH:
            folders.clear()  # links may go round
        for name in (*folders, *files):
            stem = re.sub(r"\.nii(\.gz)?$", "", name, flags=re.IGNORECASE)
            if stem.lower() not in _ANYBODYS and not _TELLS_NOTHING.fullmatch(stem):
                for known in {name} if _WORD.fullmatch(stem) else {name, stem}:
                    # as messages of ours quote it, as it is, and as Python does
                    yield from filter(None, map(_line, (printable(known), known, repr(known)[1:-1])))


def _line(text: str) -> str:
    """The text as one line."""
    return printable(" ".join(text.split()))
