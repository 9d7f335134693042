"""A tumor grown to files: one density, or a folder with series, record and pictures."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gliocast.core import Density, InputError, Monitor, Resection, Snapshot, Treatments
from gliocast.core.grid import MM3_PER_ML
from gliocast.data import open_series, whole_file, whole_folder, write_json, write_like, write_vectors, write_volume
from gliocast.pipeline.choices import Choices
from gliocast.pipeline.experiment import Experiment, prepare
from gliocast.pipeline.simulation_record import measure, series_record, simulation_record

if TYPE_CHECKING:
    from gliocast.report.film import Shot

#: Fields that stand for the last day alone: what the tumor made of the anatomy.
LAST_DAY_FIELDS = ("displacement", "white_matter", "gray_matter", "csf")

#: How long after a resection the curve of the burden looks again [d], so that it falls steeply.
_AFTERWARD = 0.01

#: Days nearer to each other than this share of all time are one [1].
_SAME_DAY = 1e-6


def simulate_to_file(out: Path, *, choices: Choices, monitor: Monitor) -> Density:
    """Grow a tumor and write its density on one day.

    Args:
        out: file to write, ends in .nii.gz.
        choices: what to simulate.
        monitor: watches.

    Raises:
        InputError: more than one day, another ending, a file that can't be used.
    """
    _require_one_day(out, choices)
    with whole_file(out) as path:
        monitor.begin("read")
        experiment = prepare(choices, monitor=monitor)
        monitor.begin("growth")
        density = _grow_to_end(experiment, choices)
        monitor.begin("write")
        _write_one(path, density.data, experiment)
    return density


def simulate_to_folder(out: Path, *, choices: Choices, monitor: Monitor) -> Density:
    """Grow a tumor and write everything that is known of it to a folder, as a whole or not at all.

    Args:
        out: folder to write.
        choices: what to simulate.
        monitor: watches.

    Returns:
        The density on the last day.
    """
    with whole_folder(out) as folder:
        monitor.begin("read")
        experiment = prepare(choices, monitor=monitor)
        last, stopped = _find_end(experiment, choices, monitor)
        days = choices.ending.schedule(last)
        for entry in experiment.treatments:
            if entry.days[-1] > last:
                monitor.note(f"warning: {entry.kind} goes beyond day {last:g}, where growth ends")
        monitor.begin("growth")
        reel = _Reel(experiment, days, frame_days(last, choices.frames, days), stopped)
        final = reel.record(folder)
        monitor.begin("write")
        _write_last_day(folder, final, experiment)
        write_json(folder / "series.json", series_record(days))
        if choices.frames:
            monitor.begin("picture")
            _write_pictures(folder, experiment, reel, monitor.advance)
        files = sorted(path.name for path in folder.iterdir())
        write_json(folder / "simulation.json", simulation_record(experiment, choices, reel.measures, files))
    return final.density


def frame_days(last: float, num_frames: int, days: Sequence[float]) -> tuple[float, ...]:
    """Days of the animated picture after day 0, evenly spaced; those that are also asked for are exactly those."""
    found = []
    for day in np.linspace(0, last, max(num_frames, 1))[1:]:
        near = min(days, key=lambda other: abs(other - day))
        found.append(float(near if abs(near - day) < _SAME_DAY * last else day))
    return tuple(found)


@dataclass(eq=False)
class _Reel:
    """Goes through a simulation once and keeps what is asked for.

    Args:
        experiment: what grows.
        days: to write [d].
        frames: days to draw [d].
        stopped: the tumor on the last day where a size ended its growth, else None.
        measures: what the written days measure, in order.
        curve: pairs of a day [d] and the burden then [ml].
        shots: what pictures are drawn from.
    """

    experiment: Experiment
    days: tuple[float, ...]
    frames: tuple[float, ...]
    stopped: Snapshot | None
    measures: list[dict[str, Any]] = field(default_factory=list)
    curve: list[tuple[float, float]] = field(default_factory=list)
    shots: "list[Shot]" = field(default_factory=list)

    def record(self, folder: Path) -> Snapshot:
        """Grow, write the series to a folder, and return the last day."""
        experiment = self.experiment
        self._look(Snapshot(experiment.first_cells()))
        extra = _curve_days(experiment.treatments, self.days[-1]) if self.frames else ()
        moments = sorted({*self.days, *self.frames, *extra})
        with ExitStack() as files:
            writers: dict[str, Callable[[np.ndarray], None]] = {}
            for snapshot in experiment.simulator.snapshots(experiment.values, experiment.anatomy, days=moments):
                now = self._as_stopped(snapshot)
                if now.density.day in self.days:
                    self.measures.append(measure(now.density))
                    for name, data in _scalars(now).items():
                        if name not in writers:
                            writers[name] = files.enter_context(self._open(folder, name))
                        writers[name](data)
                self._look(now)
        return now

    def _as_stopped(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot, or the one that met the size on the same day by steps of its own."""
        met = self.stopped is not None and snapshot.density.day == self.days[-1]
        return self.stopped if met and self.stopped is not None else snapshot

    def _open(self, folder: Path, name: str) -> AbstractContextManager[Callable[[np.ndarray], None]]:
        experiment = self.experiment
        return open_series(folder / f"{name}.nii.gz", experiment.anatomy.grid, days=self.days, like=experiment.like)

    def _look(self, snapshot: Snapshot) -> None:
        """Keep what pictures need."""
        if not self.frames:
            return
        from gliocast.report.film import Shot  # matplotlib comes with it, for half a second

        density = snapshot.density
        self.curve.append((float(density.day or 0), density.burden() / MM3_PER_ML))
        if density.day in (0.0, *self.frames):
            self.shots.append(Shot.of(density, snapshot.fields.get("displacement"), snapshot.fields.get("necrotic")))


def _scalars(snapshot: Snapshot) -> dict[str, np.ndarray]:
    """What a series is written of, by name."""
    fields = {name: data for name, data in snapshot.fields.items() if name not in LAST_DAY_FIELDS}
    return {"density": snapshot.density.data, **fields}


def _require_one_day(out: Path, choices: Choices) -> None:
    if not out.name.endswith(".nii.gz"):
        raise InputError(
            "output",
            expected="a name ending in .nii.gz, or a folder",
            got=out.name,
            advice="add or leave out the ending",
        )
    ending = choices.ending
    if len(ending.days) > 1 or ending.every is not None:
        raise InputError(
            "output",
            expected="a folder for several days",
            got=out.name,
            advice="leave out .nii.gz to write a folder, or name one day",
        )


def _grow_to_end(experiment: Experiment, choices: Choices) -> Density:
    """The density when growth ends."""
    simulator, stop = experiment.simulator, choices.ending.stop
    if stop is not None:
        return simulator.until(experiment.values, experiment.anatomy, stop).density
    (day,) = choices.ending.schedule(choices.ending.last)
    return simulator(experiment.values, experiment.anatomy, days=[day])[0]


def _find_end(experiment: Experiment, choices: Choices, monitor: Monitor) -> tuple[float, Snapshot | None]:
    """The last day [d], and the tumor on it if its size decides."""
    stop = choices.ending.stop
    if stop is None:
        return choices.ending.last, None
    monitor.begin("size")
    stopped = experiment.simulator.until(experiment.values, experiment.anatomy, stop)
    day = float(stopped.density.day or 0)
    monitor.note(f"the size is reached on day {day:.1f}")
    return day, stopped


def _curve_days(treatments: Treatments, last: float) -> list[float]:
    """Days [d] on which the burden changes its course: the ends of every treatment, and right after a resection."""
    days = [day for entry in treatments for day in (entry.days[0], entry.days[-1])]
    days += [entry.day + _AFTERWARD for entry in treatments if isinstance(entry, Resection)]
    return [day for day in days if 0 < day < last]


def _write_one(path: Path, data: np.ndarray, experiment: Experiment) -> None:
    if experiment.like is None:
        write_volume(path, data, experiment.anatomy.grid)
    else:
        write_like(path, data, experiment.like)


def _write_last_day(folder: Path, snapshot: Snapshot, experiment: Experiment) -> None:
    """What the tumor made of the anatomy, where the equation says it."""
    for name in LAST_DAY_FIELDS:
        data = snapshot.fields.get(name)
        if data is None:
            continue
        path = folder / f"{name}.nii.gz"
        if data.ndim == 4:
            write_vectors(path, data, experiment.anatomy.grid, like=experiment.like)
        else:
            _write_one(path, data, experiment)


def _write_pictures(folder: Path, experiment: Experiment, reel: _Reel, progress: Callable[[float], None]) -> None:
    from gliocast.report.film import Film
    from gliocast.report.movie import growth_gif
    from gliocast.report.strip import growth_strip

    film = Film(
        title=experiment.equation.title,
        grid=experiment.anatomy.grid,
        background=experiment.background,
        brain=experiment.anatomy.brain,
        shots=reel.shots,
        curve=np.array(reel.curve).T,
        treatments=experiment.treatments,
    )
    (folder / "growth.png").write_bytes(growth_strip(film))
    (folder / "growth.gif").write_bytes(growth_gif(film, progress=progress))
