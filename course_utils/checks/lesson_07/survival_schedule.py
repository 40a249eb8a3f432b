"""The probabilities with which blocks run, on a budget."""

import numpy as np

from course_utils.checks.lesson_07 import LESSON
from course_utils.judging import expect
from course_utils.judging.exercise import Exercise, Mistake, Property, normal_case

ROUNDING = 1e-5


def _schedule_case(title, depth, budget, held_back=False):
    return normal_case(title, held_back, depth=depth, budget=budget)


def _probability_fault(arguments, value):
    if fault := expect.array(value, (arguments["depth"],)):
        return fault
    bad = np.flatnonzero(~((value > 0) & (value <= 1 + ROUNDING)))
    if not len(bad):
        return ""
    got = value[bad[0]]
    why = ": a block that never runs never learns" if got == 0 else ""
    return f"expected numbers above 0 and at most 1, got p[{bad[0]}] = {got:.5g}{why}"


def _falling_fault(arguments, value):
    bad = np.flatnonzero(np.diff(value) > ROUNDING)
    if not len(bad):
        return ""
    i = bad[0]
    return (
        f"expected p[{i + 1}] to be at most p[{i}] = {value[i]:.5g}, got {value[i + 1]:.5g}: a "
        "block closer to the output is not to run more often"
    )


def _tilt_fault(arguments, value):
    if arguments["budget"] == arguments["depth"] or value[0] > value[-1]:
        return ""
    return (
        f"expected p[0] above p[{len(value) - 1}], got {value[0]:.5g} for both: fewer than all "
        "blocks run, and the first one is to run more often than the last"
    )


def _sum_fault(arguments, value):
    total, budget = value.sum(), arguments["budget"]
    if abs(total - budget) <= ROUNDING * arguments["depth"]:
        return ""
    side = "many" if total > budget else "few"
    return f"expected the sum {budget:g}, got {total:.6g}: on average too {side} blocks run"


def _line(last):
    """Compute p_l = 1 − l/L · (1 − p_L) for a choice of p_L."""

    def value(depth, budget):
        return 1 - np.arange(1, depth + 1) / depth * (1 - last(depth, budget))

    return value


# the line whose p add up to the budget
_fitted = _line(lambda depth, budget: 1 - 2 * (depth - budget) / (depth + 1))


EXERCISE = Exercise(
    name="survival_schedule",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _schedule_case("nine of twelve blocks", 12, 9.0),
        _schedule_case("half of 24 blocks: the smallest budget", 24, 12.0),
        _schedule_case("a budget for all ten blocks", 10, 10.0),
        _schedule_case("4.2 of seven blocks", 7, 4.2, held_back=True),
        _schedule_case("99.5 of a hundred blocks", 100, 99.5, held_back=True),
    ),
    properties=(
        Property("one probability above 0 and at most 1 per block", _probability_fault),
        Property("no block runs more often than the one before it", _falling_fault),
        Property("the first block runs more often than the last", _tilt_fault),
        Property("as many blocks run on average as the budget says", _sum_fault),
    ),
    mistakes=(
        Mistake(
            "the sum is right, and all blocks are alike: tilt it, as much up at the front as down "
            "at the end",
            lambda depth, budget: np.full(depth, budget / depth),
        ),
        Mistake(
            "the lesson's line starts at p_1 = 1 − (1 − p_L)/L, a little below 1, so its mean is "
            "not (1 + p_L)/2. Add up the l from 1 to L: L (L + 1)/2",
            _line(lambda depth, budget: 2 * budget / depth - 1),
        ),
        Mistake(
            "a line from exactly 1 has the right sum, and its last block gets 0 when the budget is "
            "depth/2: start a little below 1",
            lambda depth, budget: np.linspace(1, 2 * budget / depth - 1, depth),
        ),
        Mistake(
            "that is the lesson's rule with p_L = 1/2, by which about three quarters of the blocks "
            "run; the budget has to decide how far p falls",
            _line(lambda depth, budget: 0.5),
        ),
        Mistake(
            "you take p_L = budget/depth: that is to be the mean of all p, and the last one lies "
            "below the mean",
            _line(lambda depth, budget: budget / depth),
        ),
        Mistake(
            "the first blocks always run and the others never: that is a shallower net, not one "
            "whose blocks all learn",
            lambda depth, budget: (np.arange(depth) < budget).astype(float),
        ),
        Mistake(
            "the line has the right sum and runs the wrong way: it is the first block that runs "
            "most often",
            lambda depth, budget: _fitted(depth, budget)[::-1],
        ),
    ),
    hints=(
        "Take a shape that falls and has one free number, such as 1 − c · l with l = 1 … depth.",
        "The sum of 1 − c · l is depth − c · depth (depth + 1)/2. Set it equal to the budget and "
        "solve for c. Or halve an interval until the sum fits.",
        "c = 2 (depth − budget)/(depth (depth + 1)). Is the last p above 0 for budget = depth/2?",
    ),
)
