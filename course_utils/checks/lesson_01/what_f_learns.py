"""What a branch has to learn for its block to do nothing."""

from course_utils.checks.lesson_01 import LESSON
from course_utils.judging.exercise import choice

EXERCISE = choice(
    "what_f_learns",
    LESSON,
    right="c",
    wrong={
        "a": "with F(x) = x the block returns x + x = 2x: that is the answer for a plain layer",
        "b": "with F(x) = 1 the block returns x + 1: every entry is shifted",
        "d": "with F(x) = −x the block returns x − x = 0: it wipes the stream out",
    },
    points=1,
    required=False,
    minutes=3,
    difficulty=1,
    hints=(
        "Write down what the block returns, x + F(x).",
        "It should equal x, for every x.",
        "Solve x + F(x) = x for F(x).",
    ),
)
