"""All patients of a folder, one after the other or side by side; who fails doesn't stop the others."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gliocast import __version__
from gliocast.cohort.crew import each
from gliocast.core import InputError, Monitor, Silence
from gliocast.core.errors import GliocastError
from gliocast.data import file_hash, find_files, read_labels, read_table
from gliocast.data.folders import printable
from gliocast.data.labels import require_schema
from gliocast.data.results import DENSITY, DESCRIPTION, PAGE, PARAMETERS, PLAN, PROVENANCE
from gliocast.pipeline.deliver import run
from gliocast.pipeline.failures import FAILURE, write_failure
from gliocast.pipeline.open_patient import open_patient
from gliocast.pipeline.patient_folders import list_patients
from gliocast.pipeline.personalize import Options
from gliocast.pipeline.reasons import reason_of
from gliocast.pipeline.record import what_counts
from gliocast.pipeline.stopwatch import STAGES, Stopwatch

if TYPE_CHECKING:  # matplotlib takes a second to import, in every process; only a report needs it
    from gliocast.report.cohort import CohortContent

#: Does some work and gives back what went wrong, or None; what it doesn't give back stops everybody.
Guard = Callable[[Callable[[], None]], Exception | None]


@dataclass(frozen=True)
class _Case:
    """A patient: name, and folders of the visits."""

    name: str
    place: Path
    visits: tuple[Path, ...]

    def scans(self, visit: int) -> Path:
        """Folder of a visit's scans.

        Raises:
            InputError: there is no such visit.
        """
        count = len(self.visits)
        if count == visit == 0:
            return self.place  # which says what it lacks
        if visit >= count:
            known = {0: "scans, which there are none of", 1: "the only one there is, 0"}
            raise InputError(
                "visit",
                expected=known.get(count, f"one of {count}, counted from 0"),
                got=f"{visit}",
                advice="pick another with --visit",
            )
        return self.visits[visit]


@dataclass(frozen=True)
class _Job:
    """What is done to each patient, in whichever process."""

    cases: Sequence[_Case]
    out: Path
    options: Options
    labels: str | None
    visit: int
    num_workers: int
    guard: Guard


def say_what_went_wrong(work: Callable[[], None]) -> Exception | None:
    """A guard that gives back what gliocast raises on purpose."""
    try:
        work()
    except GliocastError as error:
        return error
    return None


def run_cohort(
    cohort: Path,
    out: Path,
    *,
    options: Options | None = None,
    labels: str | None = None,
    visit: int = 0,
    num_workers: int = 1,
    guard: Guard = say_what_went_wrong,
    monitor: Monitor | None = None,
) -> "CohortContent":
    """Personalize every patient of a cohort, each into a folder of its own, and report on all of them.

    Whose results are complete, for the same inputs, options and version, isn't repeated, unless `options.resume` is
    off. Who failed is tried again.

    Args:
        cohort: folder of patients, see `list_patients`; folders without scans are patients who fail.
        out: folder of the results: one for each patient, with `failure.json` in those that failed, and the report.
        options: of each run.
        labels: schema of all segmentations; None guesses it of each.
        visit: that is fitted, counted from 0 by name.
        num_workers: processes.
        guard: decides what a patient may raise without stopping the others; sent to other processes.
        monitor: told of the stages.

    Returns:
        What the report shows.

    Raises:
        InputError: there are no patients, `out` lies in the cohort, or nobody could be personalized.
    """
    from gliocast.pipeline.cohort_report import report_cohort

    options, monitor = options or Options(), monitor or Silence()
    _require_sense(cohort, out, labels, visit, num_workers)
    monitor.begin("find")
    cases = [_Case(name, cohort / name, tuple(visits)) for name, visits in list_patients(cohort, empty=True).items()]
    job = _Job(cases, out, options, labels, visit, num_workers, guard)
    done = [number for number in range(len(cases)) if options.resume and _is_done(job, cases[number])]
    if done:
        names = ", ".join(printable(cases[number].name) for number in done)
        monitor.note(f"complete for these inputs and options, not repeated: {names}")
    monitor.begin("patients")
    _run_all(job, [number for number in range(len(cases)) if number not in done], monitor)
    content = report_cohort(out, monitor=monitor)
    ours = {case.name for case in cases}
    if not any(result.name in ours for result in content.results):
        first = next(failure for failure in content.failures if failure.name in ours)
        raise InputError(
            f"cohort {printable(cohort.name)}",
            expected="a patient who can be personalized",
            got=f"none; {printable(first.name)} says: {first.sentence}",
            advice="see the reasons in the report",
        )
    return content


def _require_sense(cohort: Path, out: Path, labels: str | None, visit: int, num_workers: int) -> None:
    """Raise InputError for what no patient could be run with."""
    if labels is not None:
        require_schema(labels)
    for what, value, least in (("visit", visit, 0), ("workers", num_workers, 1)):
        if value < least:
            raise InputError(what, expected=f"{least} or more", got=f"{value}", advice=f"use {least}")
    if out.resolve().is_relative_to(cohort.resolve()):
        raise InputError(
            f"output {printable(out.name)}",
            expected="a folder outside of the cohort",
            got="one in it",
            advice="pick another, or its results would be taken for patients",
        )
    if (out / DESCRIPTION).is_file():
        raise InputError(
            f"output {printable(out.name)}",
            expected="a folder of results, one for each patient",
            got="a BIDS dataset",
            advice="pick another; `gliocast run --bids` adds patients to a dataset, one by one",
        )


def _run_all(job: _Job, numbers: Sequence[int], monitor: Monitor) -> None:
    """Run the patients of some numbers, and say how each of them ended."""
    from gliocast.pipeline.cohort_results import read_results
    from gliocast.report.cohort import Failure

    count, ended = len(job.cases), len(job.cases) - len(numbers)
    monitor.advance(ended / count)
    job = replace(job, num_workers=max(1, min(job.num_workers, len(numbers))))
    inside = _Inside(lambda share: monitor.advance((ended + share) / count)) if job.num_workers == 1 else None
    work, lost = partial(_run_one, job, inside), partial(_give_up, job)
    for number in each(work, numbers, num_workers=job.num_workers, lost=lost):
        ended += 1
        monitor.advance(ended / count)
        name = job.cases[number].name
        found = read_results(job.out / name)
        if isinstance(found, Failure):
            monitor.note(f"{printable(name)}: no result, {found.sentence}")
        else:
            warnings = "1 warning" if found.num_warnings == 1 else f"{found.num_warnings} warnings"
            monitor.note(f"{printable(name)}: {found.level}, {warnings}, {found.seconds:.0f} s")


def _give_up(job: _Job, number: int, error: InputError) -> None:
    """Write of a patient that the process died which had it, or another one beside it."""
    kind = type(error).__name__
    write_failure(job.out / job.cases[number].name, stage="", reason=str(error), kind=kind, version=__version__)


class _Inside(Silence):
    """Plays the Monitor role for one patient: knows the stage, and how far along it is."""

    def __init__(self, tell: Callable[[float], None] | None = None) -> None:
        self._tell, self.stage = tell, ""

    def begin(self, stage: str) -> None:
        """A stage begins."""
        self.stage = stage
        if self._tell is not None and stage in STAGES:
            self._tell(STAGES.index(stage) / len(STAGES))


def _run_one(job: _Job, inside: "_Inside | None", number: int) -> None:
    """Run a patient and write what was found, or what went wrong."""
    if job.num_workers > 1:
        _share_cores(job.num_workers)
    case, inside = job.cases[number], inside or _Inside()
    inside.stage = "find"
    error = job.guard(partial(_personalize, job, case, inside))
    folder = job.out / case.name
    if error is None:
        (folder / FAILURE).unlink(missing_ok=True)
    else:
        kind = type(error).__name__
        reason = reason_of(error, case.place, *case.visits)
        write_failure(folder, stage=inside.stage, reason=reason, kind=kind, version=__version__)


def _personalize(job: _Job, case: _Case, inside: _Inside) -> None:
    """The same as `gliocast run`."""
    monitor = Stopwatch(inside)
    patient = open_patient(case.scans(job.visit), {}, labels=job.labels, monitor=monitor)
    run(patient, job.out / case.name, options=job.options, monitor=monitor)


def _share_cores(num_workers: int) -> None:
    """Give this process, one of several that do nothing else, its share of the threads."""
    import numba
    import torch

    each_has = max(1, numba.config.NUMBA_NUM_THREADS // num_workers)  # type: ignore[attr-defined]  # by cores that it may use
    numba.set_num_threads(each_has)
    torch.set_num_threads(each_has)


def _is_done(job: _Job, case: _Case) -> bool:
    """Whether complete results of the same inputs, options and version are there; a later failure is forgotten."""
    from gliocast.pipeline.cohort_results import read_results
    from gliocast.report import SAVED
    from gliocast.report.cohort import Failure

    folder = job.out / case.name
    complete = (DENSITY, PARAMETERS, PLAN, PROVENANCE, PAGE, SAVED)
    try:
        record = read_table(folder / PROVENANCE)
        wanted = [*complete, *(["density_samples.nii.gz"] if job.options.keep_samples else [])]
        same = (
            all((folder / name).is_file() for name in wanted)
            and record["versions"]["gliocast"] == __version__
            and what_counts(record["options"]) == what_counts(asdict(job.options))
            and record["inputs"] == _inputs(case.scans(job.visit))
            and record["label_schema"] == _schema(case.scans(job.visit), job.labels, record["label_schema"])
        )
    except (OSError, ValueError, KeyError, TypeError, InputError):
        return False
    if same:
        (folder / FAILURE).unlink(missing_ok=True)
    return same and not isinstance(read_results(folder), Failure)


def _inputs(scans: Path) -> dict[str, str]:
    return {name: file_hash(path) for name, path in find_files(scans, segmented=False).items()}


def _schema(scans: Path, labels: str | None, networks: str) -> str:
    """The schema that a run would take, which is the network's own where there is no segmentation."""
    files = find_files(scans, segmented=False)
    if "seg" not in files:
        return networks
    return labels or read_labels(files["seg"])[0].schema.name
