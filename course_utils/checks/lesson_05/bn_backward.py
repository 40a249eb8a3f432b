"""Back through a batch norm of images."""

import numpy as np

from course_utils.checks.lesson_05 import LESSON
from course_utils.checks.lesson_05.batch_norm import norm_backward
from course_utils.judging.exercise import Exercise, Mistake, normal_case


def _norm_case(title, batch, channels, pixels, eps, **fields):
    shape = (batch, channels, pixels)
    return normal_case(title, x=shape, gamma=(channels,), dy=shape, eps=eps, **fields)


def _backward(**options):
    return lambda **arguments: norm_backward(**arguments, **options)


def _sums(x, gamma, dy, eps):
    d, axes = gamma[:, None] * dy, (0, 2)
    scale = 1 / np.sqrt(x.var(axes, keepdims=True) + eps)
    y = (x - x.mean(axes, keepdims=True)) * scale
    return (d - d.sum(axes, keepdims=True) - y * (d * y).sum(axes, keepdims=True)) * scale


def _unscaled(x, gamma, dy, eps):
    return norm_backward(x, gamma, dy, eps) * np.sqrt(x.var((0, 2), keepdims=True) + eps)


def _mixed_count(x, gamma, dy, eps):
    """Compute the variance with n − 1 and the two means with n."""
    d, axes = gamma[:, None] * dy, (0, 2)
    scale = 1 / np.sqrt(x.var(axes, keepdims=True, ddof=1) + eps)
    y = (x - x.mean(axes, keepdims=True)) * scale
    return (d - d.mean(axes, keepdims=True) - y * (d * y).mean(axes, keepdims=True)) * scale


def _root_outside(variance, eps):
    return np.sqrt(variance) + eps


EXERCISE = Exercise(
    name="bn_backward",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=12,
    difficulty=2,
    kind="function",
    cases=(
        _norm_case("two channels of four pixels", 3, 2, 4, 0.3),
        _norm_case("as many examples as channels and pixels", 3, 3, 3, 0.1),
        _norm_case("five channels of two pixels", 6, 5, 2, 0.2, held_back=True),
    ),
    reference=norm_backward,
    mistakes=(
        Mistake(
            "you treat mean and variance as constants: every x of a channel moves both, and both "
            "bring a term of their own",
            _backward(through_mean=False, through_variance=False),
        ),
        Mistake(
            "the term of the variance is missing: stretching x changes x̂ through eps alone, so the "
            "part of the gradient along x̂ has to go, all but a little",
            _backward(through_variance=False),
        ),
        Mistake(
            "the term of the mean is missing: shifting x does not change x̂, so the gradient of a "
            "channel has to sum to 0",
            _backward(through_mean=False),
        ),
        Mistake(
            "γ is missing: ∂L/∂x̂ is γ · ∂L/∂y",
            lambda x, gamma, dy, eps: norm_backward(x, np.ones_like(gamma), dy, eps),
        ),
        Mistake(
            "you average over the examples alone; all pixels of a channel share one mean and one "
            "variance",
            _backward(axes=(0,)),
        ),
        Mistake(
            "you average over the pixels alone, which is instance norm; here the examples belong "
            "to the average as well",
            _backward(axes=(2,)),
        ),
        Mistake(
            "you average over the channels, which is layer norm; batch norm keeps each channel to "
            "itself",
            _backward(axes=(1,)),
        ),
        Mistake(
            "you average over channels and pixels, which is layer norm; batch norm keeps each "
            "channel to itself",
            _backward(axes=(1, 2)),
        ),
        Mistake(
            "you average over everything; each channel has a mean and a variance of its own",
            _backward(axes=(0, 1, 2)),
        ),
        Mistake(
            "you divide the variance by n − 1; batch norm divides by n, the number of entries of a "
            "channel",
            _mixed_count,
        ),
        Mistake(
            "that is the gradient of a norm that divides by n − 1; batch norm divides by n",
            _backward(ddof=1),
        ),
        Mistake(
            "eps stands outside the root: the norm divides by √(variance + eps)",
            _backward(root=_root_outside),
        ),
        Mistake("eps is missing", _backward(root=lambda variance, eps: np.sqrt(variance))),
        Mistake(
            "you divide by variance + eps: its root is missing",
            _backward(root=lambda variance, eps: variance + eps),
        ),
        Mistake(
            "you take sums where means belong: each of the two terms is divided by n, the number "
            "of entries of a channel",
            _sums,
        ),
        Mistake(
            "the last factor is missing: x̂ changes by 1/√(variance + eps) times what x changes",
            _unscaled,
        ),
    ),
    hints=(
        "First compute x̂ and ∂L/∂x̂ = γ ∂L/∂y. γ[:, None] has one row per channel.",
        "Which axes does the mean of one channel run over? Use keepdims=True, and the result fits "
        "to x again.",
        "Take two means out of d = ∂L/∂x̂, then scale: d − mean(d) − x̂ · mean(d · x̂).",
    ),
)
