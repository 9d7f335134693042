"""How long each stage took."""

import time

from gliocast.core import Monitor

#: Stages of a patient from scans to report, in their order; `segment` only where nobody has segmented.
STAGES = ("read", "segment", "anatomy", "fit", "density", "plan", "forecast", "write", "report")


class Stopwatch:
    """Plays the Monitor role for another monitor and remembers how long each stage took."""

    def __init__(self, monitor: Monitor) -> None:
        self._monitor, self._stage, self._since = monitor, "", time.perf_counter()
        self.seconds: dict[str, float] = {}

    def begin(self, stage: str) -> None:
        """A stage begins; the one before it is over."""
        self.stop()
        self._stage, self._since = stage, time.perf_counter()
        self._monitor.begin(stage)

    def stop(self) -> None:
        """The stage that runs is over."""
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + time.perf_counter() - self._since
        self._stage = ""

    def advance(self, fraction: float) -> None:
        """The stage has come this far."""
        self._monitor.advance(fraction)

    def note(self, message: str) -> None:
        """Something to read."""
        self._monitor.note(message)
