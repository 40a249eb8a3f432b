"""The fault of a block, told from tests on it."""

from course_utils.checks.lesson_11 import LESSON
from course_utils.judging.exercise import choice

EXERCISE = choice(
    "block_diagnosis",
    LESSON,
    right="b",
    wrong={
        "a": "then each weight of row 5 is divided by a sum in which row 6 has a part, and row 5 "
        "moves when token 6 does. Here it does not",
        "c": "with silent branches this sublayer would return F = 0, and rows of length 0. They "
        "are 5.66 long",
        "d": "that changes what the attention says. With silent branches it says nothing, and the "
        "output would be h",
        "e": "then the block knows the places, and shuffled tokens would not give shuffled rows",
    },
    points=1,
    required=False,
    minutes=5,
    difficulty=2,
    hints=(
        "Go through the sentences one by one: which line of the table would look different?",
        "The last line is the sharpest: with silent branches only the shortcuts and what stands on "
        "them are left.",
        "5.66 is √32, and the width is 32. What makes all rows this long?",
    ),
)
