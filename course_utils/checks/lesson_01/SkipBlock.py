"""A shortcut around any module."""

import numpy as np

from course_utils.checks.lesson_01 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case, probe_beside

_Y, _TO_X, _TO_F, _SIZES = (
    "y",
    "gradient that reaches x",
    "gradient that reaches the branch",
    "sizes of the block's parameters",
)


def _skip_block(x, v, A, B, gain=1.0, skip=1.0, relu=False):
    hidden = np.tanh(x @ A)
    y = skip * x + gain * hidden @ B
    v_x, v_f = v, v
    if relu:
        v_x = v_f = v * (y > 0)
        y = np.maximum(y, 0)
    inner = (v_f @ B.T) * (1 - hidden**2)
    to_f = np.concatenate([(x.T @ inner).ravel(), (hidden.T @ v_f).ravel()])
    sizes = np.array(sorted([A.size, B.size]), dtype=float)
    return {_Y: y, _TO_X: skip * v_x + gain * inner @ A.T, _TO_F: gain * to_f, _SIZES: sizes}


def _changed(**fields):
    """Compute what a block with other gains returns."""
    return lambda x, v, A, B: _skip_block(x, v, A, B, **fields)


def _cut(skip=False, to_x=False, to_f=False, unregistered=False):
    """Compute what a block returns whose value is right and whose gradients are cut."""

    def value(x, v, A, B):
        result = _skip_block(x, v, A, B)
        if skip:
            result[_TO_X] = result[_TO_X] - v
        if to_x:
            result[_TO_X] = v if not skip else np.zeros_like(v)
        if to_f:
            result[_TO_F] = np.zeros_like(result[_TO_F])
        if unregistered:
            result[_SIZES] = np.zeros(0)
        return result

    return value


def _skip_block_case(title, width, hidden, **fields):
    arrays = {"x": (2, width), "v": (2, width), "A": (width, hidden), "B": (hidden, width)}
    return normal_case(title, **{**arrays, **fields})


EXERCISE = Exercise(
    name="SkipBlock",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=10,
    difficulty=2,
    kind="module",
    probe=probe_beside(__name__),
    cases=(
        _skip_block_case("around F(x) = tanh(x A) B", 3, 5),
        _skip_block_case("around a branch that is 0: the identity", 3, 4, B=np.zeros((4, 3))),
        _skip_block_case("around another branch", 4, 2, held_back=True),
    ),
    reference=_skip_block,
    mistakes=(
        Mistake(
            "the shortcut is missing: your block returns F(x), it should return x + F(x)",
            _changed(skip=0.0),
        ),
        Mistake(
            "the shortcut is doubled: your block returns 2x + F(x)",
            _changed(skip=2.0),
        ),
        Mistake(
            "your shortcut is detached: the value is right, but the Jacobian lacks I, so no "
            "gradient travels along the identity path",
            _cut(skip=True),
        ),
        Mistake(
            "you add F(x) to itself: the other term of the sum is x",
            _changed(gain=2.0, skip=0.0),
        ),
        Mistake(
            "a ReLU sits on the sum: negative entries of x no longer pass, so a zero branch "
            "does not give the identity",
            _changed(relu=True),
        ),
        Mistake(
            "your branch is detached: the value is right, but F gets no gradient and cannot learn",
            _cut(to_x=True, to_f=True),
        ),
        Mistake(
            "the input of your branch is detached: F learns, but no gradient comes back through it",
            _cut(to_x=True),
        ),
        Mistake(
            "the branch's parameters get no gradient, so F cannot learn: are they frozen?",
            _cut(to_f=True),
        ),
        Mistake(
            "no gradient reaches x at all: something in forward cuts it, such as no_grad or detach",
            _cut(skip=True, to_x=True, to_f=True),
        ),
        Mistake("the branch is missing: your block returns x", _changed(gain=0.0)),
        Mistake("you subtract the branch: the block is x + F(x)", _changed(gain=-1.0)),
        Mistake("you subtract x: the block is x + F(x)", _changed(skip=-1.0)),
        Mistake(
            "the branch is not registered: keep the module itself as self.branch = branch, so "
            "that its parameters are the block's parameters",
            _cut(unregistered=True),
        ),
    ),
    hints=(
        "Two methods: __init__ keeps the branch, forward uses it once.",
        "In __init__: super().__init__() first, then self.branch = branch.",
        "In forward: return x + self.branch(x), a new tensor that leaves x as it was.",
    ),
)
