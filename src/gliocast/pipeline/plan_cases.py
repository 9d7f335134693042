"""What `gliocast evaluate plans` compares: for each patient the visit that is planned on, and a later segmentation."""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gliocast.cohort.follow_up import carried_back
from gliocast.core import SCHEMAS, InputError, LabelMap, Visit
from gliocast.data import read_integers, read_labels, read_patient
from gliocast.data.folders import find_recurrence, find_segmentation, scans_folder
from gliocast.data.labels import guess_schema
from gliocast.data.nifti import read_components
from gliocast.pipeline.cohort_folder import read_truth
from gliocast.pipeline.patient_folders import TRUTH, list_patients
from gliocast.pipeline.reasons import reason_of
from gliocast.planning.recurrence import Recurrence

#: What a recurrence that is told apart from nothing else is written as: a mask.
_MASK = {1}


@dataclass(frozen=True)
class PlanCase:
    """A patient who can be evaluated, as far as file names tell.

    Args:
        name: of the patient.
        planning: folder of the visit that is planned on.
        recurrence: file of a later segmentation.
        is_visit: whether that is the segmentation of a visit, in whose folder it lies.
        labels: name of the schema of both.
    """

    name: str
    planning: Path
    recurrence: Path
    is_visit: bool
    labels: str = ""

    @property
    def root(self) -> Path:
        """Folder of the patient, which is that of the visit where there is only one."""
        return self.planning if (self.planning / TRUTH / "truth.json").exists() else self.planning.parent

    @property
    def synthetic(self) -> bool:
        """Whether this is a digital patient."""
        return (self.root / TRUTH / "truth.json").exists()


def find_cases(
    data: Path, *, planning_visit: int, recurrence_visit: int | None
) -> tuple[list[PlanCase], dict[str, str]]:
    """Patients of a folder with a visit to plan on and a later segmentation, and the reasons of those without.

    Args:
        data: folder of patients, see `list_patients`.
        planning_visit: number of the visit that is planned on, counted from 0 by name.
        recurrence_visit: number of the visit that shows the recurrence; None for a recurrence file where there is one
            (`find_recurrence`), and the last visit where not. -1 is the last visit.
    """
    cases, left_out = [], {}
    for name, visits in list_patients(data).items():
        try:
            cases.append(_find_case(name, visits, data, planning_visit, recurrence_visit))
        except InputError as error:
            places = {place for visit in visits for place in (visit, visit.parent)} - {data}
            left_out[name] = reason_of(error, *places)
    return cases, left_out


def _find_case(name: str, visits: Sequence[Path], data: Path, planning: int, recurrence: int | None) -> PlanCase:
    if not 0 <= planning < len(visits):
        raise _no_visit("planning visit", planning, visits)
    place = visits[planning]
    if recurrence is None:
        own = {place, scans_folder(place), place.parent} - {data}
        files = [path for folder in sorted(own) if (path := find_recurrence(folder)) is not None]
        if len(files) > 1:
            raise InputError(
                "recurrence", expected="one file", got=f"{len(files)}", advice="move all but one elsewhere"
            )
        if files:
            return PlanCase(name, place, files[0], is_visit=False)
        recurrence = -1
    number = len(visits) - 1 if recurrence == -1 else recurrence
    if not planning < number < len(visits):
        raise _no_visit("recurrence visit", number, visits)
    return PlanCase(name, place, find_segmentation(visits[number]), is_visit=True)


def _no_visit(subject: str, number: int, visits: Sequence[Path]) -> InputError:
    if len(visits) == 1:
        return InputError(
            subject,
            expected="a later visit, or a file *_recurrence.nii.gz",
            got="one visit alone",
            advice="add the segmentation of a later day, on the grid of the first",
        )
    return InputError(
        subject,
        expected=f"a later one of {len(visits)} visits, counted from 0",
        got=f"{number}",
        advice="pick another visit",
    )


def cohort_schema(cases: Iterable[PlanCase]) -> tuple[str, str]:
    """Name of the label schema of a cohort, guessed of all its segmentations together, and a sentence that says so.

    Of one alone the guess may be wrong: 4 is the enhancing tumor of old data sets, and the cavity of new ones where no
    tumor enhances. If 3 occurs nowhere, names of files decide: those of BraTS since 2023 (`-t1n`) have cavities.
    """
    present: set[int] = set()
    new_names = False
    for case in cases:
        with suppress(InputError):  # who can't be read is left out with the reason, later
            for path in (find_segmentation(case.planning), case.recurrence):
                present |= {int(value) for value in np.unique(read_integers(path, "seg").data)} - {0}
        scans = scans_folder(case.planning).iterdir()
        new_names |= any(path.name.lower().endswith(("-t1n.nii.gz", "-t1n.nii")) for path in scans)
    schema = SCHEMAS["brats-2024"] if new_names and 3 not in present and 4 in present else guess_schema([*present])
    numbers = ", ".join(str(value) for value in sorted(present)) or "none"
    return schema.name, f"labels {numbers} taken as {schema}; if they mean something else, say so with --labels"


def read_case(case: PlanCase) -> tuple[Visit, Recurrence, list[str]]:
    """The visit that is planned on, the recurrence on its grid, and what a reader should know.

    The recurrence must lie on the grid of the planning visit: nothing is registered or resampled here. Only in digital
    patients with mass effect is it carried along with the tissue, by the true displacements.

    Raises:
        InputError: files can't be read, or lie on different grids.
    """
    visit = read_patient(case.planning, labels=case.labels).visits[0]
    volume = read_integers(case.recurrence, "recurrence")
    visit.grid.require_same(volume.grid, "recurrence")
    notes = _care_notes(case) if case.synthetic else []
    numbers = {int(value) for value in np.unique(volume.data)} - {0}
    if numbers == _MASK and not case.is_visit:
        notes.append("the recurrence is a mask: enhancing tumor isn't told apart")
        return visit, Recurrence(volume.data == 1, None, visit.grid), notes
    if not numbers:
        nothing = LabelMap(volume.data.astype(np.uint8), volume.grid, SCHEMAS[case.labels])
        return visit, Recurrence.of(nothing), notes
    labels, _ = read_labels(case.recurrence, case.labels)
    data, carried = _with_the_tissue(case, labels)
    return visit, Recurrence.of(LabelMap(data, labels.grid, labels.schema)), [*notes, *carried]


def _with_the_tissue(case: PlanCase, labels: LabelMap) -> tuple[np.ndarray, list[str]]:
    """Labels of a digital patient's later visit where the tissue was on the earlier one; as they are without truth."""
    files = [folder / TRUTH / "displacement.nii.gz" for folder in (case.recurrence.parent, case.planning)]
    if not (case.synthetic and case.is_visit and all(path.exists() for path in files)):
        return labels.data, []
    fields = []
    for path in files:
        field, grid, _ = read_components(path, "displacement", 3)
        labels.grid.require_same(grid, "displacement")
        fields.append(field)
    later, earlier = fields
    there = labels.whole
    moved = float(np.linalg.norm((later - earlier)[:, there], axis=0).mean()) if there.any() else 0.0
    sentence = f"carried to the planning visit by the true displacement of tissue, {moved:.1f} mm on average"
    return carried_back(labels.data, labels.grid, later=later, earlier=earlier), [sentence]


def _care_notes(case: PlanCase) -> list[str]:
    """What was done to a digital patient between the visits, and whether it would have lived to the later one."""
    truth = read_truth(case.root)
    done = dict.fromkeys(str(entry["kind"]) for entry in truth["treatments"])
    notes = ["synthetic", "treated: " + ", ".join(done) if done else "untreated: growth, no recurrence"]
    number = case.recurrence.parent.name.rpartition("-")[2]
    days = truth["visit_days"]
    day = days[int(number)] if case.is_visit and number.isdigit() and int(number) < len(days) else 0.0
    if day > truth["survival_days"]:
        notes.append(f"seen on day {day:g}, after the death that its outcome draws")
    return notes
