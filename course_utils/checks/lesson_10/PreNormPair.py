"""A pre-norm block with three faults, to be mended."""

from itertools import product

import numpy as np

from course_utils.backprop.norms import LayerNorm, RMSNorm, norm_backward, norm_forward
from course_utils.checks.lesson_10 import LESSON
from course_utils.judging.exercise import (
    Case,
    Exercise,
    Mistake,
    probe_beside,
)


def _pair_case(title, batch, seq, width, held_back=False):
    def draw(rng):
        return {
            "x": 1 + 2 * rng.normal(size=(batch, seq, width)),
            "v": rng.normal(size=(batch, seq, width)),
            "M": np.tril(rng.normal(size=(seq, seq))),
            "A": rng.normal(size=(width, width)),
            "B": rng.normal(size=(width, width)),
            "gains": rng.uniform(0.5, 2, size=(2, width)),
            "biases": rng.normal(size=(2, width)),
        }

    return Case(title, draw, held_back)


def _pair(x, v, M, A, B, gains, biases, skip=1.0):
    """Run the mended block and its backward pass; `skip` is what the shortcuts hand back."""
    norms = [LayerNorm(*weights) for weights in zip(gains, biases, strict=True)]
    u, norm1 = norm_forward(norms[0], x)
    attended = np.tanh(u @ A)
    h = x + M @ attended
    u, norm2 = norm_forward(norms[1], h)
    fed = np.tanh(u @ B)
    dh = skip * v + norm_backward(norms[1], norm2, (v @ B * (1 - fed**2)) @ B.T)[0]
    du = (M.T @ dh * (1 - attended**2)) @ A.T
    sizes = sorted([A.size, B.size, *4 * [len(A)]])
    return {
        "y": h + fed @ B.T,
        "gradient that reaches x": skip * dh + norm_backward(norms[0], norm1, du)[0],
        "sizes of the block's parameters": np.array(sizes, float),
    }


def _over_features(x, gain, bias):
    return norm_forward(LayerNorm(gain, bias), x)[0]


def _over_sequence(x, gain, bias):
    flat, seq = x.reshape(len(x), -1), x.shape[1]
    return _over_features(flat, np.tile(gain, seq), np.tile(bias, seq)).reshape(x.shape)


def _rms_norm(x, gain, bias):
    return norm_forward(RMSNorm(gain), x, eps=np.finfo(float).eps)[0]


def _wired(chain):
    """Expect the y of another wiring: `chain(x, F, G, n1, n2)` has sublayers and norms."""

    def value(x, v, M, A, B, gains, biases, norm=_over_features):
        def attend(u):
            return M @ np.tanh(u @ A)

        def feed(u):
            return np.tanh(u @ B) @ B.T

        def n1(u):
            return norm(u, gains[0], biases[0])

        def n2(u):
            return norm(u, gains[1], biases[1])

        return {"y": chain(x, attend, feed, n1, n2)}

    return value


def _normed_both(x, F, G, n1, n2):
    u = n1(x)
    h = n2(u + F(u))
    return h + G(h)


def _normed_first(x, F, G, n1, n2):
    u = n1(x)
    h = u + F(u)
    return h + G(n2(h))


def _normed_second(x, F, G, n1, n2):
    h = n2(x + F(n1(x)))
    return h + G(h)


def _mended(x, F, G, n1, n2):
    h = x + F(n1(x))
    return h + G(n2(h))


_TRUNK = {
    _mended: "",
    _normed_both: "the shortcuts start behind the norms, so that x itself never gets through",
    _normed_first: "the first shortcut starts behind its norm; x is to pass it as it is",
    _normed_second: "the second shortcut starts behind its norm; the stream is to pass it as it is",
}


_SHARED = "one norm serves both sublayers, and each is to have a gain and a bias of its own"


_MIXED = (
    "your norms run over the whole sequence, so that every token feels all others, the later "
    "ones too; one over the features is nn.LayerNorm(width), with width the last entry of shape"
)


def _left(chain, shared, mixed):
    """Name the faults that are still there."""

    def wired(x, F, G, n1, n2):
        return chain(x, F, G, n1, n1 if shared else n2)

    def value(**given):
        return _wired(wired)(**given, norm=_over_sequence if mixed else _over_features)

    parts = [_TRUNK[chain], shared * _SHARED, mixed * _MIXED]
    faults = [part for part in parts if part]
    if len(faults) == 1:
        return Mistake(faults[0], value)
    number = {2: "two", 3: "all three"}[len(faults)]
    listed = "".join(f" ({i}) {fault}." for i, fault in enumerate(faults, 1)).rstrip(".")
    return Mistake(f"{number} of the faults are left:{listed}", value)


EXERCISE = Exercise(
    name="PreNormPair",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=8,
    difficulty=2,
    kind="module",
    probe=probe_beside(__name__),
    cases=(
        _pair_case("two sequences of three tokens, width 4", 2, 3, 4),
        _pair_case("one sequence of five tokens, width 6", 1, 5, 6),
        _pair_case("three sequences of two tokens, width 5", 3, 2, 5, held_back=True),
    ),
    reference=_pair,
    mistakes=(
        *(
            _left(chain, shared, mixed)
            for chain, shared, mixed in product(_TRUNK, (False, True), (False, True))
            if (chain, shared, mixed) != (_mended, False, False)
        ),
        Mistake(
            "your shortcuts are detached: the value is right, but no gradient travels along the "
            "stream",
            lambda **given: _pair(**given, skip=0.0),
        ),
        Mistake(
            "both norms sit behind the sums, on the trunk: that is post-norm",
            _wired(lambda x, F, G, n1, n2: n2((h := n1(x + F(x))) + G(h))),
        ),
        Mistake(
            "the norms sit behind the sublayers; each is to norm what its sublayer reads",
            _wired(lambda x, F, G, n1, n2: (h := x + n1(F(x))) + n2(G(h))),
        ),
        Mistake(
            "both sublayers read x, side by side; feed reads what attend has added to",
            _wired(lambda x, F, G, n1, n2: x + F(n1(x)) + G(n2(x))),
        ),
        Mistake(
            "both sublayers read the same norm of x; feed reads norm2 of what attend has added to",
            _wired(lambda x, F, G, n1, n2: x + F(n1(x)) + G(n1(x))),
        ),
        Mistake(
            "feed comes first in your block; attend does",
            _wired(lambda x, F, G, n1, n2: _mended(x, G, F, n1, n2)),
        ),
        Mistake(
            "feed reads the stream without a norm",
            _wired(lambda x, F, G, n1, n2: (h := x + F(n1(x))) + G(h)),
        ),
        Mistake(
            "attend reads the stream without a norm",
            _wired(lambda x, F, G, n1, n2: (h := x + F(x)) + G(n1(h))),
        ),
        Mistake(
            "the norms are gone altogether",
            _wired(lambda x, F, G, n1, n2: (h := x + F(x)) + G(h)),
        ),
        Mistake(
            "the shortcuts are gone: each sublayer is added to the stream",
            _wired(lambda x, F, G, n1, n2: G(n2(F(n1(x))))),
        ),
        Mistake(
            "feed has lost its shortcut",
            _wired(lambda x, F, G, n1, n2: G(n2(x + F(n1(x))))),
        ),
        Mistake(
            "the second shortcut brings x, past attend; it starts from what attend has added to",
            _wired(lambda x, F, G, n1, n2: x + G(n2(x + F(n1(x))))),
        ),
        Mistake(
            "your norms have no gain and no bias to train",
            lambda **given: _wired(_mended)(
                **given | {"gains": np.ones_like(given["gains"]), "biases": 0 * given["biases"]}
            ),
        ),
        Mistake(
            "those are RMSNorms; a LayerNorm takes the mean away and has a bias",
            lambda **given: _wired(_mended)(**given, norm=_rms_norm),
        ),
        Mistake(
            "a third norm sits behind the last sum, on the trunk",
            _wired(
                lambda x, F, G, n1, n2: _over_features(
                    _mended(x, F, G, n1, n2), np.ones(x.shape[-1]), np.zeros(x.shape[-1])
                )
            ),
        ),
    ),
    hints=(
        "Follow x alone from the first line of forward to the return, without the sublayers. What "
        "happens to it on the way? In a pre-norm block nothing does.",
        "How many gains are there, and how many sublayers? And over how many numbers does "
        "nn.LayerNorm(shape) take its mean?",
        "self.norm1 and self.norm2 are nn.LayerNorm(shape[-1]). Do not overwrite x with its norm: "
        "x = x + self.attend(self.norm1(x)).",
    ),
)
