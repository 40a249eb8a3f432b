"""The weights with which a leaky ReLU keeps the squared length."""

import numpy as np

from course_utils.checks.lesson_03 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case

EXERCISE = Exercise(
    name="leaky_std",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        normal_case("slope 0.5, width 50", s=0.5, n=50),
        normal_case("slope 1: a linear layer of width 16", s=1.0, n=16),
        normal_case("slope 0.2, width 30", s=0.2, n=30, held_back=True),
    ),
    reference=lambda s, n: np.sqrt(2 / ((1 + s**2) * n)),
    mistakes=(
        Mistake(
            "that is the variance; the standard deviation is its square root",
            lambda s, n: 2 / ((1 + s**2) * n),
        ),
        Mistake(
            "that is He's value for the ReLU; the negative half now also passes, with the slope s",
            lambda s, n: np.sqrt(2 / n),
        ),
        Mistake(
            "s is not squared: an entry that is multiplied by s has s² times its square",
            lambda s, n: np.sqrt(2 / ((1 + s) * n)),
        ),
        Mistake(
            "an entry is either positive or negative, so the squares 1 and s² add, not 1 and s",
            lambda s, n: np.sqrt(2 / ((1 + s) ** 2 * n)),
        ),
        Mistake(
            "the 2 is missing: half of the entries are positive and half negative, so the layer "
            "has the factor σ² (1 + s²)/2",
            lambda s, n: np.sqrt(1 / ((1 + s**2) * n)),
        ),
        Mistake(
            "a leaky ReLU lets more pass, so its weights have to be smaller than He's: divide by "
            "1 + s²",
            lambda s, n: np.sqrt(2 * (1 + s**2) / n),
        ),
        Mistake(
            "(1 + s²)/2 is what the leaky ReLU leaves; the weights have to make up for it, so "
            "divide by it",
            lambda s, n: np.sqrt((1 + s**2) / (2 * n)),
        ),
        Mistake(
            "the width is missing: the variance of one weight is σ²/n",
            lambda s, n: np.sqrt(2 / (1 + s**2)),
        ),
        Mistake(
            "the root of n is missing: the variance is divided by n, so the standard deviation is "
            "divided by √n",
            lambda s, n: np.sqrt(2 / (1 + s**2)) / n,
        ),
        Mistake(
            "the negative half adds to the squared length: 1 + s², not 1 − s²",
            lambda s, n: np.sqrt(2 / ((1 - s**2) * n)) if s < 1 else None,
        ),
        Mistake(
            "that is the end r of the interval for uniform weights; their standard deviation is "
            "r/√3",
            lambda s, n: np.sqrt(6 / ((1 + s**2) * n)),
        ),
    ),
    hints=(
        "Before the activation positive and negative entries are equally likely, and their "
        "squares have the same average.",
        "The positive half keeps its squares, the negative half has them multiplied by s²: the "
        "average factor is (1 + s²)/2 where the ReLU has 1/2.",
        "Set σ² (1 + s²)/2 equal to 1, solve for σ², divide by n, take the square root.",
    ),
)
