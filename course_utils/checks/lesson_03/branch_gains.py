"""Gains for loud and quiet branches: bounded growth, fair shares."""

import numpy as np

from course_utils.checks.lesson_03 import LESSON
from course_utils.judging import expect
from course_utils.judging.exercise import Case, Exercise, Mistake, Property


def _gains_case(title, draw, held_back=False):
    return Case(title, lambda rng: {"g": draw(rng)}, held_back)


# the squares of these average to 1, so that b = 1/√depth has a good growth and bad shares
_ONE_LOUD = np.array([0.6, 0.6, 0.6, 2.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6])


LOWEST, HIGHEST = 2.0, 3.0


def _array_fault(arguments, value):
    if fault := expect.array(value, arguments["g"].shape):
        return fault
    bad = np.flatnonzero(~(np.isfinite(value) & (value > 0)))
    if len(bad):
        return f"expected finite positive numbers, got b[{bad[0]}] = {value[bad[0]]:g}"
    return ""


def _shares(arguments, value):
    return value.astype(float) ** 2 * arguments["g"] ** 2


def _growth_fault(arguments, value):
    growth = (1 + _shares(arguments, value)).prod()
    if LOWEST * 0.9999 <= growth <= HIGHEST * 1.0001:
        return ""
    side = "smaller" if growth > HIGHEST else "larger"
    return (
        f"expected a growth between {LOWEST:g} and {HIGHEST:g}, got {growth:.5g}, so the gains b "
        f"have to be {side}"
    )


def _shares_fault(arguments, value):
    shares = _shares(arguments, value)
    ratios = shares / shares.mean()
    worst = np.argmax(np.abs(np.log2(ratios)))
    if 0.4995 <= ratios[worst] <= 2.001:
        return ""
    side = "smaller" if ratios[worst] > 1 else "larger"
    return (
        f"expected every share between half and twice the average share, {shares.mean():.4g}; "
        f"in block {worst} it is b[{worst}]² g[{worst}]² = {shares[worst]:.4g}, "
        f"{ratios[worst]:.4g} times the average, so b[{worst}] has to be {side} beside the others"
    )


EXERCISE = Exercise(
    name="branch_gains",
    lesson=LESSON,
    points=3,
    required=False,
    minutes=20,
    difficulty=3,
    kind="function",
    cases=(
        _gains_case("ten blocks, one of them louder", lambda rng: _ONE_LOUD.copy()),
        _gains_case(
            "forty blocks with gains from 0.1 to 10",
            lambda rng: 10 ** rng.permutation(np.linspace(-1, 1, 40)),
        ),
        _gains_case(
            "five blocks, the last one 50 times as loud",
            lambda rng: rng.uniform(0.5, 1.5, size=5) * [1, 1, 1, 1, 50],
            held_back=True,
        ),
    ),
    properties=(
        Property("one finite positive number per block", _array_fault),
        Property("a growth of the squared length between 2 and 3", _growth_fault),
        Property("no block is silenced, none dominates", _shares_fault),
    ),
    mistakes=(
        Mistake(
            "1/√depth is right for branches with g = 1; here a loud branch needs a smaller b than "
            "a quiet one",
            lambda g: np.full(len(g), len(g) ** -0.5),
        ),
        Mistake(
            "one b for all blocks tames the sum and leaves the loud branches loud; b has to follow "
            "g block by block",
            lambda g: np.full(len(g), 1 / np.sqrt((g**2).sum())),
        ),
        Mistake(
            "b = 1/g makes all branches equally loud, and each block still doubles the squared "
            "length; the depth is missing",
            lambda g: 1 / g,
        ),
        Mistake(
            "with 1/(g · depth) the stack grows by 1 + 1/depth only: b enters squared, so divide "
            "by √depth",
            lambda g: 1 / (g * len(g)),
        ),
        Mistake(
            "1/(g² · depth) is b², not b: take the square root",
            lambda g: 1 / (g**2 * len(g)),
        ),
        Mistake(
            "the share is b² g², so b is divided by g, not by √g",
            lambda g: 1 / np.sqrt(g * len(g)),
        ),
        Mistake(
            "you multiply by g: then a loud branch becomes louder still",
            lambda g: g / np.sqrt(len(g)),
        ),
        Mistake(
            "shares that add up to 1.5 grow the stack by more than 2.5, since each block also "
            "multiplies what the earlier ones added",
            lambda g: np.sqrt(1.5 / len(g)) / g,
        ),
    ),
    hints=(
        "First the shares, then b. Equal shares meet the demand on the shares by themselves.",
        "If every share is c, the stack grows by (1 + c) to the power of the depth. Which c makes "
        "that about 2.5?",
        "Solve b² g² = c for b, block by block: b = np.sqrt(c) / g.",
    ),
)
