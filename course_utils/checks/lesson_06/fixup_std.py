"""How small weights have to start where nothing normalises."""

import numpy as np

from course_utils.checks.lesson_06 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case


def _fixup(exponent, start=lambda n: np.sqrt(2 / n)):
    """Compute the answer with another power of L or another start."""
    return lambda L, m, n: start(n) * float(L) ** exponent(m)


EXERCISE = Exercise(
    name="fixup_std",
    lesson=LESSON,
    points=1,
    required=False,
    minutes=7,
    difficulty=2,
    kind="function",
    cases=(
        normal_case("50 branches of two layers", L=50, m=2, n=64),
        normal_case("400 branches of three layers", L=400, m=3, n=32),
        normal_case("27 branches of four layers", L=27, m=4, n=100, held_back=True),
    ),
    reference=_fixup(lambda m: -1 / (2 * m - 2)),
    mistakes=(
        Mistake(
            "that lets the activations shrink by 1/L; the change of F contains their square, so "
            "they need to shrink by 1/√L only",
            _fixup(lambda m: -1 / (m - 1)),
        ),
        Mistake(
            "you count m layers; the last one starts at 0, and s stands before the other m − 1",
            _fixup(lambda m: -1 / (2 * m)),
        ),
        Mistake(
            "1/√L is right for two layers; with more of them several share the work",
            _fixup(lambda m: -0.5),
        ),
        Mistake(
            "that counts m layers, and the activations once: m − 1 layers carry s, and the change "
            "of F contains the square of what comes through them",
            _fixup(lambda m: -1 / m),
        ),
        Mistake(
            "1/L is too small: s enters the change of F to the power of 2(m − 1)",
            _fixup(lambda m: -1.0),
        ),
        Mistake(
            "the power of L is upside down: the more branches add up, the smaller s",
            _fixup(lambda m: 1 / (2 * m - 2)),
        ),
        Mistake(
            "you solved for L instead of s: s to the power of 2m − 2 is 1/L, so take a root",
            _fixup(lambda m: -(2.0 * m - 2)),
        ),
        Mistake(
            "that is s alone; the standard deviation after He, √(2/n), belongs to it",
            _fixup(lambda m: -1 / (2 * m - 2), lambda n: 1.0),
        ),
        Mistake(
            "that is the start after He alone; s is missing",
            _fixup(lambda m: 0.0),
        ),
        Mistake(
            "He's standard deviation is √(2/n), since a ReLU follows",
            _fixup(lambda m: -1 / (2 * m - 2), lambda n: np.sqrt(1 / n)),
        ),
        Mistake(
            "2/n is the variance; the standard deviation is its root",
            _fixup(lambda m: -1 / (2 * m - 2), lambda n: 2 / n),
        ),
        Mistake(
            "that is the variance; the standard deviation is its root",
            _fixup(lambda m: -1 / (m - 1), lambda n: 2 / n),
        ),
    ),
    hints=(
        "Each scaled layer multiplies the length of the activations by s. How many of them lie "
        "before the last layer?",
        "Activations of length s^(m−1) have the squared length s^(2m−2), and L branches add up: "
        "L · s^(2m−2) = 1.",
        "s = L ** (-1 / (2 * m - 2)), times He's √(2/n).",
    ),
)
