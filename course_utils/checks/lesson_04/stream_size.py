"""How the stream of a plain net fades under an activation z − c z³."""

import numpy as np

from course_utils.checks.lesson_04 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case


def _with(k):
    """Solve dq/dl = −k q² for another k."""
    return lambda c, q0, depth: q0 / (1 + k(c) * q0 * depth)


def _map(c, q0, depth):
    for _ in range(depth):
        q0 = q0 - 6 * c * q0**2
    return q0


EXERCISE = Exercise(
    name="stream_size",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        normal_case("the sine, 20 layers", c=1 / 6, q0=0.4, depth=20),
        normal_case("z/√(1 + z²), 100 layers", c=0.5, q0=0.1, depth=100),
        normal_case("c = 1/4, 40 layers", c=0.25, q0=0.3, depth=40, held_back=True),
    ),
    reference=_with(lambda c: 6 * c),
    mistakes=(
        Mistake("k = 2 belongs to tanh, whose c is 1/3; here c is given", _with(lambda c: 2.0)),
        Mistake(
            "that is k = 3c: the square of z − c z³ has the middle term −2c z⁴",
            _with(lambda c: 3 * c),
        ),
        Mistake(
            "that is k = 2c: the mean of z⁴ is 3q², not q²",
            _with(lambda c: 2 * c),
        ),
        Mistake(
            "that is k = c: square z − c z³ and average; the mean of z⁴ is 3q²",
            _with(lambda c: c),
        ),
        Mistake(
            "that is what is left after very many layers; the start q0 still counts",
            lambda c, q0, depth: 1 / (6 * c * depth),
        ),
        Mistake(
            "you multiply by 1 − k q0 in every layer, as if the loss stayed as large as at the "
            "start; it shrinks with q, so the decay is no exponential",
            lambda c, q0, depth: q0 * (1 - 6 * c * q0) ** depth,
        ),
        Mistake(
            "that solves dq/dl = −k q0 q; the loss is k q², which shrinks with q twice",
            lambda c, q0, depth: q0 * np.exp(-6 * c * q0 * depth),
        ),
        Mistake(
            "that solves dq/dl = −k q; here q enters squared, and the solution is a power law",
            lambda c, q0, depth: q0 * np.exp(-6 * c * depth),
        ),
        Mistake(
            "you repeat the layer's map, which is close; the solution of the differential "
            "equation is asked for",
            _map,
        ),
        Mistake(
            "you go along the first slope all the way; the slope −k q² becomes flatter",
            lambda c, q0, depth: q0 - 6 * c * q0**2 * depth,
        ),
        Mistake(
            "that is one layer; the exercise asks for `depth` of them",
            lambda c, q0, depth: q0 - 6 * c * q0**2,
        ),
        Mistake("that is 1/q", lambda c, q0, depth: 1 / q0 + 6 * c * depth),
        Mistake(
            "that is the root of q; q is a mean square already",
            lambda c, q0, depth: np.sqrt(q0 / (1 + 6 * c * q0 * depth)),
        ),
        Mistake(
            "q0 is missing beside k: 1/q = 1/q0 + k · depth",
            lambda c, q0, depth: q0 / (1 + 6 * c * depth),
        ),
    ),
    hints=(
        "Square z − c z³ and drop what is smaller than z⁴. For a normal z with mean square q, the "
        "mean of z⁴ is 3q².",
        "q' = q − 2c · 3q², so k = 6c. For the other part look at 1/q: how fast does it change?",
        "1/q grows by k in every layer: 1/q = 1/q0 + k · depth.",
    ),
)
