"""A block of which a hundred can be stacked, around branches of full size."""

import numpy as np

from course_utils.checks.lesson_06 import LESSON
from course_utils.judging import expect
from course_utils.judging.exercise import Case, Exercise, Property, probe_beside
from course_utils.judging.values import kind_of

LONGEST, FELT = 5.0, 0.5


def _deep_case(title, depth, relu_end, held_back=False):
    def draw(rng):
        seed = int(rng.integers(2**31))
        return {"depth": depth, "width": 24, "relu_end": relu_end, "seed": seed}

    return Case(title, draw, held_back)


def _block_shape_fault(arguments, value):
    if not isinstance(value, dict):
        return f"expected the measurements of a stack, got {kind_of(value)}"
    if "returned" in value:
        shape = (8, arguments["width"])
        return f"expected a tensor of the shape of x, {shape}, got {kind_of(value['returned'])}"
    for name, length in _lengths(arguments["depth"]).items():
        part = value.get(name)
        if not expect.is_array(part, (length,), "f"):
            return f"expected {length} numbers under {name!r}, got {kind_of(part)}"
    return ""


def _lengths(depth):
    blocks = dict.fromkeys(("felt", "registered", "called", "later"), depth)
    return blocks | {"stream": depth + 1, "gradient": depth + 1}


def _registered_fault(arguments, value):
    if value["registered"].all():
        return ""
    return (
        "expected the branch's parameters among the block's: keep the module itself, as in "
        "self.branch = branch"
    )


def _bounded_fault(ratios, order, side, what):
    bad = [i for i in order if not 1 / LONGEST <= ratios[i] <= LONGEST]
    if not bad:
        return ""
    return (
        f"expected 1/{LONGEST:g} to {LONGEST:g} times that of {what}; {side} block {bad[0]} it is "
        f"{ratios[bad[0]]:.3g} times, {side} block {order[-1]} {ratios[order[-1]]:.3g} times"
    )


def _deep_stream_fault(arguments, value):
    order = range(arguments["depth"])
    return _bounded_fault(value["stream"][1:], order, "after", "the input")


def _deep_gradient_fault(arguments, value):
    order = range(arguments["depth"])[::-1]
    return _bounded_fault(value["gradient"], order, "below", "the gradient at the output")


def _felt_fault(arguments, value):
    least = FELT / arguments["depth"]
    bad = np.flatnonzero(~(value["felt"] >= least))
    if not len(bad):
        return ""
    got = value["felt"][bad[0]]
    why = (
        "it is all but silenced, and it cannot learn to speak up"
        if got > 0
        else "nothing in it can learn. Is its gate an nn.Parameter? Is more than one factor 0?"
        if value["called"][bad[0]]
        else "it never calls its branch"
    )
    return (
        f"expected the gradient of a block's parameters to be at least {FELT:g}/depth = {least:g} "
        f"times as long as that at the output; in block {bad[0]} it is {got:.3g} times: {why}"
    )


def _later_fault(arguments, value):
    bad = np.flatnonzero(~(value["later"] > 0))
    if not len(bad):
        return ""
    return (
        f"after one step of training the branch of block {bad[0]} still gets the gradient 0: the "
        "gate learns, and F never will. Is the branch detached or frozen?"
    )


EXERCISE = Exercise(
    name="DeepBlock",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=12,
    difficulty=3,
    kind="module",
    timeout=20.0,
    probe=probe_beside(__name__),
    cases=(
        _deep_case("100 blocks around branches that end in a linear layer", 100, False),
        _deep_case("100 blocks around branches that end in a ReLU", 100, True),
        _deep_case("another depth", 60, True, held_back=True),
    ),
    properties=(
        Property("a block returns the shape of its input", _block_shape_fault),
        Property("the branch belongs to the block", _registered_fault),
        Property("the squared length of the stream stays within a factor of 5", _deep_stream_fault),
        Property(
            "the squared length of the gradient stays within a factor of 5", _deep_gradient_fault
        ),
        Property("every block can learn", _felt_fault),
        Property("every branch learns after the first step", _later_fault),
    ),
    mistakes=(),
    hints=(
        "With x + F(x) every block at least doubles the squared length. Something has to make the "
        "branch quiet at the start, without cutting it off.",
        "A gate is a parameter: self.gate = nn.Parameter(...), and the block returns "
        "x + self.gate * self.branch(x). Where may it start?",
        "Branches that end in a ReLU all push the same way, so depth times the gate may be about "
        "1: start at 1 / depth, or at 0.",
    ),
)
