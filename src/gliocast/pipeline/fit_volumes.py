"""Volumes over time to fitted laws of growth: a table in, pictures and numbers out."""

from collections.abc import Sequence
from pathlib import Path

from gliocast.core import InputError, Monitor, Silence, VolumeCourse
from gliocast.data import ColumnNames, file_hash, read_volumes, whole_folder, write_json
from gliocast.pipeline.course_fit import CourseFit, VolumeOptions, can_be_fitted, fit_course
from gliocast.pipeline.record_volumes import volume_record

#: Lesions whose largest volume is below this are a sign of another unit [mm^3]: 0.1 ml, a ball of 6 mm.
_SUSPICIOUS_MM3 = 100.0


def fit_volumes(
    table: Path,
    out: Path,
    *,
    options: VolumeOptions | None = None,
    columns: ColumnNames | None = None,
    patient: str | None = None,
    skip_faulty: bool = False,
    monitor: Monitor | None = None,
) -> tuple[CourseFit, ...]:
    """Fit laws of growth to a table of volumes, written to a folder that appears as a whole or not at all.

    Args:
        table: CSV file, see `read_volumes`.
        out: folder for ``fits.json`` and a picture for each patient.
        options: laws and how to fit them.
        columns: names of columns that go by other names.
        patient: as the table calls one patient; None for all.
        skip_faulty: leave out patients with faulty rows, with a note, instead of refusing the table.
        monitor: watches.

    Raises:
        InputError: the table is faulty, or no patient has visits enough for any law.
    """
    options, watch = options or VolumeOptions(), monitor or Silence()
    with whole_folder(out) as folder:
        watch.begin("read")
        on_fault = (lambda fault: watch.note(f"left out: {fault}")) if skip_faulty else None
        table_courses = read_volumes(table, columns=columns, patient=patient, on_fault=on_fault)
        _warn_of_units(table_courses, watch)
        courses = _supported(table_courses, options, watch)
        watch.begin("fit")
        results = []
        for count, course in enumerate(courses, start=1):
            results.append(fit_course(course, options))
            watch.advance(count / len(courses))
        watch.begin("write")
        write_json(folder / "fits.json", volume_record(results, options, file_hash(table)))
        _draw(results[: options.max_figures], options, folder)
        if len(results) > options.max_figures:
            watch.note(f"pictures of {options.max_figures} patients of {len(results)}; fits.json has all of them")
    return tuple(results)


def _warn_of_units(courses: Sequence[VolumeCourse], monitor: Monitor) -> None:
    small = [course.number for course in courses if 0 < course.volumes.max() < _SUSPICIOUS_MM3]
    if small:
        monitor.note(
            f"warning: no volume of patient {small[0]} reaches {_SUSPICIOUS_MM3:g} mm^3"
            f"{f', nor of {len(small) - 1} more' if len(small) > 1 else ''}; make sure that they aren't in ml"
        )


def _supported(courses: Sequence[VolumeCourse], options: VolumeOptions, monitor: Monitor) -> list[VolumeCourse]:
    """Patients whose visits support a law; a note says of how many they don't."""
    supported = [course for course in courses if can_be_fitted(course, options)]
    num_left_out = len(courses) - len(supported)
    if not supported:
        held_out = ", one of which is held out" if options.hold_out_last else ""
        raise InputError(
            "volumes",
            expected="a patient whose visits support a law",
            got=f"{len(courses)} with {max(len(course) for course in courses)} visits at most{held_out}",
            advice="add visits at which the lesion can be seen, or choose laws with fewer parameters",
        )
    if num_left_out:
        monitor.note(f"left out: {num_left_out} of {len(courses)} patients, whose visits support none of the laws")
    return supported


def _draw(results: Sequence[CourseFit], options: VolumeOptions, folder: Path) -> None:
    """A picture of each patient."""
    # matplotlib takes a second to import; only now is it needed
    from gliocast.report.style import figure_style, to_png
    from gliocast.report.volume_fit import volume_figure

    for result in results:
        with figure_style():
            figure = volume_figure(
                result.course,
                result.comparison,
                num_held_out=result.num_held_out,
                treatment_day=options.radiotherapy_day,
                detection_mm3=options.fit.detection_mm3,
            )
            (folder / f"patient-{result.course.number}.png").write_bytes(to_png(figure))
