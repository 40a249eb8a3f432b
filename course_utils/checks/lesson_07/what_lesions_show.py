"""A table of lesions, to be read."""

from course_utils.checks.lesson_07 import LESSON
from course_utils.judging.exercise import choice

EXERCISE = choice(
    "what_lesions_show",
    LESSON,
    right="b",
    wrong={
        "a": "B has a shortcut and falls to 0.31; D has none and keeps 0.93",
        "c": "no vote was measured: in all four nets each block works on what the one before it "
        "returned, and was trained together with it. That an accuracy survives does not make its "
        "blocks independent",
        "d": "one block at a time was deleted. If each of them adds a little, any one can go and "
        "all of them cannot; the table does not say what is left without all 16",
        "e": "B is the most accurate of the four, and falls to 0.31; D is less accurate than B and "
        "keeps 0.93",
    },
    points=1,
    required=True,
    minutes=6,
    difficulty=2,
    hints=(
        "Which two nets keep their accuracy? Look for a column in which they agree with each other "
        "and differ from the other two.",
        "Test each sentence on all four rows. One row against it is enough.",
        "Two of the sentences speak of something that the table does not contain at all.",
    ),
)
