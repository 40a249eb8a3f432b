"""The gain at which a whole stack first stretches a vector by 10."""

import numpy as np

from course_utils.checks.lesson_02 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, Property, normal_case
from course_utils.judging.values import kind_of

BOUND = 10.0


def _stretch(J, b, reverse=False):
    product = np.eye(J.shape[1])
    for block in J[::-1] if reverse else J:
        product = product + b * block @ product  # (I + b J_l) from the left
    return product


def _largest(measure):
    """Find the b at which a measure first reaches the bound, by bisection."""
    low, high = 0.0, 1.0
    while measure(high) <= BOUND:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if measure(middle) <= BOUND else (low, middle)
    return low


def _spectral(J, b, **order):
    product = _stretch(J, b, **order)
    return np.linalg.norm(product, 2) if np.isfinite(product).all() else np.inf


def _gain_fault(arguments, value):
    if isinstance(value, np.ndarray) and value.shape == ():
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"expected one number, got {kind_of(value)}"
    if not np.isfinite(value) or value <= 0:
        return f"expected a positive number, got {value:g}"
    return ""


def _reached_fault(arguments, value):
    b = float(value)
    below, above = (_spectral(arguments["J"], factor * b) for factor in (0.998, 1.002))
    if below <= BOUND < above:
        return ""
    side = "smaller" if below > BOUND else "larger"
    return (
        f"expected the b at which the stretch is {BOUND:g}; at b = {b:.4g} it is "
        f"{_spectral(arguments['J'], b):.4g}, so b has to be {side}"
    )


EXERCISE = Exercise(
    name="largest_gain",
    lesson=LESSON,
    points=3,
    required=False,
    minutes=20,
    difficulty=3,
    kind="function",
    tolerance=1e-4,
    cases=(
        normal_case("ten blocks of width 8", J=(10, 8, 8)),
        normal_case("thirty blocks of width 8", J=(30, 8, 8)),
        normal_case("five wide blocks", J=(5, 6, 6), held_back=True),
    ),
    properties=(
        Property("a positive number", _gain_fault),
        Property("a stretch of 10, to within 0.2 % of b", _reached_fault),
    ),
    mistakes=(
        Mistake(
            "the order is reversed: the first block acts first, so it stands on the right",
            lambda J: _largest(lambda b: _spectral(J, b, reverse=True)),
        ),
        Mistake(
            "that is the Frobenius norm, which sums over all directions; the largest stretch is "
            "np.linalg.norm(..., 2)",
            lambda J: _largest(lambda b: np.linalg.norm(_stretch(J, b))),
        ),
        Mistake(
            "you add the blocks' Jacobians; along the stack the factors I + b J multiply",
            lambda J: _largest(lambda b: np.linalg.norm(np.eye(J.shape[1]) + b * J.sum(0), 2)),
        ),
        Mistake(
            "1/√depth is a good start, but not the b that is asked for", lambda J: len(J) ** -0.5
        ),
        Mistake("1/depth is safe, and far from the b that is asked for", lambda J: 1 / len(J)),
    ),
    hints=(
        "Write a helper that returns the stretch of the whole stack for a given b.",
        "Multiply the factors in a loop: product = (I + b J_l) @ product, first block first. "
        "np.linalg.norm(product, 2) is the largest stretch.",
        "In these stacks the stretch grows with b. Double an upper end until it stretches by more "
        "than 10, then halve the interval again and again: bisection.",
    ),
)
