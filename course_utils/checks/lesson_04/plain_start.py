"""A start with which a deep plain ReLU net keeps everything."""

import numpy as np

from course_utils.checks.lesson_04 import LESSON
from course_utils.judging import expect
from course_utils.judging.exercise import Exercise, Mistake, Property, normal_case

MIXED, FACTOR, ALIKE = 1 / 3, 2.0, 0.5


def _stack_fault(arguments, value):
    shape = (arguments["depth"], arguments["width"], arguments["width"])
    if fault := expect.array(value, shape):
        return fault
    bad = np.flatnonzero(~np.isfinite(value).all((1, 2)))
    return f"expected finite numbers, W[{bad[0]}] has others" if len(bad) else ""


def _mixing_fault(arguments, value):
    squares = value.astype(float) ** 2
    total = squares.sum((1, 2))
    if not total.all():
        return f"W[{total.argmin()}] is 0: nothing passes it"
    shares = squares.max(2).sum(1) / total
    layer = shares.argmax()
    if shares[layer] <= MIXED:
        return ""
    return (
        f"expected the largest weights of the rows to hold at most a third of all squares, in "
        f"W[{layer}] they hold {shares[layer]:.2f} of them: its outputs nearly copy single inputs"
    )


def _through(W):
    """Send 64 random inputs and gradients through the stack; what leaves each layer."""
    h, g = np.random.default_rng(0).normal(size=(2, 64, W.shape[1]))
    streams, gradients = [h], [g]
    for layer in W.astype(float):
        h = np.maximum(h @ layer.T, 0)
        streams.append(h)
    for layer, h in zip(W[::-1].astype(float), streams[:0:-1], strict=True):
        g = (g * (h > 0)) @ layer
        gradients.append(g)
    return np.array(streams), np.array(gradients)


def _length_fault(vectors, start, where, end):
    squares = (vectors**2).sum(2).mean(1)
    ratios = squares[1:] / squares[0]
    bad = np.flatnonzero(~((1 / FACTOR <= ratios) & (ratios <= FACTOR)))
    if not len(bad):
        return ""
    return (
        f"expected 1/{FACTOR:g} to {FACTOR:g} times that of {start}; {where(bad[0])} it is "
        f"{ratios[bad[0]]:.3g} times, {end} {ratios[-1]:.3g} times"
    )


def _stream_fault(arguments, value):
    streams, _ = _through(value)
    return _length_fault(streams, "the input", "after W[{}]".format, "at the end")


def _gradient_fault(arguments, value):
    _, gradients = _through(value)
    last = len(value) - 1
    return _length_fault(
        gradients,
        "the gradient at the output",
        lambda layers: f"below W[{last - layers}]",
        "below W[0]",
    )


def _cosine_fault(arguments, value):
    streams, _ = _through(value)
    one, other = streams[1:, ::2], streams[1:, 1::2]
    lengths = np.linalg.norm(one, axis=2) * np.linalg.norm(other, axis=2)
    # an input that became 0 is lost: it counts as alike
    cosines = np.divide((one * other).sum(2), lengths, np.ones_like(lengths), where=lengths > 0)
    means = cosines.mean(1)
    bad = np.flatnonzero(~(means <= ALIKE))
    if not len(bad):
        return ""
    return (
        f"expected a mean cosine of at most {ALIKE:g} between two inputs; after W[{bad[0]}] it is "
        f"{means[bad[0]]:.2f}, at the end {means[-1]:.2f}"
    )


def _mirrored(middle):
    """Compute the stack [[M, −M], [−M, M]] with the same M in every layer."""

    def value(depth, width):
        M = middle(width // 2)
        return np.tile(np.block([[M, -M], [-M, M]]), (depth, 1, 1))

    return value


EXERCISE = Exercise(
    name="plain_start",
    lesson=LESSON,
    points=3,
    required=False,
    minutes=20,
    difficulty=3,
    kind="function",
    cases=(
        normal_case("100 layers of width 32", depth=100, width=32),
        normal_case("60 layers of width 64", depth=60, width=64),
        normal_case("120 layers of width 48", depth=120, width=48, held_back=True),
    ),
    properties=(
        Property("one matrix of finite numbers per layer", _stack_fault),
        Property("every layer mixes its inputs", _mixing_fault),
        Property("the stream keeps its squared length", _stream_fault),
        Property("the gradient keeps its squared length", _gradient_fault),
        Property("two inputs stay different", _cosine_fault),
    ),
    mistakes=(
        Mistake(
            "the identity keeps everything and mixes nothing",
            lambda depth, width: np.tile(np.eye(width), (depth, 1, 1)),
        ),
        Mistake(
            "the signs are right, and with M = I nothing is mixed: take an orthogonal M without "
            "zeros",
            _mirrored(np.eye),
        ),
        Mistake(
            "if all weights are equal, all entries become equal, and every input ends alike",
            lambda depth, width: np.full((depth, width, width), 1 / width),
        ),
    ),
    hints=(
        "A ReLU loses the sign of z. It is not lost if the layer also has an output for −z: "
        "relu(z) − relu(−z) = z.",
        "Keep the stream as the pair (relu(z), relu(−z)). The next layer first has to put z "
        "together again, then apply its matrix M, and give out M z and −M z.",
        "Half of the outputs are M (u − v), the other half −M (u − v), where (u, v) is the stream. "
        "That is W = np.block([[M, -M], ...]). Which M keep every length? np.linalg.qr of a "
        "random matrix gives one.",
    ),
)
