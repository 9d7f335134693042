"""A cohort of digital patients, made side by side and written one by one. Composition only."""

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

from gliocast.cohort.shards import make_shards, require_same_set
from gliocast.cohort.synthetic import CohortLaw, make_synthetic_patient
from gliocast.core import InputError, Monitor, Silence
from gliocast.data import whole_file
from gliocast.pipeline.cohort_folder import patient_name, visit_folders, write_patient, write_tables

#: Patients on the contact sheet, at most.
_SHEET_PATIENTS = 12


def simulate_cohort(
    out: Path,
    num_patients: int,
    law: CohortLaw,
    *,
    num_workers: int | None = None,
    scheduler: str | None = None,
    beside: Sequence[Path] = (),
    monitor: Monitor | None = None,
) -> list[Path]:
    """Make the first patients of a cohort; those that are there already aren't made again.

    Args:
        out: folder of the cohort.
        num_patients: how many.
        law: what the cohort is made of.
        num_workers: processes, or jobs of "slurm"; None for one for each core.
        scheduler: who spreads the work, see `gliocast.cohort.crew.each`; None for processes here.
        beside: folders of real patients that the contact sheet shows, too.
        monitor: told of the stages.

    Returns:
        The patients' folders.

    Raises:
        InputError: the folder holds another cohort, a patient's folder is damaged, or it can't be written.
    """
    monitor = monitor or Silence()
    if num_patients < 1:
        raise InputError("cohort", expected="one patient or more", got=f"{num_patients}", advice="ask for some")
    described = asdict(law)
    require_same_set(out, described, "patients")
    folders = [out / patient_name(number, law) for number in range(num_patients)]
    monitor.begin("patients")
    make = partial(make_one, out, law)
    make_shards(out, described, folders, make, num_workers=num_workers, scheduler=scheduler, progress=monitor.advance)
    monitor.begin("tables")
    write_tables(out, folders)
    monitor.begin("picture")
    from gliocast.report.contact_sheet import contact_sheet  # matplotlib comes with it

    shown = [visit_folders(folder, law)[0] for folder in folders[:_SHEET_PATIENTS]]
    with whole_file(out / "contact_sheet.png") as path:
        path.write_bytes(contact_sheet(synthetic=shown, real=list(beside), progress=monitor.advance))
    return folders


def make_one(out: Path, law: CohortLaw, number: int) -> None:
    """Make the patient of a number, and write its folder."""
    write_patient(out / patient_name(number, law), make_synthetic_patient(number, law), law)
