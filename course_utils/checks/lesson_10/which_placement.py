"""Where the norm stands, told from a table."""

from course_utils.checks.lesson_10 import LESSON
from course_utils.judging.exercise import choice

EXERCISE = choice(
    "which_placement",
    LESSON,
    right="d",
    wrong={
        "a": "a sublayer that reads the stream without a norm puts out more the longer it is, and "
        "then its step stays about the same share. Here the step falls from 0.70 to 0.20, and "
        "the rms goes to 7, not into the thousands",
        "b": "behind a norm on the trunk the rms is 1 after every block. Here it goes from 2.0 to "
        "7.2",
        "c": "the growth would fit. But a pre-norm sublayer adds what its last matrix puts out. "
        "Doubled, it adds twice as much: a pre-norm net of this size that had the rms 4.0 after "
        "24 blocks then has 7.9. Here nothing changes",
        "e": "before training α is 0: each block would return what it is given, with the step 0 "
        "and the rms 2.0 in every row. Here the first step is 0.70",
    },
    points=1,
    required=True,
    minutes=6,
    difficulty=2,
    hints=(
        "What is the rms right behind a norm? Which placements does that leave?",
        "Square the rms: 4, 6, 16, 28, 52. How much does each of the two sublayers of a block "
        "add? And is that what a random matrix would hit upon?",
        "The second experiment: a matrix twice as large doubles what it puts out. Where does a "
        "norm have to stand so that this is not seen on the stream?",
    ),
)
