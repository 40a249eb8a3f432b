"""What arrives at the input of a plain and of a residual chain of scalars."""

import numpy as np

from course_utils.checks.lesson_02 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case

EXERCISE = Exercise(
    name="chain_gradients",
    lesson=LESSON,
    points=1,
    required=True,
    minutes=5,
    difficulty=1,
    kind="function",
    cases=(
        normal_case("four slopes", slopes=(4,)),
        normal_case("one slope of -1 among three", slopes=np.array([0.5, -1.0, 0.25])),
        normal_case("twelve slopes", slopes=(12,), held_back=True),
    ),
    reference=lambda slopes: np.array([slopes.prod(), (1 + slopes).prod()]),
    mistakes=(
        Mistake(
            "that is 1 plus the product: every block has its own +1, inside the product",
            lambda slopes: np.array([slopes.prod(), 1 + slopes.prod()]),
        ),
        Mistake(
            "the two are swapped: first plain, then residual",
            lambda slopes: np.array([(1 + slopes).prod(), slopes.prod()]),
        ),
        Mistake(
            "you add along the chain; the chain rule multiplies",
            lambda slopes: np.array([slopes.sum(), (1 + slopes).sum()]),
        ),
        Mistake(
            "both entries are the plain chain: each residual block multiplies by 1 + f",
            lambda slopes: np.array([slopes.prod(), slopes.prod()]),
        ),
        Mistake(
            "those are the gradients after every block; return the two at the end",
            lambda slopes: np.array([slopes.cumprod(), (1 + slopes).cumprod()]),
        ),
        Mistake(
            "that is the size of the gradient; keep its sign",
            lambda slopes: np.abs([slopes.prod(), (1 + slopes).prod()]),
        ),
    ),
    hints=(
        "A plain block multiplies the gradient by f, a residual block by 1 + f.",
        "Multiply along the chain: np.prod.",
        "return np.array([np.prod(slopes), ...]) with the residual factors in the second place.",
    ),
)
