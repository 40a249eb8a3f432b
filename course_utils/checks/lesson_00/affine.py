"""A layer for a batch: y = x Wᵀ + c."""

from course_utils.checks.lesson_00 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case


def _affine_case(title, batch, d_in, d_out, **fields):
    return normal_case(title, x=(batch, d_in), W=(d_out, d_in), c=(d_out,), **fields)


def _square(W):
    return W.shape[0] == W.shape[1]


EXERCISE = Exercise(
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
