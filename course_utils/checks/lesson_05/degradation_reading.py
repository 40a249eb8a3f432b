"""A table of a shallow and a deep plain net, to be read."""

from course_utils.checks.lesson_05 import LESSON
from course_utils.judging.exercise import choice

EXERCISE = choice(
    "degradation_reading",
    LESSON,
    right="d",
    wrong={
        "a": "an overfitted net is good on the examples it was trained on; B is worse than A on "
        "them too",
        "b": "B's gradient is 30,000 times as long after its first layer as after its last block: "
        "it does not vanish on the way back",
        "c": "B could copy A's 18 layers and let the other 36 return what they are given, so it "
        "can compute whatever A computes",
        "e": "the table ends after 2000 steps: it tells that B is slower, and nothing about what "
        "it would reach in the end",
    },
    points=1,
    required=False,
    minutes=4,
    difficulty=2,
    hints=(
        "Begin with the training loss alone. What does overfitting do to it?",
        "Which columns say something about the gradient, and which way does it grow?",
        "What does the table say about weights that exist, and what about weights that were found?",
    ),
)
