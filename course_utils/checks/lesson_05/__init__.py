"""Lesson 05: degradation."""

LESSON = "05_degradation"
EXERCISES = (
    "stage_strides",
    "bn_backward",
    "degradation_reading",
    "PooledShortcut",
    "IdentityStart",
)
