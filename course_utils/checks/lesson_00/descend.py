"""Gradient descent by hand, on a linear model."""

from course_utils.checks.lesson_00 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case


def _descend(X, t, w, learning_rate, steps):
    for _ in range(steps):
        w = w - learning_rate * X.T @ (X @ w - t) / len(t)
    return w


def _descent_case(title, n, d, learning_rate, steps, **fields):
    arrays = {"X": (n, d), "t": (n,), "w": (d,)}
    return normal_case(title, **arrays, learning_rate=learning_rate, steps=steps, **fields)


EXERCISE = Exercise(
    name="descend",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        _descent_case("one step", 5, 2, 0.1, 1),
        _descent_case("five steps", 7, 3, 0.2, 5),
        _descent_case("no step at all returns w", 3, 2, 0.1, 0, held_back=True),
    ),
    reference=_descend,
    mistakes=(
        Mistake(
            "you walk uphill: the step goes against the gradient, w − η·gradient",
            lambda X, t, w, learning_rate, steps: _descend(X, t, w, -learning_rate, steps),
        ),
        Mistake(
            "the mean is missing: divide the gradient by the number of examples n",
            lambda X, t, w, learning_rate, steps: _descend(X, t, w, learning_rate * len(t), steps),
        ),
        Mistake(
            "divide by the number of examples, the rows of X, not by the number of weights",
            lambda X, t, w, learning_rate, steps: _descend(
                X, t, w, learning_rate * len(t) / len(w), steps
            ),
        ),
        Mistake(
            "the gradient is computed once and used in every step; w moves, so it has to be "
            "computed again",
            lambda X, t, w, learning_rate, steps: _descend(X, t, w, learning_rate * steps, 1),
        ),
        Mistake(
            "the gradient is twice too large: the ½ in the loss cancels the 2 of the square",
            lambda X, t, w, learning_rate, steps: _descend(X, t, w, 2 * learning_rate, steps),
        ),
        Mistake(
            "that is one step only: repeat it `steps` times",
            lambda X, t, w, learning_rate, steps: _descend(X, t, w, learning_rate, 1),
        ),
        Mistake(
            "you return w as it was: the update has to be assigned back to w",
            lambda X, t, w, learning_rate, steps: w,
        ),
        Mistake(
            "the learning rate is missing",
            lambda X, t, w, learning_rate, steps: _descend(X, t, w, 1.0, steps),
        ),
    ),
    hints=(
        "With the errors e = X @ w − t the loss is the mean of ½ e².",
        "Its gradient is X.T @ e / n.",
        "Write w = w − learning_rate * gradient inside a loop; `w -= …` would change the "
        "caller's array.",
    ),
)
