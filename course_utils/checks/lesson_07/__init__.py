"""Lesson 07: many paths."""

LESSON = "07_many_paths"
EXERCISES = (
    "path_sums",
    "gain_for_length",
    "what_lesions_show",
    "dropped_forward",
    "survival_schedule",
)
