"""A block whose shapes do not fit, mended with a matrix on the shortcut."""

import numpy as np

from course_utils.checks.lesson_01 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case


def _project_case(title, batch, d_in, d_out, **fields):
    arrays = {"x": (batch, d_in), "W1": (d_in, 5), "W2": (5, d_out), "P": (d_in, d_out)}
    return normal_case(title, **arrays, **fields)


def _relu_branch(x, W1, W2):
    return np.maximum(x @ W1, 0) @ W2


def _pad(x, W1, W2, P):
    d_in, d_out = P.shape
    kept = np.zeros((len(x), d_out))
    kept[:, : min(d_in, d_out)] = x[:, :d_out]
    return kept + _relu_branch(x, W1, W2)


EXERCISE = Exercise(
    name="project_forward",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=7,
    difficulty=2,
    kind="function",
    cases=(
        _project_case("from 3 to 4 features", 2, 3, 4),
        _project_case("from 4 to 2 features", 3, 4, 2),
        _project_case("from 2 to 7 features", 1, 2, 7, held_back=True),
    ),
    reference=lambda x, W1, W2, P: x @ P + _relu_branch(x, W1, W2),
    mistakes=(
        Mistake(
            "the shortcut is missing: x P is still to be added",
            lambda x, W1, W2, P: _relu_branch(x, W1, W2),
        ),
        Mistake("the branch is missing: you return x P alone", lambda x, W1, W2, P: x @ P),
        Mistake(
            "you fit x by padding or cutting; the shapes agree, but the exercise asks for the "
            "projection x P",
            _pad,
        ),
        Mistake(
            "the ReLU sits on the sum: it belongs inside the branch",
            lambda x, W1, W2, P: np.maximum(x @ P + x @ W1 @ W2, 0),
        ),
        Mistake(
            "a second ReLU sits on the sum: the shortcut is to stay linear",
            lambda x, W1, W2, P: np.maximum(x @ P + _relu_branch(x, W1, W2), 0),
        ),
        Mistake(
            "a ReLU sits on the shortcut: x P passes as it is",
            lambda x, W1, W2, P: np.maximum(x @ P, 0) + _relu_branch(x, W1, W2),
        ),
        Mistake("the ReLU is missing", lambda x, W1, W2, P: x @ P + x @ W1 @ W2),
        Mistake(
            "this branch has a ReLU, not a tanh",
            lambda x, W1, W2, P: x @ P + np.tanh(x @ W1) @ W2,
        ),
    ),
    hints=(
        "Which of the two terms has the wrong shape, and which shape does it need?",
        "x has shape (batch, d_in), P has shape (d_in, d_out).",
        "Only the shortcut changes: x becomes x @ P; the branch stays.",
    ),
)
