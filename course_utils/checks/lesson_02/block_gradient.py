"""Back through a residual block with a tanh in its branch."""

import numpy as np

from course_utils.checks.lesson_02 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case


def _branch_gradient(x, W1, W2, dH):
    hidden = np.tanh(x @ W1)
    return ((dH @ W2.T) * (1 - hidden**2)) @ W1.T


def _block_case(title, batch, width, hidden, **fields):
    arrays = {"x": (batch, width), "W1": (width, hidden), "W2": (hidden, width)}
    return normal_case(title, **arrays, dH=(batch, width), **fields)


def _if_square(W1, value):
    return value() if W1.shape[0] == W1.shape[1] else None


EXERCISE = Exercise(
    name="block_gradient",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=15,
    difficulty=2,
    kind="function",
    cases=(
        _block_case("two examples, a wider branch", 2, 3, 5),
        _block_case("two examples, square matrices", 2, 3, 3),
        _block_case("one example", 1, 4, 2, held_back=True),
    ),
    reference=lambda x, W1, W2, dH: dH + _branch_gradient(x, W1, W2, dH),
    mistakes=(
        Mistake(
            "the identity term is missing: dH itself passes along the shortcut, add it",
            _branch_gradient,
        ),
        Mistake("the branch is missing: you return dH alone", lambda x, W1, W2, dH: dH),
        Mistake(
            "the derivative of tanh is missing between W2 and W1",
            lambda x, W1, W2, dH: dH + dH @ W2.T @ W1.T,
        ),
        Mistake(
            "you multiply by tanh(z); its derivative is 1 − tanh(z)²",
            lambda x, W1, W2, dH: dH + ((dH @ W2.T) * np.tanh(x @ W1)) @ W1.T,
        ),
        Mistake(
            "you apply tanh twice: with z = x W1 the derivative is 1 − tanh(z)²",
            lambda x, W1, W2, dH: dH + ((dH @ W2.T) * (1 - np.tanh(np.tanh(x @ W1)) ** 2)) @ W1.T,
        ),
        Mistake(
            "a gradient goes back through the transposed matrices, W2.T first",
            lambda x, W1, W2, dH: _if_square(
                W1, lambda: dH + ((dH @ W2) * (1 - np.tanh(x @ W1) ** 2)) @ W1
            ),
        ),
        Mistake(
            "you subtract the branch's share: the two ways add",
            lambda x, W1, W2, dH: dH - _branch_gradient(x, W1, W2, dH),
        ),
        Mistake(
            "you add x; the shortcut passes the gradient dH on, not the input",
            lambda x, W1, W2, dH: x + _branch_gradient(x, W1, W2, dH),
        ),
        Mistake(
            "that is the forward pass H; the gradient ∂L/∂x is asked for",
            lambda x, W1, W2, dH: x + np.tanh(x @ W1) @ W2,
        ),
    ),
    hints=(
        "Two ways lead from x to H, so two terms add: one along the shortcut, one through F.",
        "Back through F: times W2.T, times the derivative 1 − tanh(z)², times W1.T.",
        "return dH + ((dH @ W2.T) * (1 - np.tanh(x @ W1) ** 2)) @ ...",
    ),
)
