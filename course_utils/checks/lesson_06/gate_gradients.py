"""Back through a block with one gate per feature."""

import numpy as np

from course_utils.checks.lesson_06 import LESSON
from course_utils.judging.exercise import Exercise, Mistake, normal_case


def _gate_case(title, batch, width, **fields):
    shapes = {"x": (batch, width), "W": (width, width), "alpha": (width,), "dH": (batch, width)}
    return normal_case(title, **{**shapes, **fields})


def _tanh_slope(x, W):
    return 1 - np.tanh(x @ W) ** 2


def _gate_gradients(x, W, alpha, dH):
    dz = alpha * dH * _tanh_slope(x, W)
    return {"x": dH + dz @ W.T, "W": x.T @ dz, "alpha": (dH * np.tanh(x @ W)).sum(0)}


def _instead(**parts):
    """Compute what an answer returns in which some entries come about in another way."""

    def value(x, W, alpha, dH):
        right = _gate_gradients(x, W, alpha, dH)
        return right | {name: part(x, W, alpha, dH) for name, part in parts.items()}

    return value


def _both(dz, shortcut=1.0):
    """Let another gradient dz enter both x and W."""
    return _instead(
        x=lambda x, W, alpha, dH: shortcut * dH + dz(x, W, alpha, dH) @ W.T,
        W=lambda x, W, alpha, dH: x.T @ dz(x, W, alpha, dH),
    )


EXERCISE = Exercise(
    name="gate_gradients",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _gate_case("four examples of three features", 4, 3),
        _gate_case("a closed gate: alpha = 0", 2, 3, alpha=np.zeros(3)),
        _gate_case(
            "one example, one feature closed", 1, 2, alpha=np.array([0.0, 0.5]), held_back=True
        ),
    ),
    reference=_gate_gradients,
    mistakes=(
        Mistake(
            "the gate is missing on the way back: what enters the branch is alpha · dH, not dH",
            _both(lambda x, W, alpha, dH: dH * _tanh_slope(x, W)),
        ),
        Mistake(
            "the gradient of x is right, that of W lacks the gate: W lies behind it as well",
            _instead(W=lambda x, W, alpha, dH: x.T @ (dH * _tanh_slope(x, W))),
        ),
        Mistake(
            "the gradient of W is right, that of x lacks the gate",
            _instead(x=lambda x, W, alpha, dH: dH + (dH * _tanh_slope(x, W)) @ W.T),
        ),
        Mistake(
            "the identity is missing in the gradient of x: dH itself passes along the shortcut",
            _both(lambda x, W, alpha, dH: alpha * dH * _tanh_slope(x, W), shortcut=0.0),
        ),
        Mistake(
            "you put the gate on the shortcut; it stands before the branch alone",
            _instead(
                x=lambda x, W, alpha, dH: alpha * (dH + (alpha * dH * _tanh_slope(x, W)) @ W.T)
            ),
        ),
        Mistake(
            "you multiply the gradient of alpha by alpha; H is linear in alpha, so its slope is "
            "F(x), and a closed gate gets a gradient",
            _instead(
                alpha=lambda x, W, alpha, dH: (alpha * dH * np.tanh(x @ W)).sum(0),
            ),
        ),
        Mistake(
            "the gradient of alpha has one row per example; all examples share the gate, so sum "
            "over the batch",
            _instead(alpha=lambda x, W, alpha, dH: dH * np.tanh(x @ W)),
        ),
        Mistake(
            "you average the gradient of alpha over the batch; it sums, as the one of W does",
            _instead(alpha=lambda x, W, alpha, dH: (dH * np.tanh(x @ W)).mean(0)),
        ),
        Mistake(
            "you sum the gradient of alpha over the features; there is one gate per feature, and "
            "the sum runs over the batch",
            _instead(alpha=lambda x, W, alpha, dH: (dH * np.tanh(x @ W)).sum(1)),
        ),
        Mistake(
            "you sum the gradient of alpha over everything, as for one gate per block; here every "
            "feature has its own",
            _instead(alpha=lambda x, W, alpha, dH: (dH * np.tanh(x @ W)).sum()),
        ),
        Mistake(
            "the gradient of alpha lacks the branch: H changes by F(x) when alpha changes by 1",
            _instead(alpha=lambda x, W, alpha, dH: dH.sum(0)),
        ),
        Mistake(
            "the gradient of alpha contains F(x) = tanh(x W), not x W",
            _instead(alpha=lambda x, W, alpha, dH: (dH * (x @ W)).sum(0)),
        ),
        Mistake(
            "the derivative of tanh is missing: 1 − tanh(z)² with z = x W",
            _both(lambda x, W, alpha, dH: alpha * dH),
        ),
        Mistake(
            "you multiply by tanh(z); its derivative is 1 − tanh(z)²",
            _both(lambda x, W, alpha, dH: alpha * dH * np.tanh(x @ W)),
        ),
        Mistake(
            "your gradient of W is transposed: entry (i, j) belongs to W[i, j]",
            _instead(W=lambda x, W, alpha, dH: _gate_gradients(x, W, alpha, dH)["W"].T),
        ),
        Mistake(
            "the gradient of x goes back through W transposed",
            _instead(x=lambda x, W, alpha, dH: dH + (alpha * dH * _tanh_slope(x, W)) @ W),
        ),
    ),
    hints=(
        "Name the pieces: z = x W, F = tanh(z), H = x + alpha · F. Go back from H.",
        "What arrives at F is alpha · dH, at z it is dz = alpha · dH · (1 − F²).",
        'dz goes to x and to W as in lesson 02. For the gate: {"alpha": (dH * F).sum(...), ...}, '
        "summed over the examples.",
    ),
)
