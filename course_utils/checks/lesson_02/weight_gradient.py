"""The gradient of a weight that lies below a shortcut."""

from course_utils.checks.lesson_02 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case


def _weight_gradient(x, A, B, dH, shortcut=1.0, branch=1.0):
    return x.T @ (shortcut * dH + branch * dH @ B.T)


def _linear_case(title, batch, width, **fields):
    arrays = {"x": (batch, width), "A": (width, width), "B": (width, width)}
    return normal_case(title, **arrays, dH=(batch, width), **fields)


EXERCISE = Exercise(
    name="weight_gradient",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        _linear_case("four examples of three features", 4, 3),
        _linear_case("two examples of two features", 2, 2),
        _linear_case("one example", 1, 5, held_back=True),
    ),
    reference=_weight_gradient,
    mistakes=(
        Mistake(
            "the shortcut of the second block is missing: dH also reaches h directly",
            lambda x, A, B, dH: _weight_gradient(x, A, B, dH, shortcut=0.0),
        ),
        Mistake(
            "the branch of the second block is missing: dH also comes back through B",
            lambda x, A, B, dH: _weight_gradient(x, A, B, dH, branch=0.0),
        ),
        Mistake(
            "your result is transposed: entry (i, j) belongs to A[i, j]",
            lambda x, A, B, dH: _weight_gradient(x, A, B, dH).T,
        ),
        Mistake(
            "a gradient goes back through B transposed",
            lambda x, A, B, dH: x.T @ (dH + dH @ B),
        ),
        Mistake(
            "A multiplies x, so its gradient contains x, not h",
            lambda x, A, B, dH: (x + x @ A).T @ (dH + dH @ B.T),
        ),
        Mistake(
            "you average over the batch; the loss sums over it",
            lambda x, A, B, dH: _weight_gradient(x, A, B, dH) / len(x),
        ),
        Mistake(
            "that is the gradient of B: it contains h and dH; A lies one block below",
            lambda x, A, B, dH: (x + x @ A).T @ dH,
        ),
    ),
    hints=(
        "First find the gradient that arrives at h, the output of the first block.",
        "h reaches H along the shortcut and through B: dh = dH + dH @ B.T",
        "In x A, x stands on the left, so the gradient of A is x.T @ dh.",
    ),
)
