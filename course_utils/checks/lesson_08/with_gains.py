"""The predicted correlation of two gradients, for any gains."""

import numpy as np

from course_utils.checks.lesson_08 import LESSON
from course_utils.checks.lesson_08.angles import (
    averaged,
    common_share,
    correlation_factor,
    kappa,
    new_angle,
)
from course_utils.judging.exercise import Case, Exercise, Mistake


def _angles_case(title, shape, depth, a, b, held_back=False):
    def draw(rng):
        return {"theta": rng.uniform(0.1, 3.0, size=shape), "depth": depth, "a": a, "b": b}

    return Case(title, draw, held_back)


def _with_gains(factor=correlation_factor, move=new_angle):
    """Compute the answer in which a block multiplies by factor, then moves the angle."""

    def value(theta, depth, a, b):
        correlation = np.ones_like(theta)
        for _ in range(depth):
            correlation = correlation * factor(theta, a, b)
            theta = move(theta, a, b)
        return correlation

    return value


def _last_cosine(theta, depth, a, b):
    for _ in range(depth):
        theta = new_angle(theta, a, b)
    return np.cos(theta)


def _root_gains(gains):
    """Compute the answer with other gains in the place of a and b."""
    return lambda theta, depth, a, b: _with_gains()(theta, depth, *gains(a, b))


EXERCISE = Exercise(
    name="with_gains",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=12,
    difficulty=2,
    kind="function",
    cases=(
        _angles_case("ten blocks, three angles", (3,), 10, 1.0, 0.4),
        _angles_case("a = 0: a plain net of four layers", (2,), 4, 0.0, 1.3),
        _angles_case("one angle, a quiet shortcut", (), 5, 0.7, 0.9),
        _angles_case("fifty blocks, a grid of angles", (2, 3), 50, 1.0, 50**-0.5, True),
        _angles_case("one block", (4,), 1, 1.5, 2.0, True),
    ),
    reference=_with_gains(),
    mistakes=(
        Mistake(
            "you move the angle first: a block's factor contains the angle between the two streams "
            "that enter it",
            _with_gains(lambda theta, a, b: correlation_factor(new_angle(theta, a, b), a, b)),
        ),
        Mistake(
            "the gains are not squared: a and b scale lengths, and products of two streams scale "
            "with a² and b²",
            _root_gains(lambda a, b: (np.sqrt(a), np.sqrt(b))),
        ),
        Mistake(
            "b is not squared: a branch with the gain b contributes b² to a product of two streams",
            _root_gains(lambda a, b: (a, np.sqrt(b))),
        ),
        Mistake(
            "a is not squared: the shortcut contributes a² to a product of two streams",
            _root_gains(lambda a, b: (np.sqrt(a), b)),
        ),
        Mistake(
            "in the cosine b is not squared; the factors are right",
            _with_gains(move=lambda theta, a, b: new_angle(theta, a, np.sqrt(b))),
        ),
        Mistake(
            "in the factors b is not squared; the angles are right",
            _with_gains(lambda theta, a, b: correlation_factor(theta, a, np.sqrt(b))),
        ),
        Mistake(
            "the factors are not divided by s = a² + b²; at the angle 0 the correlation stays 1",
            _with_gains(lambda theta, a, b: (a**2 + b**2) * correlation_factor(theta, a, b)),
        ),
        Mistake(
            "you average the angles; it is the cosines that are averaged, and arccos makes an "
            "angle of the result",
            _with_gains(
                move=lambda theta, a, b: averaged(
                    theta, a, b, lambda t: t, lambda t: np.arccos(kappa(t))
                )
            ),
        ),
        Mistake(
            "you take the new cosine for the new angle: arccos is missing",
            _with_gains(move=lambda theta, a, b: averaged(theta, a, b, np.cos, kappa)),
        ),
        Mistake(
            "you average the angle with κ; κ(θ) is a cosine, so average it with cos θ, then take "
            "arccos",
            _with_gains(move=lambda theta, a, b: averaged(theta, a, b, lambda t: t, kappa)),
        ),
        Mistake(
            "the angle stays what it was; every block moves it",
            lambda theta, depth, a, b: correlation_factor(theta, a, b) ** depth,
        ),
        Mistake(
            "the shortcut is missing everywhere: that is the plain net, a = 0",
            _root_gains(lambda a, b: (0.0, b)),
        ),
        Mistake(
            "the shortcut is missing in the factors: it passes on a² of the product whatever the "
            "units do",
            _with_gains(lambda theta, a, b: common_share(theta)),
        ),
        Mistake(
            "the angle moves as in a plain layer; along the shortcut the cosine stays what it was",
            _with_gains(move=lambda theta, a, b: np.arccos(kappa(theta))),
        ),
        Mistake(
            "you take a = 1; here it is given",
            _root_gains(lambda a, b: (1.0, b)),
        ),
        Mistake(
            "you take a = 1 in the factors; the angles are right",
            _with_gains(lambda theta, a, b: correlation_factor(theta, 1.0, b)),
        ),
        Mistake(
            "you exchange a and b: a belongs to the shortcut, b to the branch",
            _root_gains(lambda a, b: (b, a)),
        ),
        Mistake(
            "that is the cosine between the two streams at the end; the product of the factors is "
            "asked for",
            _last_cosine,
        ),
        Mistake(
            "the factors multiply once more than there are blocks",
            lambda theta, depth, a, b: _with_gains()(theta, depth + 1, a, b),
        ),
        Mistake(
            "one block is missing: the first one multiplies too, with the angle at the start",
            lambda theta, depth, a, b: _with_gains()(theta, depth - 1, a, b),
        ),
        Mistake(
            "θ/π is the share of units that differ; the gradients agree through the others, "
            "1 − θ/π",
            _with_gains(
                lambda theta, a, b: averaged(theta, a, b, np.ones_like, lambda t: t / np.pi)
            ),
        ),
        Mistake(
            "π is missing in the factors: the share is 1 − θ/π",
            _with_gains(lambda theta, a, b: averaged(theta, a, b, np.ones_like, lambda t: 1 - t)),
        ),
        Mistake(
            "the branch's κ stands in the factors too; there it is the share of common units, "
            "1 − θ/π",
            _with_gains(lambda theta, a, b: averaged(theta, a, b, np.ones_like, kappa)),
        ),
        Mistake(
            "in the factors the shortcut contributes a², not a² cos θ: it is the same for both "
            "inputs",
            _with_gains(lambda theta, a, b: averaged(theta, a, b, np.cos, common_share)),
        ),
    ),
    hints=(
        "Carry two things through a loop over the blocks: the correlation so far, which starts at "
        "1, and the angle.",
        "In each block multiply the correlation by the factor first, with the angle as it is. Then "
        "make the new cosine.",
        "correlation = correlation * (a**2 + b**2 * (1 - theta / np.pi)) / s, with s = a² + b². "
        "The new theta is np.arccos of (a² cos θ + b² κ)/s.",
    ),
)
