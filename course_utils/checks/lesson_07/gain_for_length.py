"""How loud branches are, told by the mean length of a path."""

import numpy as np

from course_utils.checks.lesson_07 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case

EXERCISE = Exercise(
    name="gain_for_length",
    lesson=LESSON,
    points=1,
    required=False,
    minutes=5,
    difficulty=1,
    kind="function",
    cases=(
        normal_case("54 blocks, paths of 11 branches", L=54, k=11),
        normal_case("24 blocks, paths of 20 branches", L=24, k=20),
        normal_case("100 blocks, paths of 2.5 branches", L=100, k=2.5, held_back=True),
    ),
    reference=lambda L, k: np.sqrt(k / (L - k)),
    mistakes=(
        Mistake(
            "that is g²: the mean length contains the square of the gain, so take the root",
            lambda L, k: k / (L - k),
        ),
        Mistake(
            "that is the share of branches on a path, g²/(1 + g²); solve it for g",
            lambda L, k: k / L,
        ),
        Mistake(
            "that solves L g² = k; in every block the shortcut counts too, hence 1 + g² below",
            lambda L, k: np.sqrt(k / L),
        ),
        Mistake(
            "the ratio is upside down: the longer the paths, the louder the branches",
            lambda L, k: np.sqrt((L - k) / k),
        ),
        Mistake(
            "the ratio is upside down, and that is a square: take the root as well",
            lambda L, k: (L - k) / k,
        ),
        Mistake(
            "a sign is wrong: L g² = k + k g², so g² (L − k) = k",
            lambda L, k: np.sqrt(k / (L + k)),
        ),
        Mistake(
            "you put k in the place of the gain; that is the mean length for the gain k",
            lambda L, k: L * k**2 / (1 + k**2),
        ),
        Mistake(
            "you take the root twice: k/(L − k) is g², and its root is g",
            lambda L, k: (k / (L - k)) ** 0.25,
        ),
    ),
    hints=(
        "Multiply L g²/(1 + g²) = k by 1 + g².",
        "L g² = k + k g². Collect what contains g².",
        "g² (L − k) = k. Divide, and take the root.",
    ),
)
