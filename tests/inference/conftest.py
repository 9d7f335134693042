"""Targets whose posterior is known are shared with validation, which is no package that tests could import."""

import importlib.util
import sys
from pathlib import Path

_NAME = "analytic_targets"
_SPEC = importlib.util.spec_from_file_location(_NAME, Path(__file__).parents[2] / "validation" / f"{_NAME}.py")
assert _SPEC is not None
assert _SPEC.loader is not None
sys.modules[_NAME] = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(sys.modules[_NAME])
