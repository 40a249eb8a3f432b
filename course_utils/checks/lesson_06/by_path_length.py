"""What the paths of a scalar stack carry, sorted by length."""

from math import comb

import numpy as np

from course_utils.checks.lesson_06 import LESSON
from course_utils.judging.exercise import Case, Exercise, Mistake


def _paths_case(title, depth, a, m, held_back=False):
    def draw(rng):
        return {"a": rng.uniform(*a, size=depth), "m": rng.uniform(*m, size=depth)}

    return Case(title, draw, held_back)


def _by_length(a, m):
    found = np.ones(1)
    for shortcut, branch in zip(a, m, strict=True):
        found = np.append(shortcut * found, 0) + branch * np.append(0, found)
    return found


def _updated_in_place(a, m):
    found = np.zeros(len(a) + 1)
    found[0] = 1
    for shortcut, branch in zip(a, m, strict=True):
        found[0] *= shortcut
        for k in range(1, len(found)):
            found[k] = shortcut * found[k] + branch * found[k - 1]
    return found


def _counts(depth):
    return np.array([comb(depth, k) for k in range(depth + 1)], float)


def _equal_blocks(a, m):
    k = np.arange(len(a) + 1)
    return _counts(len(a)) * a.mean() ** (len(a) - k) * m.mean() ** k


EXERCISE = Exercise(
    name="by_path_length",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _paths_case("five blocks", 5, (0.5, 1.5), (-0.4, 1.0)),
        _paths_case("forty blocks: 2⁴⁰ paths", 40, (0.8, 1.1), (-0.1, 0.2)),
        _paths_case("nine blocks", 9, (0.5, 1.5), (-0.4, 1.0), held_back=True),
    ),
    reference=_by_length,
    mistakes=(
        Mistake(
            "the order is reversed: entry k belongs to the paths through k branches, so entry 0 "
            "is the shortcut alone",
            lambda a, m: _by_length(a, m)[::-1],
        ),
        Mistake(
            "you take every shortcut as 1; here block l passes a_l along it",
            lambda a, m: _by_length(np.ones_like(a), m),
        ),
        Mistake(
            "you overwrite entry k − 1 before entry k uses it, so a path takes one branch more "
            "than once; go from the end, or make a new array for each block",
            _updated_in_place,
        ),
        Mistake(
            "those are shares, they add up to 1; return the contributions themselves",
            lambda a, m: _by_length(a, m) / _by_length(a, m).sum(),
        ),
        Mistake(
            "that is how many paths there are of each length; each one carries the product of its "
            "factors",
            lambda a, m: _counts(len(a)),
        ),
        Mistake(
            "the number of paths times a product of averages would be right for equal blocks; "
            "these differ",
            _equal_blocks,
        ),
        Mistake(
            "that is the sum over all lengths, the gain of the whole stack; return its parts",
            lambda a, m: (a + m).prod(),
        ),
        Mistake(
            "you add up the lengths from 0 to k; entry k is for paths of exactly that length",
            lambda a, m: _by_length(a, m).cumsum(),
        ),
        Mistake(
            "the path of length 0 is missing: the shortcut all the way",
            lambda a, m: _by_length(a, m)[1:],
        ),
        Mistake(
            "that is the size of each contribution; keep its sign",
            lambda a, m: np.abs(_by_length(a, m)),
        ),
        Mistake(
            "you take each branch as |m|; where m is negative its paths count against the others",
            lambda a, m: _by_length(a, np.abs(m)),
        ),
        Mistake(
            "that is one path of each length: the first k branches, then shortcuts. All choices "
            "of k branches count",
            lambda a, m: np.array([m[:k].prod() * a[k:].prod() for k in range(len(a) + 1)]),
        ),
    ),
    hints=(
        "Begin with no block: one path, of length 0, that carries 1.",
        "A block sends every path on twice: along its shortcut with the same length and the "
        "factor a_l, through its branch with length + 1 and the factor m_l.",
        "new = np.append(a_l * old, 0) + m_l * np.append(0, old), block after block. The same "
        "numbers are the coefficients of the product of the a_l + m_l t.",
    ),
)
