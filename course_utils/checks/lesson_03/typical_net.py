"""The net that one draws, beside the mean of all nets."""

from course_utils.checks.lesson_03 import LESSON
from course_utils.judging.exercise import choice

EXERCISE = choice(
    "typical_net",
    LESSON,
    right="b",
    wrong={
        "a": "1 is the mean over all nets, and a few very large ones hold it up; in one net a 0.5 "
        "and a 1.5 together give 0.75",
        "c": "up and down do not balance: 0.5 halves and 1.5 does not double, so equally many of "
        "both shrink the product",
        "d": "1.5 compounds, but 0.5 compounds faster: a 0.5 and a 1.5 together give 0.75",
    },
    points=1,
    required=False,
    minutes=3,
    difficulty=2,
    hints=(
        "A typical net meets about 50 factors of 0.5 and 50 of 1.5.",
        "In a product the order does not matter: pair each 0.5 with a 1.5.",
        "One pair gives 0.75. What do 50 pairs give?",
    ),
)
