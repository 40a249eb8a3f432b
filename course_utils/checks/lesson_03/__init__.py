"""Lesson 03: signal at depth."""

LESSON = "03_signal_at_depth"
EXERCISES = (
    "uniform_gain",
    "stack_growth",
    "typical_net",
    "leaky_std",
    "branch_gains",
)
