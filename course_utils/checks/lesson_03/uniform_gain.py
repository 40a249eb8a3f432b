"""The factor χ of a plain ReLU layer with uniform weights."""

import numpy as np

from course_utils.checks.lesson_03 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case

EXERCISE = Exercise(
    name="uniform_gain",
    lesson=LESSON,
    points=1,
    required=True,
    minutes=5,
    difficulty=1,
    kind="function",
    cases=(
        normal_case("width 64, weights up to 0.25", r=0.25, n=64),
        normal_case("width 100, weights up to 0.3", r=0.3, n=100),
        normal_case("width 50, weights up to 0.5", r=0.5, n=50, held_back=True),
    ),
    reference=lambda r, n: n * r**2 / 6,
    mistakes=(
        Mistake(
            "n is missing: the lesson writes the variance as σ²/n, here it is r²/3 itself, so "
            "σ² = n r²/3",
            lambda r, n: r**2 / 6,
        ),
        Mistake(
            "that is the factor without the ReLU, which takes half of the squared length away "
            "on average",
            lambda r, n: n * r**2 / 3,
        ),
        Mistake(
            "you take r² as the variance; the weights lie between −r and r, and the average of "
            "their squares is r²/3",
            lambda r, n: n * r**2 / 2,
        ),
        Mistake(
            "you take r² as the variance and leave out the ReLU: the variance is r²/3, and the "
            "ReLU halves",
            lambda r, n: n * r**2,
        ),
        Mistake(
            "you take r as the width of the interval; from −r to r it is 2r wide, so the variance "
            "is (2r)²/12 = r²/3",
            lambda r, n: n * r**2 / 24,
        ),
        Mistake(
            "that is half of it: the variance is (2r)²/12 = r²/3, and the ReLU halves once",
            lambda r, n: n * r**2 / 12,
        ),
        Mistake(
            "that is the variance of one weight: n of them are summed, and the ReLU halves",
            lambda r, n: r**2 / 3,
        ),
        Mistake(
            "that is the factor of the length; the squared length is asked for",
            lambda r, n: np.sqrt(n * r**2 / 6),
        ),
        Mistake("1/6 belongs to PyTorch's default, r = 1/√n; here r is given", lambda r, n: 1 / 6),
        Mistake(
            "you divide by n: each output sums n terms, so the variance is multiplied by n",
            lambda r, n: r**2 / (6 * n),
        ),
    ),
    hints=(
        "First the variance of one weight. In the lesson r = 1/√n gave 1/(3n).",
        "The variance of a number uniform in (−r, r) is r²/3. The lesson calls it σ²/n.",
        "χ = σ²/2 with σ² = n · r²/3.",
    ),
)
