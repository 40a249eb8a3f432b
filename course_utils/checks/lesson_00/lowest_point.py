"""The lowest point of a bowl ½ wᵀA w − bᵀw, found in any way."""

import numpy as np

from course_utils.checks.lesson_00 import LESSON
from course_utils.judging import expect
from course_utils.judging.exercise import Case, Exercise, Mistake, Property


def _quadratic(title, d, spread, **fields):
    def arguments(rng):
        turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
        return {"A": turn @ np.diag(np.geomspace(1, spread, d)) @ turn.T, "b": rng.normal(size=d)}

    return Case(title, arguments, **fields)


def _vector_fault(arguments, value):
    d = len(arguments["b"])
    if not expect.is_array(value):
        return expect.array(value, (d,))
    if value.shape != (d,):
        return f"expected an array of shape ({d},), got shape {value.shape}"
    if not np.isfinite(value).all():
        return f"expected finite numbers, got {value}; a smaller learning rate does not diverge"
    return ""


def _slope_fault(arguments, value):
    slope = np.linalg.norm(arguments["A"] @ value - arguments["b"])
    bound = 1e-6 if value.dtype.itemsize == 8 else 1e-3  # float32 cannot do better
    if slope <= bound:
        return ""
    nearly = "; nearly there, take more steps" if slope < 1e-2 else ""
    return f"expected the gradient A w − b to be shorter than {bound:g}, got {slope:.3g}{nearly}"


EXERCISE = Exercise(
    name="lowest_point",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        _quadratic("two weights, a round bowl", 2, 2.0),
        _quadratic("four weights, a bowl 20 times steeper one way", 4, 20.0),
        _quadratic("six weights", 6, 50.0, held_back=True),
    ),
    properties=(
        Property("w is a vector", _vector_fault),
        Property("the slope at w is 0", _slope_fault),
    ),
    mistakes=(
        Mistake(
            "that is the right point with the wrong sign: the slope is A w − b, not A w + b",
            lambda A, b: -np.linalg.solve(A, b),
        ),
        Mistake("A b points uphill first; the lowest point solves A w = b", lambda A, b: A @ b),
        Mistake("b is the first step of gradient descent from 0; keep going", lambda A, b: b),
        Mistake("0 is only where you start", lambda A, b: np.zeros_like(b)),
    ),
    hints=(
        "At the lowest point of ½ wᵀA w − bᵀw the gradient A w − b is zero.",
        "You may walk there: a few thousand steps against the gradient, learning rate 0.02.",
        "Or solve the linear system A w = b in one go: np.linalg.solve.",
    ),
)
