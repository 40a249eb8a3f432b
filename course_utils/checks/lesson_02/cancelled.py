"""What is left of a gradient where one block has the Jacobian −I in its branch."""

from course_utils.checks.lesson_02 import LESSON
from course_utils.judging.exercise import choice

EXERCISE = choice(
    "cancelled",
    LESSON,
    right="c",
    wrong={
        "a": "a thirtieth would be lost if the blocks' gradients were added; they are multiplied",
        "b": "there is no way around a block: what leaves it is J-transposed times what entered, "
        "and here that is 0",
        "d": "the other 29 blocks multiply what they are given; 0 stays 0",
    },
    points=1,
    required=False,
    minutes=2,
    difficulty=1,
    hints=(
        "What is the Jacobian I + J_F of that block?",
        "The gradient below the block is its transpose times the gradient above it.",
        "I + J_F is 0; whatever the other blocks do, they multiply by it.",
    ),
)
