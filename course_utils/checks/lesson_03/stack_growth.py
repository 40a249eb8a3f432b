"""The growth of a stack in which every block has numbers of its own."""

import numpy as np

from course_utils.checks.lesson_03 import LESSON
from course_utils.judging.exercise import Case, Exercise, Mistake


def _stack_case(title, depth, held_back=False, **given):
    def draw(rng):
        low_high = {"a": (0.5, 1.5), "b": (0.2, 1.0), "g": (0.5, 2.0)}
        drawn = {name: rng.uniform(*ends, size=depth) for name, ends in low_high.items()}
        return {**drawn, **given}

    return Case(title, draw, held_back)


def _factors(a, b, g):
    return a**2 + b**2 * g**2


EXERCISE = Exercise(
    name="stack_growth",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _stack_case("four blocks, each of its own kind", 4),
        _stack_case("a plain block between two residual ones", 3, a=np.array([1.0, 0.0, 1.0])),
        _stack_case("twelve blocks", 12, held_back=True),
    ),
    reference=lambda a, b, g: _factors(a, b, g).prod(),
    mistakes=(
        Mistake(
            "you add the factors of the blocks; along the stack they multiply",
            lambda a, b, g: _factors(a, b, g).sum(),
        ),
        Mistake(
            "(a + b g)² counts shortcut and branch as parallel; their product is 0 on average, so "
            "the squares add",
            lambda a, b, g: ((a + b * g) ** 2).prod(),
        ),
        Mistake(
            "a + b g adds lengths; it is the squared lengths that add, a² and b² g²",
            lambda a, b, g: (a + b * g).prod(),
        ),
        Mistake(
            "the shortcut is missing: a block adds a² to b² g²",
            lambda a, b, g: (b**2 * g**2).prod(),
        ),
        Mistake(
            "you take a = 1 in every block; here it is given",
            lambda a, b, g: (1 + b**2 * g**2).prod(),
        ),
        Mistake(
            "a is not squared: a vector that is multiplied by a has a² times its squared length",
            lambda a, b, g: (a + b**2 * g**2).prod(),
        ),
        Mistake(
            "g is not squared: the branch multiplies the squared length by g²",
            lambda a, b, g: (a**2 + b**2 * g).prod(),
        ),
        Mistake(
            "b is not squared: b scales the length of the branch, b² its squared length",
            lambda a, b, g: (a**2 + b * g**2).prod(),
        ),
        Mistake("b is missing: the branch enters as b F(h)", lambda a, b, g: (a**2 + g**2).prod()),
        Mistake(
            "that is the square root, the growth of the length; the squared length is asked for",
            lambda a, b, g: np.sqrt(_factors(a, b, g).prod()),
        ),
        Mistake(
            "g is missing: the branch itself multiplies the squared length by g²",
            lambda a, b, g: (a**2 + b**2).prod(),
        ),
        Mistake(
            "that is the growth after each block; return the last of these numbers",
            lambda a, b, g: _factors(a, b, g).cumprod(),
        ),
        Mistake(
            "those are the factors of the single blocks; multiply them",
            lambda a, b, g: _factors(a, b, g),
        ),
        Mistake(
            "the mean factor to the power of the depth is not the product of different factors",
            lambda a, b, g: _factors(a, b, g).mean() ** len(a),
        ),
        Mistake(
            "you multiply along the shortcuts and along the branches and add at the end; the sum "
            "stands in every block, before the product",
            lambda a, b, g: (a**2).prod() + (b**2 * g**2).prod(),
        ),
        Mistake(
            "you add what the branches bring; every block also multiplies what came before",
            lambda a, b, g: 1 + (b**2 * g**2).sum(),
        ),
    ),
    hints=(
        "Start with one block: which two squared lengths add?",
        "Block l multiplies the squared length by a_l² + b_l² g_l². NumPy squares whole arrays.",
        "The next block multiplies what this one left: np.prod over the factors.",
    ),
)
