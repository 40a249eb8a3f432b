"""Lesson 08: shattered gradients."""

LESSON = "08_shattered_gradients"
EXERCISES = (
    "lag_correlation",
    "with_gains",
    "does_it_shatter",
    "filter_normalised",
    "spread_gains",
)
