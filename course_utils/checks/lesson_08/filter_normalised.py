"""A direction whose rows have the lengths of the weights' rows."""

import numpy as np

from course_utils.checks.lesson_08 import LESSON
from course_utils.judging.exercise import Case, Exercise, Mistake


def _rows_case(title, rows, columns, zero_W=(), zero_D=(), held_back=False):
    def draw(rng):
        W = rng.normal(size=(rows, columns)) * rng.uniform(0.2, 4, size=(rows, 1))
        D = rng.normal(size=(rows, columns)) * rng.uniform(0.5, 2, size=(rows, 1))
        W[list(zero_W)] = 0
        D[list(zero_D)] = 0
        return {"W": W, "D": D}

    return Case(title, draw, held_back)


def _scaled(W, D, length=np.linalg.norm, axis=1):
    """Scale D to the length of W along an axis; where D is 0 it stays 0."""
    has, wants = (length(M, axis=axis, keepdims=True) for M in (D, W))
    return D * wants / np.where(has == 0, 1, has)


def _squared_length(M, **how):
    return np.linalg.norm(M, **how) ** 2


def _absolute_sum(M, **how):
    return np.abs(M).sum(**how)


def _lengths_along_rows(W, D):
    if len(W) != W.shape[1] and 1 not in W.shape:
        return None
    has, wants = np.linalg.norm(D, axis=1), np.linalg.norm(W, axis=1)
    return D * wants / np.where(has == 0, 1, has)


EXERCISE = Exercise(
    name="filter_normalised",
    lesson=LESSON,
    points=1,
    required=False,
    minutes=7,
    difficulty=1,
    kind="function",
    cases=(
        _rows_case("four rows of three", 4, 3),
        _rows_case("a row of W is 0", 3, 5, zero_W=(1,)),
        _rows_case("a square matrix, and a row of D is 0", 3, 3, zero_D=(2,)),
        _rows_case("five rows of two, one of them 0 in both", 5, 2, (0,), (0, 3), True),
    ),
    reference=_scaled,
    mistakes=(
        Mistake(
            "one number scales the whole matrix; each row has a length of its own",
            lambda W, D: _scaled(W, D, axis=None),
        ),
        Mistake(
            "you scale the columns; a filter is a row, what one unit reads, so sum over axis 1",
            lambda W, D: _scaled(W, D, axis=0),
        ),
        Mistake(
            "you multiply by the length of W's row and do not divide by that of D's",
            lambda W, D: D * np.linalg.norm(W, axis=1, keepdims=True),
        ),
        Mistake(
            "your rows have the length 1 (or 0): multiply each by the length of W's row",
            lambda W, D: _scaled(np.eye(*W.shape[:1], W.shape[1] + len(W)), D),
        ),
        Mistake(
            "those are squared lengths: the root is missing",
            lambda W, D: _scaled(W, D, _squared_length),
        ),
        Mistake(
            "you add up |entries|; the length of a row is the root of the sum of its squares",
            lambda W, D: _scaled(W, D, _absolute_sum),
        ),
        Mistake(
            "you exchange W and D: that is W with the lengths of D",
            lambda W, D: _scaled(D, W),
        ),
        Mistake(
            "the lengths have the shape (rows,) and so are spread over the columns; keepdims=True "
            "makes it (rows, 1)",
            _lengths_along_rows,
        ),
        Mistake(
            "you add W: return the direction alone",
            lambda W, D: W + _scaled(W, D),
        ),
    ),
    hints=(
        "Two lengths are needed for each row: that of W's row and that of D's.",
        "np.linalg.norm(D, axis=1, keepdims=True) has the shape (rows, 1), so it divides row by "
        "row.",
        "Where D's length is 0, divide by 1 instead, for instance with np.where: 0 stays 0.",
    ),
)
