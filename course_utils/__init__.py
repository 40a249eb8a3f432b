"""The helper package of the Residual Course.

Importing it imports neither torch nor matplotlib: the names below are looked up
when they are first used.
"""

from course_utils import lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    {
        "practice.notebook": ["check", "hint"],
        "environment": ["setup"],
        "widgets.predict": ["predict"],
        "widgets.scorecard": ["scorecard"],
    },
)
