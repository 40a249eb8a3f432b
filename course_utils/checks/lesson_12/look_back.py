"""Weights with which attention looks back by k, on positions alone."""

import numpy as np

from course_utils.backprop.attention import softmax
from course_utils.checks.lesson_12 import LESSON
from course_utils.judging import expect
from course_utils.judging.exercise import Exercise, Property, normal_case
from course_utils.judging.values import kind_of

SEQ, FEW, SHARE = 300, 8, 0.9


def _sinusoids(d_model):
    """Give each of SEQ positions its sines and cosines, as `transformers.sinusoids` does."""
    angles = np.arange(SEQ)[:, None] / 10_000 ** (np.arange(0, d_model, 2) / d_model)
    return np.stack([np.sin(angles), np.cos(angles)], -1).reshape(SEQ, d_model)


def _scores(arguments, value):
    P = _sinusoids(arguments["d_model"])
    Wq, Wk = (np.asarray(part, float) for part in value)
    return (P @ Wq.T) @ (P @ Wk.T).T / P.shape[1] ** 0.5


def _matrices_fault(arguments, value):
    want = (arguments["d_model"],) * 2
    if isinstance(value, np.ndarray) and value.shape == (2, *want):
        value = list(value)
    if fault := expect.pair(value, "Wq, Wk"):
        return fault
    bad = [part for part in value if not expect.is_array(part, want)]
    return f"expected two arrays of shape {want}, got {kind_of(bad[0])}" if bad else ""


def _finite_fault(arguments, value):
    if not all(np.isfinite(part).all() for part in value):
        return "expected finite numbers in both matrices"
    if not np.isfinite(_scores(arguments, value)).all():
        return "expected finite scores; they overflow, so the gain is far too large"
    return ""


def _weights_fault(arguments, value):
    k, scores = arguments["k"], _scores(arguments, value)
    A, asked = softmax(scores), np.arange(k, SEQ)
    share, top = A[asked, asked - k], A[k:].argmax(1)
    bad = np.flatnonzero(~(share >= SHARE))
    if not len(bad):
        return ""
    p, seen = asked[bad[0]], top[bad[0]]
    return (
        f"expected position {p} to look at position {p - k} with a weight of at least {SHARE:g}, "
        f"got {share[bad[0]]:.4g}; its largest weight, {A[p, seen]:.2g}, lies on position {seen}. "
        f"{_diagnosis(k, share, top - asked, scores)}"
    )


def _diagnosis(k, share, offset, scores):
    """Say in one sentence what the weights have in common."""
    few = k + FEW
    among_few = softmax(scores[:few, :few])[k:].diagonal()
    mostly = {step: (offset == step).mean() > 0.8 for step in (-k, 0, k, -2 * k, 2 * k)}
    if (among_few >= SHARE).all():
        return (
            f"Among the first {few} positions alone all is well; among {SEQ} there are others that "
            "look alike. Let all pairs of P take part, and raise the gain."
        )
    if mostly[-k]:
        return (
            "Nearly everywhere the right position has the largest weight, and it is too small: "
            "what makes a softmax sharper?"
        )
    if mostly[0]:
        return "Most positions look at themselves: nothing is turned between queries and keys."
    if mostly[k]:
        return "Most positions look k ahead: the pairs are turned the wrong way."
    if k > 1 and (mostly[-2 * k] or mostly[2 * k]):
        return "Most positions look 2k away: one of queries and keys is to be turned, not both."
    if (offset == offset[-1]).mean() > 0.8:
        side = "before" if offset[-1] < 0 else "behind"
        return (
            f"Most positions look at one that lies {abs(offset[-1])} {side} them, not {k} before."
        )
    return (
        "The distance differs from position to position. Each pair turns by an angle of its own, k "
        "times its frequency: are sine and cosine, and the frequencies, where P has them?"
    )


def _look_case(title, k, d_model, held_back=False):
    return normal_case(title, held_back, k=k, d_model=d_model)


EXERCISE = Exercise(
    name="look_back",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=12,
    difficulty=3,
    kind="function",
    cases=(
        _look_case("three back, d_model = 8", 3, 8),
        _look_case("the position before, d_model = 16", 1, 16),
        _look_case("forty back, d_model = 64", 40, 64),
        _look_case("seven back, d_model = 12", 7, 12, held_back=True),
        _look_case("two back, d_model = 128", 2, 128, held_back=True),
    ),
    properties=(
        Property("two matrices of shape (d_model, d_model)", _matrices_fault),
        Property("finite scores", _finite_fault),
        Property("each of 300 positions looks k back", _weights_fault),
    ),
    hints=(
        "The score of p and j is the dot product of a query and a key. For two rows of P it is "
        "Σ cos(ω_i (p − j)), largest at j = p. It should be largest at j = p − k.",
        "Turn each pair of the query back by the angle ω_i k, so that sin(ω_i p), cos(ω_i p) "
        "become sin(ω_i (p − k)), cos(ω_i (p − k)), with the addition theorems. That is a 2×2 "
        "matrix in each block of Wq, and Wk can be I.",
        "The largest score is at the right place now, and the softmax is still flat. Multiply Wq "
        "by 100.",
    ),
)
