"""Gains that are loud enough, with gradients that are still alike."""

import numpy as np

from course_utils.checks.lesson_08 import LESSON
from course_utils.checks.lesson_08.angles import correlation_factor, new_angle
from course_utils.judging import expect
from course_utils.judging.exercise import Exercise, Mistake, Property, normal_case

ROUNDING = 1e-5


GROWTH = 1.5


RATIO = 10


def _target_case(title, depth, theta, target, held_back=False):
    return normal_case(title, held_back, depth=depth, theta=theta, target=target)


def _gains_fault(arguments, value):
    if fault := expect.array(value, (arguments["depth"],)):
        return fault
    bad = np.flatnonzero(~((value > 0) & np.isfinite(value)))
    if not len(bad):
        return ""
    return f"expected positive gains, got b[{bad[0]}] = {value[bad[0]]:.5g}"


def _ratio_fault(arguments, value):
    low, high = value.argmin(), value.argmax()
    if value[high] <= RATIO * (1 + ROUNDING) * value[low]:
        return ""
    return (
        f"expected at most {RATIO} times the smallest gain, b[{low}] = {value[low]:.5g}, got "
        f"b[{high}] = {value[high]:.5g}: a few blocks do the work of all"
    )


def _growth_fault(arguments, value):
    growth = np.prod(1 + value.astype(float) ** 2)
    if growth >= GROWTH - ROUNDING:
        return ""
    return (
        f"expected the squared length to grow by at least {GROWTH}, got {growth:.4f}: the branches "
        "add too little"
    )


def _correlation_fault(arguments, value):
    theta, target, correlation = arguments["theta"], arguments["target"], 1.0
    for b in value.astype(float):
        correlation *= correlation_factor(theta, 1.0, b)
        theta = new_angle(theta, 1.0, b)
    if correlation >= target - ROUNDING:
        return ""
    return (
        f"expected a correlation of at least {target:g} after all blocks, got {correlation:.4f}: "
        "the branches are too loud"
    )


def _constant(gain):
    """Compute the answer in which all gains are alike."""
    return lambda depth, theta, target: np.full(depth, float(gain(depth)))


EXERCISE = Exercise(
    name="spread_gains",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _target_case("six blocks", 6, 1.2, 0.83),
        _target_case("fifty blocks, a smaller angle", 50, 0.5, 0.92),
        _target_case("24 blocks, a low target", 24, 1.5, 0.5),
        _target_case("three blocks, a wide angle", 3, 2.5, 0.7, held_back=True),
        _target_case("a hundred blocks, a wide angle", 100, 3.0, 0.66, held_back=True),
    ),
    properties=(
        Property("one positive gain per block", _gains_fault),
        Property(f"no gain more than {RATIO} times another", _ratio_fault),
        Property(f"a squared length that grows by at least {GROWTH}", _growth_fault),
        Property("gradients that stay correlated", _correlation_fault),
    ),
    mistakes=(
        Mistake(
            "1/√L lets the squared length grow by up to e = 2.7, and that is too loud for these "
            "targets. How much of it do you need?",
            _constant(lambda L: L**-0.5),
        ),
        Mistake(
            "1/L keeps the gradients alike because the branches hardly count: the squared length "
            "grows by about 1 + 1/L",
            _constant(lambda L: 1 / L),
        ),
        Mistake(
            "with b = 1 each block doubles the squared length, and half of each gradient comes "
            "through a branch",
            _constant(lambda L: 1),
        ),
        Mistake(
            "1.5^(1/L) − 1 is b², so take the root",
            _constant(lambda L: GROWTH ** (1 / L) - 1),
        ),
        Mistake(
            "1.5^(1/L) is 1 + b²: subtract the 1 before you take the root",
            _constant(lambda L: GROWTH ** (0.5 / L)),
        ),
        Mistake(
            "your b² add up to ln 1.5, and 1 + b² is a little less than exp(b²): the growth is "
            "just below 1.5",
            _constant(lambda L: np.sqrt(np.log(GROWTH) / L)),
        ),
        Mistake(
            "your b² add up to 1.5; the stream is there already, with the length 1, so the "
            "branches have to add 0.5",
            _constant(lambda L: np.sqrt(GROWTH / L)),
        ),
        Mistake(
            "your b add up to 0.5; it is the b² that count",
            _constant(lambda L: 0.5 / L),
        ),
    ),
    hints=(
        "Louder branches shatter more, so begin with the quietest ones that the growth allows. "
        "Which b does that give if all are alike?",
        "Multiplied out, prod(1 + b²) is at least 1 + the sum of the b². When does this sum reach "
        "0.5?",
        "(1 + b²)^depth = 1.5 for equal gains: solve it for b, and np.full makes depth of them. "
        "Other shapes: choose one, and scale it until the growth is 1.5.",
    ),
)
