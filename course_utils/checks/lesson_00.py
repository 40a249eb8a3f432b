"""Exercises of lesson 00: vectors, Jacobians, one training loop."""

import numpy as np

from course_utils.checks.exercise import Case, Exercise, Mistake, Property, normal_case
from course_utils.checks.values import kind_of

LESSON = "00_start_here"


def _affine_case(title, batch, d_in, d_out, **fields):
    return normal_case(title, x=(batch, d_in), W=(d_out, d_in), c=(d_out,), **fields)


def _square(W):
    return W.shape[0] == W.shape[1]


affine = Exercise(
    name="affine",
    lesson=LESSON,
    points=1,
    required=True,
    minutes=5,
    difficulty=1,
    kind="function",
    cases=(
        _affine_case("three vectors from 2 to 4 features", 3, 2, 4),
        _affine_case("two vectors, as many features out as in", 2, 3, 3),
        _affine_case("one vector", 1, 5, 2, held_back=True),
    ),
    reference=lambda x, W, c: x @ W.T + c,
    mistakes=(
        Mistake("the bias c is missing", lambda x, W, c: x @ W.T),
        Mistake(
            "W is stored as (d_out, d_in): row i makes output i, so a batch of rows needs W.T",
            lambda x, W, c: x @ W + c if _square(W) else None,
        ),
        Mistake(
            "the result is transposed: one row per vector of the batch is expected",
            lambda x, W, c: (x @ W.T + c).T,
        ),
        Mistake("the bias is added, not subtracted", lambda x, W, c: x @ W.T - c),
        Mistake(
            "that is a sum over the batch: each vector keeps a row of its own",
            lambda x, W, c: (x @ W.T + c).sum(0),
        ),
    ),
    hints=(
        "For one vector x of shape (d_in,) the answer is W @ x + c, of shape (d_out,).",
        "c of shape (d_out,) is added to every row by itself: broadcasting.",
        "In a batch the vectors are rows. Row times W transposed is the same sum: x @ W.T",
    ),
)


def _f(W, x):
    return np.tanh(W @ x)


def _columns(W, x, eps, column):
    return np.stack([column(eps * unit) for unit in np.eye(len(x))], axis=1)


def _central(W, x, eps):
    return _columns(W, x, eps, lambda step: (_f(W, x + step) - _f(W, x - step)) / (2 * eps))


central_difference = Exercise(
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

learning_rate_limit = Exercise(
    name="learning_rate_limit",
    lesson=LESSON,
    points=1,
    required=False,
    minutes=5,
    difficulty=1,
    kind="number",
    cases=(Case("your number", lambda rng: {}),),
    reference=lambda: 0.25,
    mistakes=(
        Mistake(
            "0.125 = 1/c is the rate that arrives in one step; at slightly larger rates w "
            "changes sign and still shrinks",
            lambda: 0.125,
        ),
        Mistake("2 is the limit for c = 1; a steeper parabola needs smaller steps", lambda: 2.0),
        Mistake("that is the factor's slope, 8; set |1 − 8η| equal to 1", lambda: 8.0),
        Mistake("at 0 nothing moves at all; look for the other end", lambda: 0.0),
        Mistake("check the factor: 1 − 8·0.5 = −3, far outside −1 to 1", lambda: 0.5),
    ),
    hints=(
        "One step multiplies w by 1 − η c.",
        "The error stops shrinking when that factor reaches 1 or −1.",
        "Solve 1 − 8η = −1.",
    ),
)


def _descend(X, t, w, learning_rate, steps):
    for _ in range(steps):
        w = w - learning_rate * X.T @ (X @ w - t) / len(t)
    return w


def _descent_case(title, n, d, learning_rate, steps, **fields):
    arrays = {"X": (n, d), "t": (n,), "w": (d,)}
    return normal_case(title, **arrays, learning_rate=learning_rate, steps=steps, **fields)


descend = Exercise(
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


def _quadratic(title, d, spread, **fields):
    def arguments(rng):
        turn, _ = np.linalg.qr(rng.normal(size=(d, d)))
        return {"A": turn @ np.diag(np.geomspace(1, spread, d)) @ turn.T, "b": rng.normal(size=d)}

    return Case(title, arguments, **fields)


def _vector_fault(arguments, value):
    d = len(arguments["b"])
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf":
        return f"expected an array of shape ({d},), got {kind_of(value)}"
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


lowest_point = Exercise(
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

EXERCISES = (affine, central_difference, learning_rate_limit, descend, lowest_point)
