"""A stack with one more block that computes the same function and can go on learning."""

import numpy as np

from course_utils.checks.lesson_01 import LESSON
from course_utils.judging import expect
from course_utils.judging.exercise import Exercise, Property, normal_case
from course_utils.judging.values import kind_of


def _stack_case(title, depth, width, hidden, **fields):
    return normal_case(title, W1=(depth, width, hidden), W2=(depth, hidden, width), **fields)


def _stack_forward(x, W1, W2):
    h, states = x, []
    for inner, outer in zip(W1, W2, strict=True):
        states.append(h)
        h = h + np.maximum(h @ inner, 0) @ outer
    return h, states


def _sample(arguments):
    return np.random.default_rng(0).normal(size=(64, arguments["W1"].shape[1]))


def _pair_fault(arguments, value):
    depth, width, hidden = arguments["W1"].shape
    want = [(depth + 1, width, hidden), (depth + 1, hidden, width)]
    if fault := expect.pair(value, "W1, W2"):
        return fault
    if not all(expect.is_array(part, kinds="f") for part in value):
        return f"expected two arrays of floats, got {' and '.join(map(kind_of, value))}"
    got = [part.shape for part in value]
    if got != want:
        return f"expected shapes {want[0]} and {want[1]}, got {got[0]} and {got[1]}"
    return ""


def _same_function_fault(arguments, value):
    x = _sample(arguments)
    before, _ = _stack_forward(x, arguments["W1"], arguments["W2"])
    after, _ = _stack_forward(x, *value)
    difference = np.abs(after - before).max()
    rounding = max(np.finfo(part.dtype).eps for part in value if part.dtype.kind == "f")
    if difference <= max(1e-9, 100 * rounding) * np.abs(before).max():
        return ""
    return (
        "expected the deeper stack to return what the old one returned, an entry differs by "
        f"{difference:.3g}. The new block has to return its x, so its F(x) has to be 0. Are both "
        "new matrices at the same place in their stacks?"
    )


def _can_learn_fault(arguments, value):
    W1, W2 = value
    out, states = _stack_forward(_sample(arguments), W1, W2)
    grad = np.random.default_rng(1).normal(size=out.shape)
    dead = []
    for index in reversed(range(len(W1))):
        h, inner, outer = states[index], W1[index], W2[index]
        active = np.maximum(h @ inner, 0)
        grad_hidden = (grad @ outer.T) * (active > 0)
        if not active.any() and not grad_hidden.any():
            dead.append(index)
        grad = grad + grad_hidden @ inner.T
    if not dead:
        return ""
    return (
        f"block {dead[0]} gets the gradient 0 in both of its matrices, so training can never "
        "change it. One of the two matrices is enough to make F(x) = 0: which one leaves the "
        "ReLU something to pass on?"
    )


EXERCISE = Exercise(
    name="deepen",
    lesson=LESSON,
    points=3,
    required=False,
    minutes=20,
    difficulty=3,
    kind="function",
    cases=(
        _stack_case("three blocks become four", 3, 4, 6),
        _stack_case("one block becomes two", 1, 2, 3),
        _stack_case("five blocks become six", 5, 3, 3, held_back=True),
    ),
    properties=(
        Property("one more block", _pair_fault),
        Property("the same function", _same_function_fault),
        Property("the new block can learn", _can_learn_fault),
    ),
    mistakes=(),
    hints=(
        "A block with F(x) = 0 changes nothing, wherever you put it.",
        "F(x) = relu(x W1) W2 is 0 if one matrix is 0. Which one may it be, if the other is to "
        "get a gradient through the ReLU?",
        "Make the new W2 zeros and the new W1 random; np.concatenate([W1, new[None]]) puts one "
        "more matrix at the end of a stack.",
    ),
)
