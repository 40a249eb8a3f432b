"""What one shared learning rate shows, and what it does not."""

from course_utils.checks.lesson_04 import LESSON
from course_utils.judging.exercise import choice

EXERCISE = choice(
    "shared_rate",
    LESSON,
    right="c",
    wrong={
        "a": "it was trained at one rate only, and that rate was chosen for another net; a "
        "smaller one may well train it",
        "b": "an accuracy says nothing about gradients. They may as well have exploded, or be fine "
        "while the rate is too large: measure them",
        "d": "at equal steps the deep net has already computed more than seven times as much; "
        "equal compute gives it fewer steps, not more",
    },
    points=1,
    required=False,
    minutes=3,
    difficulty=1,
    hints=(
        "What was the same for both nets, and for which of them was it chosen?",
        "Name everything that could explain 0.35: the depth, the rate, the number of steps. Which "
        "of them were varied?",
        "A claim is only as wide as what was tried: one rate, 300 steps.",
    ),
)
