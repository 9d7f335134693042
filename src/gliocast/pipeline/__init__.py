"""Patient to report, and a tumor to files: composition only, no science."""

from gliocast.pipeline.choices import Beginning, Choices, Ending, Fibers, Tissue
from gliocast.pipeline.deliver import agreement, report_page, run, run_demo
from gliocast.pipeline.equations import EQUATIONS, Equation, describe_equation, find_equation
from gliocast.pipeline.personalize import Findings, Options, personalize
from gliocast.pipeline.plan_targets import MODEL_TARGETS, PlannedTargets, TargetChoices, plan_targets
from gliocast.pipeline.reporting import remake_report
from gliocast.pipeline.simulate import simulate_to_file, simulate_to_folder
from gliocast.pipeline.stages import PlanFiles, plan_to_folder
from gliocast.pipeline.stopwatch import Stopwatch

__all__ = [
    "EQUATIONS",
    "MODEL_TARGETS",
    "Beginning",
    "Choices",
    "Ending",
    "Equation",
    "Fibers",
    "Findings",
    "Options",
    "PlanFiles",
    "PlannedTargets",
    "Stopwatch",
    "TargetChoices",
    "Tissue",
    "agreement",
    "describe_equation",
    "find_equation",
    "personalize",
    "plan_targets",
    "plan_to_folder",
    "remake_report",
    "report_page",
    "run",
    "run_demo",
    "simulate_to_file",
    "simulate_to_folder",
]
