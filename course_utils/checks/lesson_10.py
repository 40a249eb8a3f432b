"""Exercises of lesson 10: where the norm goes."""

from itertools import product

import numpy as np

from course_utils.backprop.norms import LayerNorm, RMSNorm, norm_backward, norm_forward
from course_utils.checks.exercise import Case, Exercise, Mistake, Property, choice, normal_case
from course_utils.checks.values import kind_of

LESSON = "10_norm_placement"


def _tokens_case(title, seq, d, held_back=False):
    def draw(rng):
        x, dy = rng.normal(size=(2, seq, d))
        # tokens of very different lengths, as on the stream of a pre-norm net
        return {"x": x * rng.uniform(1, 20, size=(seq, 1)), "g": rng.uniform(1.5, 3), "dy": dy}

    return Case(title, draw, held_back)


def _length(x):
    return np.linalg.norm(x, axis=1, keepdims=True)


def _rms(x):
    return np.sqrt((x**2).mean(1, keepdims=True))


def _across(dy, u):
    """Take the part along u out of dy."""
    return dy - u * (dy * u).sum(1, keepdims=True)


def _scale_norm(
    length=_length,
    to_x=lambda x, g, dy, u, n: g * _across(dy, u) / n,
    to_g=lambda x, g, dy, u, n: (dy * u).sum(),
):
    """Compute the answer in which ‖x‖, or one of the gradients, is this."""

    def value(x, g, dy):
        n = length(x)
        given = x, g, dy, x / n, n
        return {"x": to_x(*given), "g": to_g(*given)}

    return value


def _along(take):
    """Let another mean or sum of dy·u come along u."""
    return lambda x, g, dy, u, n: g * (dy - u * take(dy * u)) / n


def _to_x(step):
    """Get the gradient of g right, and that of x like this."""
    return _scale_norm(to_x=step)


def _to_g(step):
    """Get the gradient of x right, and that of g like this."""
    return _scale_norm(to_g=step)


scale_norm_backward = Exercise(
    name="scale_norm_backward",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=10,
    difficulty=2,
    kind="function",
    cases=(
        _tokens_case("five tokens of width 4", 5, 4),
        _tokens_case("three tokens of width 6", 3, 6),
        _tokens_case("two tokens of width 9", 2, 9, held_back=True),
        _tokens_case("twelve tokens of width 5", 12, 5, held_back=True),
    ),
    reference=_scale_norm(),
    # a small eps below the root, which many add out of habit, is no mistake
    tolerance=1e-4,
    mistakes=(
        Mistake(
            "you treat ‖x‖ as a constant. It depends on x: what dy has along u = x/‖x‖ is to be "
            "taken out, for stretching x leaves y as it is",
            _to_x(lambda x, g, dy, u, n: g * dy / n),
        ),
        Mistake(
            "you take out y (y · dy). y has the length g, so that is g² times too much; use "
            "u = x/‖x‖",
            _to_x(lambda x, g, dy, u, n: g * (dy - g**2 * u * (u * dy).sum(1, keepdims=True)) / n),
        ),
        Mistake(
            "the gradient of x lacks 1/‖x‖: a long token feels the same small change less",
            _to_x(lambda x, g, dy, u, n: g * _across(dy, u)),
        ),
        Mistake(
            "the gradient of x lacks g, which multiplies all that goes forwards",
            _to_x(lambda x, g, dy, u, n: _across(dy, u) / n),
        ),
        Mistake(
            "g has to multiply both terms: what comes along u is taken out of g dy, not of dy",
            _to_x(lambda x, g, dy, u, n: (g * dy - u * (dy * u).sum(1, keepdims=True)) / n),
        ),
        Mistake(
            "a sign is wrong: what dy has along u is subtracted",
            _to_x(lambda x, g, dy, u, n: g * (dy + u * (dy * u).sum(1, keepdims=True)) / n),
        ),
        Mistake(
            "you take the mean of dy · u over the features; u has the length 1 here, not the rms "
            "1, so it is their sum",
            _to_x(_along(lambda each: each.mean(1, keepdims=True))),
        ),
        Mistake(
            "the sum of dy · u runs over all tokens; each token has one of its own",
            _to_x(_along(lambda each: each.sum())),
        ),
        Mistake(
            "the sum of dy · u runs over the tokens; it runs over the features of one token",
            _to_x(_along(lambda each: each.sum(0))),
        ),
        Mistake(
            "you do not sum dy · u over the features: x_j changes the length of all of x, and so "
            "every entry of y",
            _to_x(_along(lambda each: each)),
        ),
        Mistake(
            "you project with x; the direction has to have the length 1, u = x/‖x‖, twice",
            _to_x(lambda x, g, dy, u, n: g * (dy - x * (dy * x).sum(1, keepdims=True)) / n),
        ),
        Mistake(
            "one of the two factors x is not divided by ‖x‖: the term is x (x · dy)/‖x‖³ in all",
            _to_x(lambda x, g, dy, u, n: g * (dy / n - x * (dy * x).sum(1, keepdims=True) / n**2)),
        ),
        Mistake(
            "you project with y, which contains g; the direction is u = x/‖x‖, of length 1",
            _to_x(lambda x, g, dy, u, n: g * (dy - g * u * (dy * u).sum(1, keepdims=True)) / n),
        ),
        Mistake(
            "you take the mean of dy away as well, which is a LayerNorm's. Here nothing is "
            "centred: a shift of x does change y",
            _to_x(lambda x, g, dy, u, n: g * (_across(dy, u) - dy.mean(1, keepdims=True)) / n),
        ),
        Mistake(
            "you centre x, as a LayerNorm does; here x is divided by its length as it is",
            lambda x, g, dy: _scale_norm(
                to_x=lambda x, g, dy, u, n: g * (_across(dy, u) - dy.mean(1, keepdims=True)) / n,
            )(x - x.mean(1, keepdims=True), g, dy),
        ),
        Mistake(
            "that is an RMSNorm: you divide by √(mean of x²), and the length is √(sum of x²)",
            _scale_norm(length=_rms, to_x=_along(lambda each: each.mean(1, keepdims=True))),
        ),
        Mistake(
            "you divide by the rms, √(mean of x²), and project with the sum, which fits neither "
            "norm: take the length, √(sum of x²)",
            _scale_norm(length=_rms),
        ),
        Mistake(
            "you divide by the length of the whole array; each token has a length of its own",
            _scale_norm(length=np.linalg.norm),
        ),
        Mistake(
            "you divide by the length of the whole array, and project with all of it; each token "
            "has a length of its own",
            _scale_norm(length=np.linalg.norm, to_x=_along(lambda each: each.sum())),
        ),
        Mistake(
            "your lengths run down the columns: a token is a row of x",
            _scale_norm(
                length=lambda x: np.linalg.norm(x, axis=0),
                to_x=_along(lambda each: each.sum(0)),
            ),
        ),
        Mistake(
            "you divide by the square of the length: its root is missing",
            _scale_norm(length=lambda x: (x**2).sum(1, keepdims=True)),
        ),
        Mistake(
            "the gradient of x is right. That of g has one entry per token; all of them share g, "
            "so sum",
            _to_g(lambda x, g, dy, u, n: (dy * u).sum(1)),
        ),
        Mistake(
            "the gradient of x is right. That of g has one entry per feature, but g is one number "
            "for all of them, so sum",
            _to_g(lambda x, g, dy, u, n: (dy * u).sum(0)),
        ),
        Mistake(
            "the gradient of x is right. That of g is not summed at all, and g is one number",
            _to_g(lambda x, g, dy, u, n: dy * u),
        ),
        Mistake(
            "the gradient of x is right. That of g you average over the tokens; what several "
            "places share gets the sum",
            _to_g(lambda x, g, dy, u, n: (dy * u).sum(1).mean()),
        ),
        Mistake(
            "the gradient of x is right. That of g you average over all entries; what several "
            "places share gets the sum",
            _to_g(lambda x, g, dy, u, n: (dy * u).mean()),
        ),
        Mistake(
            "the gradient of x is right. That of g contains g, as Σ dy · y does: y has the slope "
            "u in g",
            _to_g(lambda x, g, dy, u, n: (dy * g * u).sum()),
        ),
        Mistake(
            "the gradient of x is right. That of g multiplies dy by x; the slope of y in g is "
            "x/‖x‖",
            _to_g(lambda x, g, dy, u, n: (dy * x).sum()),
        ),
        Mistake(
            "the gradient of x is right. That of g is the sum of dy; g multiplies u, so dy counts "
            "with u",
            _to_g(lambda x, g, dy, u, n: dy.sum()),
        ),
        Mistake(
            "the gradient of g is right, and in the place of that of x you return y",
            _to_x(lambda x, g, dy, u, n: g * u),
        ),
    ),
    hints=(
        "Name the pieces: for each token n = ‖x‖ and u = x/n, then y = g u. The slope of y in g is "
        "u, at every token and every feature.",
        "Stretching a token leaves u as it is, so what dy has along u never reaches x. What is "
        "left of dy is dy − u (u · dy), token by token.",
        "n = np.linalg.norm(x, axis=1, keepdims=True). Then x gets g (dy − u Σ dy u)/n, the sum "
        "over the features of the token, and g gets the sum of dy u over everything.",
    ),
)


def _gains(factor=lambda r: np.sqrt(1 + r**2), shift=0):
    """Compute gains that grow by this factor from one sublayer to the next."""
    return lambda depth, r: r * factor(r) ** (np.arange(depth) + shift)


def _by_sublayer(gain):
    """Compute gains from the number l = 1, 2, … of the sublayer."""
    return lambda depth, r: gain(np.arange(1, depth + 1), r, depth)


equal_share_gains = Exercise(
    name="equal_share_gains",
    lesson=LESSON,
    points=1,
    required=False,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        normal_case("six sublayers, a share of 0.5", depth=6, r=0.5),
        normal_case("48 sublayers, a share of 0.2", depth=48, r=0.2),
        normal_case("four sublayers, a share of 0.9", depth=4, r=0.9),
        normal_case("thirty sublayers, a share of 0.3", held_back=True, depth=30, r=0.3),
        normal_case("one sublayer, a share of 0.7", held_back=True, depth=1, r=0.7),
    ),
    reference=_gains(),
    mistakes=(
        Mistake(
            "with equal gains the stream grows and the gain does not: the second share is below "
            "the first",
            _gains(factor=lambda r: 1.0),
        ),
        Mistake(
            "you add lengths. At right angles the squares add up: ‖h‖² + b², so the length grows "
            "by √(1 + r²)",
            _gains(factor=lambda r: 1 + r),
        ),
        Mistake(
            "1 + r² is what the squared length grows by; the length grows by its root",
            _gains(factor=lambda r: 1 + r**2),
        ),
        Mistake(
            "r √l holds back the growth that gains of 1 cause. These gains make the stream grow "
            "in another way",
            _by_sublayer(lambda place, r, depth: r * np.sqrt(place)),
        ),
        Mistake(
            "you take the stream that equal gains r would make, 1 + (l − 1) r². Your own gains "
            "grow, and the stream grows faster",
            _by_sublayer(lambda place, r, depth: r * np.sqrt(1 + (place - 1) * r**2)),
        ),
        Mistake(
            "r/√l makes the shares fall even faster: the longer the stream, the louder a sublayer "
            "has to be",
            _by_sublayer(lambda place, r, depth: r / np.sqrt(place)),
        ),
        Mistake(
            "those are the shares that gains of 1 have; asked for are gains with the share r",
            _by_sublayer(lambda place, r, depth: 1 / np.sqrt(place)),
        ),
        Mistake(
            "that is the gain for a stack whose length stays about the same, equal for all; the "
            "share still falls from block to block",
            _by_sublayer(lambda place, r, depth: r / np.sqrt(depth) + 0 * place),
        ),
        Mistake(
            "one sublayer off: b_1 meets the stream at its start, of length 1, so b_1 = r",
            _gains(shift=1),
        ),
        Mistake(
            "those are the lengths of the stream before the sublayers; the gain is r times that",
            lambda depth, r: _gains()(depth, r) / r,
        ),
        Mistake(
            "those are the lengths of the stream after the sublayers; the gain is r times the "
            "length before",
            lambda depth, r: _gains(shift=1)(depth, r) / r,
        ),
        Mistake(
            "those are squares, b²: take the root",
            lambda depth, r: _gains()(depth, r) ** 2,
        ),
        Mistake(
            "a sign is wrong, the stream gets longer: ‖h‖² + b²",
            _gains(factor=lambda r: np.sqrt(1 - r**2)),
        ),
        Mistake(
            "your factor is upside down: the stream grows, so the gains do too",
            _gains(factor=lambda r: 1 / np.sqrt(1 + r**2)),
        ),
        Mistake(
            "you take the share of the stream after the sum; it is that of the stream before",
            _gains(factor=lambda r: 1 / np.sqrt(1 - r**2), shift=1),
        ),
        Mistake(
            "the order is reversed: entry 0 belongs to the sublayer next to the input",
            lambda depth, r: _gains()(depth, r)[::-1],
        ),
    ),
    hints=(
        "Before sublayer l the stream has the length ‖h_l‖, so b_l = r ‖h_l‖. What is ‖h_1‖, and "
        "so b_1?",
        "At right angles the squares add up: ‖h_2‖² = ‖h_1‖² + b_1² = ‖h_1‖² (1 + r²).",
        "In a loop: put r * length into the list, then the length becomes "
        "length * np.sqrt(1 + r**2). It starts at 1.",
    ),
)


which_placement = choice(
    "which_placement",
    LESSON,
    right="d",
    wrong={
        "a": "a sublayer that reads the stream without a norm puts out more the longer it is, and "
        "then its step stays about the same share. Here the step falls from 0.70 to 0.20, and "
        "the rms goes to 7, not into the thousands",
        "b": "behind a norm on the trunk the rms is 1 after every block. Here it goes from 2.0 to "
        "7.2",
        "c": "the growth would fit. But a pre-norm sublayer adds what its last matrix puts out. "
        "Doubled, it adds twice as much: a pre-norm net of this size that had the rms 4.0 after "
        "24 blocks then has 7.9. Here nothing changes",
        "e": "before training α is 0: each block would return what it is given, with the step 0 "
        "and the rms 2.0 in every row. Here the first step is 0.70",
    },
    points=1,
    required=True,
    minutes=6,
    difficulty=2,
    hints=(
        "What is the rms right behind a norm? Which placements does that leave?",
        "Square the rms: 4, 6, 16, 28, 52. How much does each of the two sublayers of a block "
        "add? And is that what a random matrix would hit upon?",
        "The second experiment: a matrix twice as large doubles what it puts out. Where does a "
        "norm have to stand so that this is not seen on the stream?",
    ),
)

# gains and biases are set from outside, by the order in which forward meets the norms
_PAIR_PROBE = """
import torch

class Attend(torch.nn.Module):  # as causal attention with the same weights for every input
    def __init__(self, M, A):
        super().__init__()
        self.register_buffer("M", M)
        self.A = torch.nn.Parameter(A)

    def forward(self, x):
        return self.M @ torch.tanh(x @ self.A)

class Feed(torch.nn.Module):  # ends with a product, so that x may be added into its output
    def __init__(self, B):
        super().__init__()
        self.B = torch.nn.Parameter(B)

    def forward(self, x):
        return torch.tanh(x @ self.B) @ self.B.T

def probe(answer, x, v, M, A, B, gains, biases):
    x, v, M, A, B, gains, biases = map(torch.from_numpy, (x, v, M, A, B, gains, biases))
    block = answer(Attend(M, A), Feed(B), tuple(x.shape[1:]))
    if not isinstance(block, torch.nn.Module):
        raise TypeError("the block has to be an nn.Module, so that its parameters are found")
    block, met = block.double(), []

    def meet(module, inputs):
        if not any(module is other for other in met):
            met.append(module)

    for module in block.modules():
        if isinstance(module, (torch.nn.LayerNorm, torch.nn.RMSNorm)):
            module.register_forward_pre_hook(meet)
    with torch.no_grad():
        block(x.clone())
        for module, gain, bias in zip(met, gains, biases):
            for p, new in (module.weight, gain), (getattr(module, "bias", None), bias):
                if p is not None and p.shape[-1] == len(new):
                    p.copy_(new)
        given = x.clone()
        y = block(given)
    result = {"y": y, "after": {"x": given.numpy()}}
    right = isinstance(y, torch.Tensor) and y.shape == x.shape and y.dtype == x.dtype
    if not right or not torch.equal(given, x):
        return result  # autograd could not go on
    x = x.requires_grad_()
    y, gradient = block(x.clone()), torch.zeros_like(x)
    if y.requires_grad:
        found = torch.autograd.grad(y, x, v, allow_unused=True)[0]
        gradient = gradient if found is None else found
    result["gradient that reaches x"] = gradient
    sizes = sorted(float(p.numel()) for p in block.parameters())
    result["sizes of the block's parameters"] = torch.tensor(sizes, dtype=torch.float64)
    return result
"""


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


PreNormPair = Exercise(
    name="PreNormPair",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=8,
    difficulty=2,
    kind="module",
    probe=_PAIR_PROBE,
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

_STEADY_PROBE = """
import numpy as np

def probe(answer, h, f, g):
    depth = len(f)

    def plain(y):
        return isinstance(y, np.ndarray) and y.shape == h.shape and y.dtype.kind in "iuf"

    def step(*given):
        y = answer(*(part.copy() for part in given), depth)
        y = y.detach().numpy() if hasattr(y, "detach") else y
        return y.astype(float) if plain(y) else y

    def run(start, outputs):
        states = [start]
        for output in outputs:
            states.append(step(states[-1], output))
            if not plain(states[-1]):
                raise Returned(states[-1])
        return states

    class Returned(Exception):
        pass

    given = h.copy(), f[0].copy()
    y = answer(*given, depth)
    result = {"after": {"h": given[0], "f": np.concatenate([given[1][None], f[1:]])}}
    same = all(np.array_equal(was, now) for was, now in zip((h, f[0]), given))
    try:
        states = run(h, f)
        if not same:
            return result
        result["states"] = np.stack(states[1:])
        result["again"] = step(h, f[0])
        other = np.concatenate([h[:1], h[1:] + g[0, 1:]]), np.concatenate([f[0, :1], g[0, 1:]])
        result["others"] = step(*other)
        places = [0, depth // 2, depth - 1]
        replaced = [run(states[i], [g[i], *f[i + 1:]])[-1] for i in places]
        result["replaced"] = np.stack(replaced)
    except Returned as wrong:
        result["returned"] = wrong.args[0]
    return result
"""
LONGEST, KEPT, FELT = 2.0, 0.38, 0.4


def _steady_case(title, depth, seq, d, held_back=False):
    def draw(rng):
        h = rng.normal(size=(seq, d))
        h = h / _rms(h)
        f, g = rng.normal(size=(2, depth, seq, d))
        # no branch hands on any of the input, so that the cosine is a matter of the steps alone
        outputs = [part - h * (part * h).mean(-1, keepdims=True) for part in (f, g)]
        f, g = (part / np.sqrt((part**2).mean(-1, keepdims=True)) for part in outputs)
        return {"h": h, "f": f, "g": g}

    return Case(title, draw, held_back)


def _states_fault(arguments, value):
    want, depth = arguments["h"].shape, len(arguments["f"])
    if not isinstance(value, dict):
        return f"expected an array of shape {want}, got {kind_of(value)}"
    if "returned" in value:
        return f"expected an array of shape {want}, got {kind_of(value['returned'])}"
    shapes = {
        "states": (depth, *want),
        "again": want,
        "others": want,
        "replaced": (3, *want),
    }
    for name, shape in shapes.items():
        part = value.get(name)
        if not (isinstance(part, np.ndarray) and part.shape == shape and part.dtype.kind == "f"):
            return f"expected an array of shape {shape} under {name!r}, got {kind_of(part)}"
    bad = np.flatnonzero(~np.isfinite(value["states"]).all((1, 2)))
    return f"expected finite numbers, got others after step {bad[0] + 1}" if len(bad) else ""


def _same_again_fault(arguments, value):
    got = np.abs(value["again"] - value["states"][0]).max()
    if got <= 1e-9:
        return ""
    return (
        f"expected the same output for the same h and f, got another one, by up to {got:.3g}. The "
        "step may know h, f and depth, nothing else"
    )


def _each_token_fault(arguments, value):
    moved = np.abs(value["others"] - value["states"][0])[0].max()
    if moved <= 1e-9:
        return ""
    return (
        "expected row 0 to stay as it is when the other rows of h and f change, it changed by up "
        f"to {moved:.3g}. Over which axis do you take a mean or a length?"
    )


def _rms_fault(arguments, value):
    sizes = np.sqrt((value["states"] ** 2).mean(-1))
    bad = np.argwhere(~((sizes >= 1 / LONGEST) & (sizes <= LONGEST)))
    if not len(bad):
        return ""
    (step, token), depth = bad[0], len(sizes)
    return (
        f"expected between 1/{LONGEST:g} and {LONGEST:g}, the input has 1; after step {step + 1} "
        f"of {depth} row {token} has {sizes[step, token]:.3g}, after step {depth} "
        f"{sizes[-1, token]:.3g}"
    )


def _cosine_fault(arguments, value):
    h, last = arguments["h"], value["states"][-1]
    cosines = (h * last).sum(1) / np.sqrt((h**2).sum(1) * (last**2).sum(1))
    got, depth = cosines.min(), len(value["states"])
    if got >= KEPT:
        return ""
    why = ": next to nothing of it is left" if got < KEPT / 2 else ""
    return (
        f"expected a cosine of at least {KEPT:g} with the input, after all {depth} steps row "
        f"{cosines.argmin()} has {got:.3g}{why}"
    )


def _felt_fault(arguments, value):
    last, depth = value["states"][-1], len(value["states"])
    least = FELT / np.sqrt(depth)
    moved = np.linalg.norm(value["replaced"] - last, axis=-1) / np.linalg.norm(last, axis=-1)
    shares = moved.min(1)
    bad = np.flatnonzero(~(shares >= least))
    if not len(bad):
        return ""
    which = ("first", "middle", "last")[bad[0]]
    why = "" if shares[bad[0]] > 0 else ": it does not count at all"
    return (
        f"expected the last state to move by at least {FELT:g}/√depth = {least:.3g} times its "
        f"length when the {which} of {depth} branches puts out something else, it moves by "
        f"{shares[bad[0]]:.3g} times its length{why}"
    )


def _steady(step):
    """Expect the states that this step makes."""

    def value(h, f, g):
        states = []
        for output in f:
            h = step(h, output, len(f))
            states.append(h)
        return {"states": np.stack(states)}

    return value


def _unit_rms(h):
    return h / _rms(h)


def _centred(h):
    return _unit_rms(h - h.mean(1, keepdims=True))


_AS_2017 = (
    "that is post-norm: each step halves the square of what is left of the input. Let h count "
    "more than f in the sum"
)
_DEEPNORM = (
    "that is DeepNorm's α. It is enough there since β makes the branches quieter as well; here "
    "they keep the rms 1, so h has to count more"
)

steady_stream = Exercise(
    name="steady_stream",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=10,
    difficulty=3,
    kind="module",
    probe=_STEADY_PROBE,
    timeout=20.0,
    tolerance=1e-4,  # for the known mistakes alone: with an eps or without
    cases=(
        _steady_case("8 branches", 8, 3, 96),
        _steady_case("256 branches", 256, 3, 64),
        _steady_case("64 branches", 64, 4, 96, held_back=True),
        _steady_case("20 branches", 20, 2, 128, held_back=True),
    ),
    properties=(
        Property("finite numbers of the shape of h", _states_fault),
        Property("equal inputs give equal outputs", _same_again_fault),
        Property("each token by itself", _each_token_fault),
        Property("the rms of every token stays within a factor of 2", _rms_fault),
        Property("the last state still resembles the input", _cosine_fault),
        Property("every branch counts", _felt_fault),
    ),
    mistakes=(
        Mistake("that is h itself: the branches do not count", _steady(lambda h, f, depth: h)),
        Mistake("the shortcut is missing: that is f", _steady(lambda h, f, depth: f)),
        Mistake(
            "that is the sum of pre-norm and Peri-LN: squares of the rms add up, 1 + depth in the "
            "end. Something has to become quieter with depth",
            _steady(lambda h, f, depth: h + f),
        ),
        Mistake(
            "the norm of f changes nothing, f has the rms 1 already: squares of the rms add up, "
            "1 + depth in the end",
            _steady(lambda h, f, depth: h + _centred(f)),
        ),
        Mistake(_AS_2017, _steady(lambda h, f, depth: _unit_rms(h + f))),
        Mistake(_AS_2017, _steady(lambda h, f, depth: _centred(h + f))),
        Mistake(
            "1/√2 holds the rms, and each step halves the square of what is left of the input, as "
            "post-norm does. Let h count more than f",
            _steady(lambda h, f, depth: (h + f) / np.sqrt(2)),
        ),
        Mistake(
            "half of h and half of f: after ten steps a thousandth of the input is left. Let h "
            "count more than f",
            _steady(lambda h, f, depth: (h + f) / 2),
        ),
        *(
            Mistake(
                _DEEPNORM,
                _steady(lambda h, f, depth, norm=norm, k=k: norm((k * depth) ** 0.25 * h + f)),
            )
            for norm in (_unit_rms, _centred)
            for k in (1, 2)
        ),
        Mistake(
            "with f/depth the rms hardly grows, but each branch is too quiet: at right angles "
            "squares add up, and depth of them may add up to about 1",
            _steady(lambda h, f, depth: h + f / depth),
        ),
        Mistake(
            "an average of h and f with the weights 1 − 1/depth and 1/depth: what is random "
            "cancels out in an average, so the stream gets shorter. Weights whose squares add up "
            "to 1 keep it",
            _steady(lambda h, f, depth: (1 - 1 / depth) * h + f / depth),
        ),
        Mistake(
            "the weights 1 − 1/√depth and 1/√depth add up to 1; their squares add up to less, and "
            "the stream gets shorter with every step",
            _steady(lambda h, f, depth: (1 - depth**-0.5) * h + depth**-0.5 * f),
        ),
    ),
    hints=(
        "f is at right angles to h, or nearly: squares of the rms add up. With h + b f the square "
        "is 1 + depth · b² in the end. Which b keeps it below 4?",
        "With a norm on the trunk, norm(α h + f), each step multiplies the cosine with the input "
        "by α/√(α² + 1). Which α keeps √(α²/(α² + 1)) to the power of depth above 0.38?",
        "Both come to the same: a branch may be about 1/√depth as loud as the stream. "
        "h + f / np.sqrt(depth), or α = np.sqrt(depth) with a norm.",
    ),
)

EXERCISES = (
    scale_norm_backward,
    equal_share_gains,
    which_placement,
    PreNormPair,
    steady_stream,
)
