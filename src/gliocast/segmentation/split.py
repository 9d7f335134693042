"""Who is learned from and who is held back: patients, never visits of one on both sides."""

import re
from collections.abc import Sequence

import numpy as np

from gliocast.core import InputError

#: What follows a patient in the name of a visit, as in BraTS-GLI-00001-000 or sub-01_ses-1.
_VISIT = re.compile(r"^(.+-\d{5})-\d{3}$|^(sub-[A-Za-z0-9]+)_ses-[A-Za-z0-9]+$")


def patient_of(name: str) -> str:
    """Whose scans a folder holds: visits of one patient have one name."""
    found = _VISIT.match(name)
    return next(filter(None, found.groups())) if found else name


def split_patients(names: Sequence[str], share: float, seed: int) -> tuple[list[str], list[str]]:
    """Names of training and of validation, every patient on one side alone.

    Args:
        names: of folders.
        share: of the patients that are held back, at least one [1].
        seed: of the draw.

    Raises:
        InputError: there are fewer than two patients.
    """
    people = sorted({patient_of(name) for name in names})
    if len(people) < 2 or not 0 < share < 1:
        raise InputError(
            "split",
            expected="two patients or more, and a share between 0 and 1",
            got=f"{len(people)} and {share:g}",
            advice="add patients, or name a folder of others to validate on",
        )
    drawn = np.random.default_rng(seed).permutation(people)
    held = set(drawn[: max(1, min(len(people) - 1, round(share * len(people))))].tolist())
    return [name for name in names if patient_of(name) not in held], [n for n in names if patient_of(n) in held]


def require_apart(taught: Sequence[str], held: Sequence[str]) -> None:
    """Raise InputError where a patient is on both sides."""
    both = sorted({patient_of(name) for name in taught} & {patient_of(name) for name in held})
    if both:
        raise InputError(
            "split",
            expected="no patient both learned from and validated on",
            got=", ".join(both[:3]) + (f" and {len(both) - 3} more" if len(both) > 3 else ""),
            advice="take them out of one of the folders",
        )
