"""What a person sees while a job runs: stages, their times, a bar; notes in between. All on stderr."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from gliocast.core import Monitor, Silence

#: How a note begins that is shown however quiet a job is to be.
ALARM = "WARNING: "


class Bars:
    """Plays the Monitor role on a terminal: one bar per stage."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._task: TaskID | None = None

    def begin(self, stage: str) -> None:
        """A stage begins; the one before it is over."""
        self.finish()
        self._task = self._progress.add_task(stage, total=1.0)

    def advance(self, fraction: float) -> None:
        """The stage has come this far."""
        if self._task is not None:
            self._progress.update(self._task, completed=min(fraction, 1.0))

    def note(self, message: str) -> None:
        """A line above the bars."""
        self._progress.console.print(message, highlight=False, markup=False)

    def finish(self) -> None:
        """The stage that runs is over."""
        if self._task is not None:
            self._progress.update(self._task, completed=1.0)
            self._progress.stop_task(self._task)


class Lines:
    """Plays the Monitor role where no terminal is: a line when a stage is over."""

    def __init__(self) -> None:
        self._stage, self._since = "", 0.0

    def begin(self, stage: str) -> None:
        """A stage begins; the one before it is over."""
        self.finish()
        self._stage, self._since = stage, time.perf_counter()

    def advance(self, fraction: float) -> None:
        """Lines don't move."""

    def note(self, message: str) -> None:
        """A line."""
        print(message, file=sys.stderr, flush=True)

    def finish(self) -> None:
        """The stage that runs is over."""
        if self._stage:
            print(f"{self._stage:<10s} {time.perf_counter() - self._since:6.1f} s", file=sys.stderr, flush=True)
        self._stage = ""


class Alarms(Silence):
    """Plays the Monitor role where a person wants quiet: says what no one may miss, and nothing else."""

    def note(self, message: str) -> None:
        """A line, if it is a warning in capitals."""
        if message.startswith(ALARM):
            print(message, file=sys.stderr, flush=True)


@contextmanager
def watching(*, quiet: bool) -> Iterator[Monitor]:
    """A monitor for as long as a job runs."""
    console = Console(stderr=True)
    if quiet:
        yield Alarms()
    elif console.is_terminal:
        columns = (
            SpinnerColumn(finished_text=" "),
            TextColumn("{task.description:<10s}"),
            BarColumn(),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=console) as progress:
            bars = Bars(progress)
            yield bars
            bars.finish()
    else:
        lines = Lines()
        yield lines
        lines.finish()
