"""A monitor that says nothing; the default of every long job."""


class Silence:
    """Plays the Monitor role and keeps quiet."""

    def begin(self, stage: str) -> None:
        """A stage begins."""

    def advance(self, fraction: float) -> None:
        """The stage has come this far."""

    def note(self, message: str) -> None:
        """Something to read."""
