"""A Jacobian, measured column by column with central differences."""

import numpy as np

from course_utils.checks.lesson_00 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case


def _f(W, x):
    return np.tanh(W @ x)


def _columns(W, x, eps, column):
    return np.stack([column(eps * unit) for unit in np.eye(len(x))], axis=1)


def _central(W, x, eps):
    return _columns(W, x, eps, lambda step: (_f(W, x + step) - _f(W, x - step)) / (2 * eps))


EXERCISE = Exercise(
    name="central_difference",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=15,
    difficulty=2,
    kind="function",
    # a wide step, so that the formula and the exact derivative can be told apart
    cases=(
        normal_case("two inputs, three outputs, a wide step", W=(3, 2), x=(2,), eps=0.3),
        normal_case("three inputs, three outputs", W=(3, 3), x=(3,), eps=0.1),
        normal_case("one input, four outputs", W=(4, 1), x=(1,), eps=0.2, held_back=True),
    ),
    reference=_central,
    mistakes=(
        Mistake(
            "that is the one-sided difference (f(x + eps) − f(x)) / eps; step to both sides",
            lambda W, x, eps: _columns(W, x, eps, lambda s: (_f(W, x + s) - _f(W, x)) / eps),
        ),
        Mistake(
            "that is the one-sided difference (f(x) − f(x − eps)) / eps; step to both sides",
            lambda W, x, eps: _columns(W, x, eps, lambda s: (_f(W, x) - _f(W, x - s)) / eps),
        ),
        Mistake(
            "/ 2 * eps divides by 2 and then multiplies by eps: write / (2 * eps)",
            lambda W, x, eps: 2 * eps**2 / 2 * _central(W, x, eps),
        ),
        Mistake(
            "the two points are 2·eps apart: divide by 2·eps",
            lambda W, x, eps: 2 * _central(W, x, eps),
        ),
        Mistake(
            "the difference is not divided yet: divide by 2·eps",
            lambda W, x, eps: 2 * eps * _central(W, x, eps),
        ),
        Mistake(
            "your Jacobian is transposed: row i belongs to output i, column j to input j",
            lambda W, x, eps: _central(W, x, eps).T,
        ),
        Mistake(
            "that is the exact derivative; the exercise asks for the difference quotient, "
            "which needs only values of f",
            lambda W, x, eps: (1 - _f(W, x) ** 2)[:, None] * W,
        ),
        Mistake(
            "you moved all inputs at once: move one input at a time, one column for each",
            lambda W, x, eps: (_f(W, x + eps) - _f(W, x - eps)) / (2 * eps),
        ),
    ),
    hints=(
        "Column j asks: how do all outputs change when only input j moves?",
        "np.eye(len(x)) has the unit steps as rows; x + eps * row moves one input.",
        "for step in eps * np.eye(len(x)): append the difference quotient to a list; then "
        "np.stack(columns, axis=1) sets the columns side by side.",
    ),
)
