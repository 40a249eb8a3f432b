"""Exercises of lesson 04: trainable depth."""

import numpy as np

from course_utils.checks.exercise import Case, Exercise, Mistake, Property, choice, normal_case
from course_utils.checks.values import kind_of

LESSON = "04_trainable_depth"
PIXELS, CLASSES = 64, 10


def _weights(depth, width):
    return PIXELS * width + depth * width**2 + CLASSES * width


def _steps_by(count):
    """Compute the answer of somebody who counts weights in another way."""
    return lambda depth, width, steps, new_depth, new_width: (
        steps * count(depth, width) // count(new_depth, new_width)
    )


def _exact(depth, width, steps, new_depth, new_width):
    return steps * _weights(depth, width) / _weights(new_depth, new_width)


equal_steps = Exercise(
    name="equal_steps",
    lesson=LESSON,
    points=1,
    required=True,
    minutes=5,
    difficulty=1,
    kind="function",
    cases=(
        normal_case("deeper", depth=5, width=32, steps=300, new_depth=50, new_width=32),
        normal_case(
            "shallower and wider", depth=20, width=32, steps=400, new_depth=10, new_width=48
        ),
        normal_case(
            "deeper and wider",
            held_back=True,
            depth=3,
            width=16,
            steps=1000,
            new_depth=12,
            new_width=40,
        ),
    ),
    reference=_steps_by(_weights),
    mistakes=(
        Mistake(
            "that many steps would cost a little more than the first net did: round down",
            lambda **given: round(_exact(**given)),
        ),
        Mistake(
            "you round up, so the new net computes more than the first one did: round down",
            lambda **given: int(np.ceil(_exact(**given))),
        ),
        Mistake("only whole steps can be taken: round down", _exact),
        Mistake(
            "a layer has width² weights, and the widths of the two nets may differ; you count "
            "layers",
            _steps_by(lambda depth, width: depth),
        ),
        Mistake(
            "you compare the depths and the widths; a square layer has width² weights, and the "
            "first and the last layer count too",
            _steps_by(lambda depth, width: depth * width),
        ),
        Mistake(
            "the first and the last layer are missing: 64 · width and 10 · width weights",
            _steps_by(lambda depth, width: depth * width**2),
        ),
        Mistake(
            "the last layer is missing: 10 · width weights",
            _steps_by(lambda depth, width: _weights(depth, width) - CLASSES * width),
        ),
        Mistake(
            "the first layer is missing: 64 · width weights",
            _steps_by(lambda depth, width: _weights(depth, width) - PIXELS * width),
        ),
        Mistake(
            "you count the biases as well; the exercise leaves them out",
            _steps_by(
                lambda depth, width: _weights(depth, width) + depth * width + width + CLASSES
            ),
        ),
        Mistake(
            "the ratio is upside down: the net with more weights gets fewer steps",
            lambda depth, width, steps, new_depth, new_width: (
                steps * _weights(new_depth, new_width) // _weights(depth, width)
            ),
        ),
        Mistake(
            "those are equal steps; the nets do not cost the same per step",
            lambda depth, width, steps, new_depth, new_width: steps,
        ),
        Mistake(
            "you take one square layer too few: `depth` of them lie between the first and the last",
            _steps_by(lambda depth, width: _weights(depth - 1, width)),
        ),
    ),
    hints=(
        "Count the weights of one net first: the first layer, `depth` square layers, the last one.",
        "A step costs 6 · batch · weights. The 6 and the batch are the same for both nets.",
        "new steps · new weights ≤ steps · weights. The operator // divides and rounds down.",
    ),
)


def _runs(title, depths, rates, seeds, held_back=False):
    def draw(rng):
        return {
            name: rng.uniform(0.1, 1, size=(depths, rates, seeds)) for name in ("train", "test")
        }

    return Case(title, draw, held_back)


def _at(values, index):
    """Take one learning rate at each depth."""
    return values[np.arange(len(values)), index]


honest_accuracy = Exercise(
    name="honest_accuracy",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _runs("eight depths, three learning rates, five seeds", 8, 3, 5),
        _runs("ten of each", 10, 10, 10),
        _runs("twelve depths, five learning rates, three seeds", 12, 5, 3, held_back=True),
    ),
    reference=lambda train, test: _at(test.mean(2), train.mean(2).argmax(1)),
    mistakes=(
        Mistake(
            "you choose the rate by the test accuracy; then luck on the test digits enters the "
            "choice, and what you report is too good. Choose by `train`",
            lambda train, test: test.mean(2).max(1),
        ),
        Mistake(
            "the rate is right, and you report its training accuracy; report `test`",
            lambda train, test: train.mean(2).max(1),
        ),
        Mistake(
            "you choose one rate for all depths; each depth gets its own",
            lambda train, test: test.mean(2)[:, train.mean((0, 2)).argmax()],
        ),
        Mistake(
            "you choose the rate that holds the best single copy; one lucky seed decides then. "
            "Average over the seeds first",
            lambda train, test: _at(test.mean(2), train.max(2).argmax(1)),
        ),
        Mistake(
            "that is the test accuracy of the copy that trained best, one seed; average over the "
            "seeds",
            lambda train, test: _at(
                test.reshape(len(test), -1), train.reshape(len(train), -1).argmax(1)
            ),
        ),
        Mistake(
            "that is the best single copy on the test digits: it takes both the rate and the seed "
            "by luck",
            lambda train, test: test.max((1, 2)),
        ),
        Mistake(
            "you let every seed have a rate of its own; the seeds are repetitions of one choice",
            lambda train, test: np.take_along_axis(test, train.argmax(1)[:, None], 1)[:, 0].mean(1),
        ),
        Mistake(
            "you let every seed choose its rate by the test accuracy; choose one rate per depth, "
            "by `train`",
            lambda train, test: test.max(1).mean(1),
        ),
        Mistake(
            "you take the best seed at each rate and average over the rates; seeds are averaged, "
            "rates are chosen",
            lambda train, test: test.max(2).mean(1),
        ),
        Mistake(
            "you average over the learning rates as well; a bad rate says nothing about the depth",
            lambda train, test: test.mean((1, 2)),
        ),
        Mistake(
            "the seed is on the last axis, the learning rate on the middle one; you have them the "
            "other way round",
            lambda train, test: _at(test.mean(1), train.mean(1).argmax(1)),
        ),
        Mistake(
            "those are the chosen learning rates' indices; return the test accuracy there",
            lambda train, test: train.mean(2).argmax(1),
        ),
        Mistake(
            "those are all seeds at the chosen rate; return their mean",
            lambda train, test: _at(test, train.mean(2).argmax(1)),
        ),
        Mistake(
            "that is right for each depth, and then averaged over the depths; return one number "
            "per depth",
            lambda train, test: _at(test.mean(2), train.mean(2).argmax(1)).mean(),
        ),
    ),
    hints=(
        "Seeds first: what are the mean accuracies of each depth at each rate?",
        "train.mean(2).argmax(1) is the index of the rate to choose, one for each depth.",
        "Take that entry of test.mean(2) at each depth, in a loop or with "
        "test.mean(2)[np.arange(depths), index].",
    ),
)

shared_rate = choice(
    "shared_rate",
    LESSON,
    right="c",
    wrong={
        "a": "it was trained at one rate only, and that rate was chosen for another net; a "
        "smaller one may well train it",
        "b": "an accuracy says nothing about gradients. They may as well have exploded, or be fine "
        "while the rate is too large: measure them",
        "d": "at equal steps the deep net has already computed more than seven times as much; "
        "equal compute gives it fewer steps, not more",
    },
    points=1,
    required=False,
    minutes=3,
    difficulty=1,
    hints=(
        "What was the same for both nets, and for which of them was it chosen?",
        "Name everything that could explain 0.35: the depth, the rate, the number of steps. Which "
        "of them were varied?",
        "A claim is only as wide as what was tried: one rate, 300 steps.",
    ),
)


def _with(k):
    """Solve dq/dl = −k q² for another k."""
    return lambda c, q0, depth: q0 / (1 + k(c) * q0 * depth)


def _map(c, q0, depth):
    for _ in range(depth):
        q0 = q0 - 6 * c * q0**2
    return q0


stream_size = Exercise(
    name="stream_size",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        normal_case("the sine, 20 layers", c=1 / 6, q0=0.4, depth=20),
        normal_case("z/√(1 + z²), 100 layers", c=0.5, q0=0.1, depth=100),
        normal_case("c = 1/4, 40 layers", c=0.25, q0=0.3, depth=40, held_back=True),
    ),
    reference=_with(lambda c: 6 * c),
    mistakes=(
        Mistake("k = 2 belongs to tanh, whose c is 1/3; here c is given", _with(lambda c: 2.0)),
        Mistake(
            "that is k = 3c: the square of z − c z³ has the middle term −2c z⁴",
            _with(lambda c: 3 * c),
        ),
        Mistake(
            "that is k = 2c: the mean of z⁴ is 3q², not q²",
            _with(lambda c: 2 * c),
        ),
        Mistake(
            "that is k = c: square z − c z³ and average; the mean of z⁴ is 3q²",
            _with(lambda c: c),
        ),
        Mistake(
            "that is what is left after very many layers; the start q0 still counts",
            lambda c, q0, depth: 1 / (6 * c * depth),
        ),
        Mistake(
            "you multiply by 1 − k q0 in every layer, as if the loss stayed as large as at the "
            "start; it shrinks with q, so the decay is no exponential",
            lambda c, q0, depth: q0 * (1 - 6 * c * q0) ** depth,
        ),
        Mistake(
            "that solves dq/dl = −k q0 q; the loss is k q², which shrinks with q twice",
            lambda c, q0, depth: q0 * np.exp(-6 * c * q0 * depth),
        ),
        Mistake(
            "that solves dq/dl = −k q; here q enters squared, and the solution is a power law",
            lambda c, q0, depth: q0 * np.exp(-6 * c * depth),
        ),
        Mistake(
            "you repeat the layer's map, which is close; the solution of the differential "
            "equation is asked for",
            _map,
        ),
        Mistake(
            "you go along the first slope all the way; the slope −k q² becomes flatter",
            lambda c, q0, depth: q0 - 6 * c * q0**2 * depth,
        ),
        Mistake(
            "that is one layer; the exercise asks for `depth` of them",
            lambda c, q0, depth: q0 - 6 * c * q0**2,
        ),
        Mistake("that is 1/q", lambda c, q0, depth: 1 / q0 + 6 * c * depth),
        Mistake(
            "that is the root of q; q is a mean square already",
            lambda c, q0, depth: np.sqrt(q0 / (1 + 6 * c * q0 * depth)),
        ),
        Mistake(
            "q0 is missing beside k: 1/q = 1/q0 + k · depth",
            lambda c, q0, depth: q0 / (1 + 6 * c * depth),
        ),
    ),
    hints=(
        "Square z − c z³ and drop what is smaller than z⁴. For a normal z with mean square q, the "
        "mean of z⁴ is 3q².",
        "q' = q − 2c · 3q², so k = 6c. For the other part look at 1/q: how fast does it change?",
        "1/q grows by k in every layer: 1/q = 1/q0 + k · depth.",
    ),
)

MIXED, FACTOR, ALIKE = 1 / 3, 2.0, 0.5


def _stack_fault(arguments, value):
    want = (arguments["depth"], arguments["width"], arguments["width"])
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "iuf" or value.shape != want:
        return f"expected an array of shape {want}, got {kind_of(value)}"
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


plain_start = Exercise(
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

EXERCISES = (equal_steps, honest_accuracy, shared_rate, stream_size, plain_start)
