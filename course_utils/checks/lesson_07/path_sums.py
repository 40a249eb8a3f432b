"""A forward pass along all paths, sorted by length."""

import numpy as np

from course_utils.checks.lesson_07 import LESSON
from course_utils.judging.exercise import Case, Exercise, Mistake


def _paths_case(title, depth, width, a, size, held_back=False):
    def draw(rng):
        M = size / width**0.5 * rng.normal(size=(depth, width, width))
        return {"M": M, "a": a, "x": rng.normal(size=width)}

    return Case(title, draw, held_back)


def _start(M, x):
    """Hold the one path of length 0 before the first block."""
    rows = np.zeros((len(M) + 1, len(x)))
    rows[0] = x
    return rows


def _path_sums(M, a, x):
    rows = _start(M, x)
    for branch in M:
        rows = a * rows + np.concatenate([0 * x[None], rows[:-1] @ branch.T])
    return rows


def _front_to_back(M, a, x):
    rows = _start(M, x)
    for branch in M:
        rows[0] = a * rows[0]
        for k in range(1, len(rows)):
            rows[k] = a * rows[k] + branch @ rows[k - 1]
    return rows


def _row_0_too_early(M, a, x):
    rows = _start(M, x)
    for branch in M:
        rows[0] = a * rows[0]
        rows[1:] = a * rows[1:] + rows[:-1] @ branch.T
    return rows


def _row_0_kept(M, a, x):
    rows = _start(M, x)
    for branch in M:
        rows[1:] = a * rows[1:] + rows[:-1] @ branch.T
    return rows


def _one_path_each(M, a, x):
    rows = [x]
    for branch in M:
        rows.append(branch @ rows[-1])
    return np.array([a ** (len(M) - k) * row for k, row in enumerate(rows)])


EXERCISE = Exercise(
    name="path_sums",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        _paths_case("four blocks of width 3", 4, 3, 0.8, 1.0),
        _paths_case("a = 0: a plain net of three layers", 3, 2, 0.0, 1.0),
        _paths_case("thirty blocks: 2³⁰ paths", 30, 5, 0.9, 0.3),
        _paths_case("seven blocks, a shortcut that turns the sign", 7, 4, -0.6, 1.0, True),
    ),
    reference=_path_sums,
    mistakes=(
        Mistake(
            "the shortcut's gain is missing: each shortcut on a path multiplies by a",
            lambda M, a, x: _path_sums(M, 1.0, x),
        ),
        Mistake(
            "you begin with the last block; forwards, M[0] acts on x first",
            lambda M, a, x: _path_sums(M[::-1], a, x),
        ),
        Mistake(
            "you apply each M transposed, as a gradient does; forwards, a branch gives M_l h",
            lambda M, a, x: _path_sums(M.swapaxes(1, 2), a, x),
        ),
        Mistake(
            "that is the way of a gradient: from the last block to the first, each M transposed. "
            "Here x goes forwards",
            lambda M, a, x: _path_sums(M[::-1].swapaxes(1, 2), a, x),
        ),
        Mistake(
            "that is the lesson's sum for a gradient, backwards and with the shortcut gain 1; here "
            "x goes forwards, and each shortcut multiplies by a",
            lambda M, a, x: _path_sums(M[::-1].swapaxes(1, 2), 1.0, x),
        ),
        Mistake(
            "you overwrite row k − 1 before row k uses it, so a path takes one branch more than "
            "once; make new rows for each block, or go from the last row to the first",
            _front_to_back,
        ),
        Mistake(
            "you multiply row 0 by a before row 1 uses it; the branch reads what came before this "
            "block",
            _row_0_too_early,
        ),
        Mistake(
            "row 0 is x itself; the path of length 0 takes every shortcut, and each one multiplies "
            "by a",
            _row_0_kept,
        ),
        Mistake(
            "every block multiplies by a, also where the path takes its branch: a belongs to the "
            "shortcut alone",
            lambda M, a, x: _path_sums(a * M, a, x),
        ),
        Mistake(
            "a stands before the branches; it is the gain of the shortcuts",
            lambda M, a, x: _path_sums(a * M, 1.0, x),
        ),
        Mistake(
            "you send the whole block, a·I + M, on to the next length; a branch is M_l alone",
            lambda M, a, x: _path_sums(M + a * np.eye(len(x)), a, x),
        ),
        Mistake(
            "that is the sum over all lengths, the whole product applied to x; return its parts",
            lambda M, a, x: _path_sums(M, a, x).sum(0),
        ),
        Mistake(
            "you add up the lengths from 0 to k; row k is for paths of exactly that length",
            lambda M, a, x: _path_sums(M, a, x).cumsum(0),
        ),
        Mistake(
            "the order of the rows is reversed: row k belongs to the paths through k branches",
            lambda M, a, x: _path_sums(M, a, x)[::-1],
        ),
        Mistake(
            "the path of length 0 is missing: the shortcut all the way",
            lambda M, a, x: _path_sums(M, a, x)[1:],
        ),
        Mistake(
            "the last row is missing: the path through all branches has the length depth",
            lambda M, a, x: _path_sums(M, a, x)[:-1],
        ),
        Mistake(
            "that is one path of each length, the first k branches and then shortcuts. All choices "
            "of k branches count",
            _one_path_each,
        ),
        Mistake(
            "you return one column per length: transpose it",
            lambda M, a, x: _path_sums(M, a, x).T,
        ),
        Mistake(
            "those are the lengths of the sums; return the vectors",
            lambda M, a, x: np.linalg.norm(_path_sums(M, a, x), axis=1),
        ),
    ),
    hints=(
        "Before the first block there is one path, of length 0, and it carries x: row 0 is x, the "
        "others are 0.",
        "A block sends every path on twice: along the shortcut with the same length and the factor "
        "a, through the branch with one more and M_l applied. Both read the rows from before this "
        "block.",
        "If the sums are rows, sums[:-1] @ M_l.T applies M_l to all of them but the last. Add that "
        "to rows 1 and up of a * sums.",
    ),
)
