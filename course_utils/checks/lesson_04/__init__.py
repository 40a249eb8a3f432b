"""Lesson 04: trainable depth."""

LESSON = "04_trainable_depth"
EXERCISES = (
    "equal_steps",
    "honest_accuracy",
    "shared_rate",
    "stream_size",
    "plain_start",
)
