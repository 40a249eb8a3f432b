"""Lesson 01: the residual block."""

LESSON = "01_residual_block"
EXERCISES = (
    "residual_forward",
    "SkipBlock",
    "what_f_learns",
    "project_forward",
    "deepen",
)
