"""Patient to report: composition only, no science."""

from gliocast.pipeline.deliver import agreement, run, run_demo
from gliocast.pipeline.personalize import Findings, Options, personalize
from gliocast.pipeline.stages import grow_to_file, plan_to_folder
from gliocast.pipeline.stopwatch import Stopwatch

__all__ = [
    "Findings",
    "Options",
    "Stopwatch",
    "agreement",
    "grow_to_file",
    "personalize",
    "plan_to_folder",
    "run",
    "run_demo",
]
