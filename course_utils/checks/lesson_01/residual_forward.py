"""A forward pass: x + tanh(x W1) W2."""

import numpy as np

from course_utils.checks.lesson_01 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case


def _branch_case(title, batch, width, hidden, **fields):
    return normal_case(title, x=(batch, width), W1=(width, hidden), W2=(hidden, width), **fields)


def _tanh_branch(x, W1, W2):
    return np.tanh(x @ W1) @ W2


EXERCISE = Exercise(
    name="residual_forward",
    lesson=LESSON,
    points=1,
    required=True,
    minutes=5,
    difficulty=1,
    kind="function",
    cases=(
        _branch_case("a batch of three, a wider branch", 3, 2, 5),
        normal_case("W2 = 0, so that F(x) = 0", x=(2, 3), W1=(3, 3), W2=np.zeros((3, 3))),
        _branch_case("one vector", 1, 4, 2, held_back=True),
    ),
    reference=lambda x, W1, W2: x + _tanh_branch(x, W1, W2),
    mistakes=(
        Mistake(
            "the shortcut is missing: you return F(x), the block returns x + F(x)",
            _tanh_branch,
        ),
        Mistake(
            "the shortcut is doubled: you return 2x + F(x)",
            lambda x, W1, W2: 2 * x + _tanh_branch(x, W1, W2),
        ),
        Mistake(
            "you add F(x) to itself: the second term of the sum is x",
            lambda x, W1, W2: 2 * _tanh_branch(x, W1, W2),
        ),
        Mistake(
            "a tanh sits on the sum: it belongs inside the branch, the trunk stays linear",
            lambda x, W1, W2: np.tanh(x + x @ W1 @ W2),
        ),
        Mistake(
            "a second tanh sits on the sum: then x no longer passes unchanged",
            lambda x, W1, W2: np.tanh(x + _tanh_branch(x, W1, W2)),
        ),
        Mistake("the tanh is missing", lambda x, W1, W2: x + x @ W1 @ W2),
        Mistake(
            "the tanh belongs between W1 and W2, not after W2",
            lambda x, W1, W2: x + np.tanh(x @ W1 @ W2),
        ),
        Mistake(
            "you subtract the branch: the block is x + F(x)",
            lambda x, W1, W2: x - _tanh_branch(x, W1, W2),
        ),
        Mistake(
            "this branch has a tanh, not a ReLU", lambda x, W1, W2: x + np.maximum(x @ W1, 0) @ W2
        ),
        Mistake(
            "a second tanh follows W2: the branch ends with W2",
            lambda x, W1, W2: x + np.tanh(_tanh_branch(x, W1, W2)),
        ),
    ),
    hints=(
        "Compute the branch first: two matrix products with a tanh between them.",
        "The branch ends with the shape it began with, so x can be added entry by entry.",
        "return x + np.tanh(x @ ...) @ ...",
    ),
)
