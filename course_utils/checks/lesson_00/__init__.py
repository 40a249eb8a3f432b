"""Lesson 00: vectors, Jacobians, one training loop."""

LESSON = "00_start_here"
EXERCISES = (
    "affine",
    "central_difference",
    "learning_rate_limit",
    "descend",
    "lowest_point",
)
