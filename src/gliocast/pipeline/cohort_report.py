"""A folder of results to the report of the cohort: a table, a page and a figure."""

from pathlib import Path

from gliocast.core import InputError, Monitor, Silence
from gliocast.data import folders_of_results, whole_folder
from gliocast.data.folders import printable
from gliocast.pipeline.cohort_results import is_ours, read_results
from gliocast.report.cohort import CohortContent, Failure, PatientResult, cohort_table
from gliocast.report.cohort_page import make_cohort_report

#: What is written beside the patients' folders.
TABLE, COHORT_PAGE, COHORT_FIGURE = "cohort.tsv", "cohort.html", "cohort.png"


def report_cohort(results: Path, *, monitor: Monitor | None = None) -> CohortContent:
    """Make the table and the page of a folder whose subfolders hold what runs wrote, whoever started them.

    Args:
        results: the folder. Subfolders that hold no results, or damaged ones, are among those that did not run.
        monitor: told of the stages.

    Raises:
        InputError: there is no such folder, nothing in it that a run wrote, or it can't be written.
    """
    monitor = monitor or Silence()
    monitor.begin("read")
    folders = folders_of_results(results)
    if not any(map(is_ours, folders)):
        raise InputError(
            f"folder {printable(results.name or str(results))}",
            expected="a folder of folders that `gliocast run` wrote",
            got=f"{len(folders)} folders without results" if folders else "no folder in it",
            advice="pass the folder above those that --out named",
        )
    found = []
    for done, folder in enumerate(folders, start=1):
        found.append(read_results(folder, folder.relative_to(results).as_posix()))
        monitor.advance(done / len(folders))
    content = CohortContent(
        failures=tuple(entry for entry in found if isinstance(entry, Failure)),
        results=tuple(entry for entry in found if isinstance(entry, PatientResult)),
    )
    monitor.begin("report")
    report = make_cohort_report(content)
    with whole_folder(results) as folder:
        (folder / TABLE).write_text(cohort_table(content), encoding="utf-8", newline="")
        (folder / COHORT_PAGE).write_text(report.page, encoding="utf-8", newline="")
        if report.figure is not None:
            (folder / COHORT_FIGURE).write_bytes(report.figure)
    if report.figure is None:
        (results / COHORT_FIGURE).unlink(missing_ok=True)  # an older one would show what isn't there any more
    return content
