"""The number of layers after which r ← C r³ has reached a floor."""

from math import log, sqrt

from course_utils.checks.lesson_09 import LESSON
from course_utils.judging.exercise import (
    Exercise,
    Mistake,
    normal_case,
)


def _collapse_case(title, r0, C, floor, held_back=False):
    return normal_case(title, held_back, r0=r0, C=C, floor=floor)


MOST_LAYERS = 100_000


def _layers(step=lambda r, C, r0: C * r**3, start=0, ends=lambda r, floor: r < floor):
    """Compute the answer in which each layer does this to the residual."""

    def value(r0, C, floor):
        r, layers = r0, start
        while not ends(r, floor) and layers < MOST_LAYERS:
            r, layers = step(r, C, r0), layers + 1
        return layers

    return value


def _exact_layers(r0, C, floor):
    # with u = √C r a layer gives u³, so after n of them ln u is 3ⁿ times as large
    return log(log(sqrt(C) * floor) / log(sqrt(C) * r0)) / log(3)


EXERCISE = Exercise(
    name="collapse_after",
    lesson=LESSON,
    points=1,
    required=False,
    minutes=6,
    difficulty=1,
    kind="function",
    cases=(
        _collapse_case("from 0.9 to the end of float64", 0.9, 1.0, 1e-16),
        _collapse_case("a larger constant", 0.6, 1.4, 1e-7),
        _collapse_case("a smaller constant, from just below 1", 0.99, 0.3, 2e-16),
        _collapse_case("from 0.999", 0.999, 1.0, 1e-30, held_back=True),
        _collapse_case("a constant of 0.8", 0.95, 0.8, 1e-12, held_back=True),
    ),
    reference=_layers(),
    mistakes=(
        Mistake(
            "you shrink the residual by the same factor in every layer, C r0²; it is C r² with "
            "the residual of that layer, so each layer shrinks it more than the one before",
            _layers(lambda r, C, r0: C * r0**2 * r),
        ),
        Mistake(
            "you shrink the residual by the same factor r0 in every layer; it is cubed",
            _layers(lambda r, C, r0: r0 * r),
        ),
        Mistake(
            "you square the residual; it is of third order",
            _layers(lambda r, C, r0: C * r**2),
        ),
        Mistake(
            "the constant C is missing",
            _layers(lambda r, C, r0: r**3),
        ),
        Mistake(
            "you cube C as well: it is C · r³, not (C r)³",
            _layers(lambda r, C, r0: (C * r) ** 3),
        ),
        Mistake(
            "you multiply by 3; the residual is cubed, C · r · r · r",
            _layers(lambda r, C, r0: C * r / 3),
        ),
        Mistake(
            "one layer too few: after that many the residual is still above the floor",
            lambda **given: _layers()(**given) - 1,
        ),
        Mistake(
            "one layer too many: the residual is below the floor one layer earlier",
            lambda **given: _layers()(**given) + 1,
        ),
        Mistake(
            "that is where the curve crosses the floor; layers come whole, so round up",
            _exact_layers,
        ),
        Mistake(
            "that is 3ⁿ, the power of the residual after n layers; the number of layers is n",
            lambda **given: 3 ** _layers()(**given),
        ),
    ),
    hints=(
        "You need no formula: a loop that counts will do.",
        "While r is not below the floor: r becomes C * r**3, and one layer more is counted.",
        "Start with r = r0 and layers = 0, and return layers after the loop, not r.",
    ),
)
