"""Lesson 10: where the norm goes."""

LESSON = "10_norm_placement"
EXERCISES = (
    "scale_norm_backward",
    "equal_share_gains",
    "which_placement",
    "PreNormPair",
    "steady_stream",
)
