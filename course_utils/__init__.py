"""The helper package of the Residual Course.

Importing it imports neither torch nor matplotlib: the names below are looked up
when they are first used.
"""

import importlib

_HOMES = {
    "check": "course_utils.practice.notebook",
    "hint": "course_utils.practice.notebook",
    "predict": "course_utils.widgets.predict",
    "scorecard": "course_utils.widgets.scorecard",
    "setup": "course_utils.environment",
}
__all__ = ["check", "hint", "predict", "scorecard", "setup"]


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError(f"module 'course_utils' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
