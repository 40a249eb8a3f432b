"""A start that is quiet and able to learn."""

from course_utils.checks.lesson_06 import LESSON
from course_utils.judging.exercise import choice

EXERCISE = choice(
    "first_step",
    LESSON,
    right="c",
    wrong={
        "a": "each of these branches is about as long as the stream and adds to it: 400 of them "
        "overflow",
        "b": "the output is the input, but the gradient of W is multiplied by the gate, and that "
        "is 0: in the first step the gates alone move",
        "d": "relu(0) is 0, and so is its derivative in PyTorch: neither the gate nor W gets a "
        "gradient, in this step or in any other",
    },
    points=1,
    required=False,
    minutes=3,
    difficulty=2,
    hints=(
        "Take one block and write down the gradients of g and of W.",
        "The gradient of W contains g as a factor, that of g contains relu(W h).",
        "Both are not zero only if neither g nor relu(W h) is 0. And 400 · g has to stay small.",
    ),
)
