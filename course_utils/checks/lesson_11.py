"""Exercises of lesson 11: the transformer block."""

from types import SimpleNamespace

import numpy as np

from course_utils.backprop.attention import join_heads, softmax, split_heads
from course_utils.checks.exercise import Case, Exercise, Mistake, Property, choice, normal_case
from course_utils.checks.values import kind_of

LESSON = "11_transformer_block"


def _parallel_case(title, seq, d, eps, held_back=False):
    def draw(rng):
        h, dy = rng.normal(size=(2, seq, d))
        A, B = rng.normal(size=(2, d, d)) / d**0.5
        P = softmax(np.where(np.tri(seq, dtype=bool), rng.normal(size=(seq, seq)), -np.inf))
        return {"h": h, "P": P, "A": A, "B": B, "eps": eps, "dy": dy}

    return Case(title, draw, held_back)


def _root(square, eps):
    return np.sqrt(square + eps)


def _from_norm(it, du):
    """Send du back through u = h·scale."""
    return (du - it.u * it.mean(du * it.u)) * it.scale


def _parallel(axis=-1, root=_root, **other):
    """Compute the answer in which the norm, or one of the gradients, comes about otherwise."""
    steps = {
        "dz": lambda it: it.dy * (it.z > 0),
        "du": lambda it: it.P.T @ it.dy @ it.A + it.dz @ it.B,
        "dh": lambda it: it.dy + _from_norm(it, it.du),
        "dA": lambda it: it.dy.T @ it.P @ it.u,
        "dB": lambda it: it.dz.T @ it.u,
    } | other

    def value(h, P, A, B, eps, dy):
        it = SimpleNamespace(h=h, P=P, A=A, B=B, eps=eps, dy=dy)
        it.mean = lambda t: t.mean(axis, keepdims=True)
        it.scale = 1 / root(it.mean(h**2), eps)
        it.u = h * it.scale
        it.z = it.u @ B.T
        for name, step in steps.items():
            setattr(it, name, step(it))
        return {"h": it.dh, "A": it.dA, "B": it.dB}

    return value


def _behind_norm(change):
    """Let what comes back through the norm be another function of it and du."""
    return _parallel(dh=lambda it: it.dy + change(it, it.du))


def _serial(h, P, A, B, eps, dy):
    def normed(h):
        scale = 1 / np.sqrt((h**2).mean(-1, keepdims=True) + eps)
        u = h * scale
        return u, lambda du: (du - u * (du * u).mean(-1, keepdims=True)) * scale

    u, back = normed(h)
    w, back_again = normed(h + P @ u @ A.T)
    dz = dy * (w @ B.T > 0)
    between = dy + back_again(dz @ B)
    dh = between + back(P.T @ between @ A)
    return {"h": dh, "A": between.T @ P @ u, "B": dz.T @ w}


parallel_block_backward = Exercise(
    name="parallel_block_backward",
    lesson=LESSON,
    points=2,
    required=True,
    minutes=12,
    difficulty=2,
    kind="function",
    cases=(
        _parallel_case("five tokens of width 3", 5, 3, 1e-5),
        _parallel_case("three tokens of width 4, eps = 0.5", 3, 4, 0.5),
        _parallel_case("one token", 1, 4, 0.1, held_back=True),
        _parallel_case("nine tokens of width 6", 9, 6, 0.01, held_back=True),
    ),
    reference=_parallel(),
    mistakes=(
        Mistake(
            "the shortcut is missing in the gradient of h: dy itself arrives as well",
            _parallel(dh=lambda it: _from_norm(it, it.du)),
        ),
        Mistake(
            "you count the shortcut twice; two branches leave it, and it goes round both of them "
            "once",
            _parallel(dh=lambda it: 2 * it.dy + _from_norm(it, it.du)),
        ),
        Mistake(
            "you send the shortcut through the norm too; it starts at h, in front of the norm",
            _parallel(dh=lambda it: _from_norm(it, it.dy + it.du)),
        ),
        Mistake(
            "the gradient of h lacks what comes back through the branch of P and A",
            _parallel(du=lambda it: it.dz @ it.B),
        ),
        Mistake(
            "the gradient of h lacks what comes back through the branch of B",
            _parallel(du=lambda it: it.P.T @ it.dy @ it.A),
        ),
        Mistake(
            "the norm is missing on the way back: du arrives at u, not at h",
            _behind_norm(lambda it, du: du),
        ),
        Mistake(
            "you divide by the root mean square and take nothing out: stretching h leaves u as it "
            "is, so du loses its part along u",
            _behind_norm(lambda it, du: du * it.scale),
        ),
        Mistake(
            "that is the way back through LayerNorm; RMSNorm subtracts no mean, so a shift passes",
            _behind_norm(lambda it, du: _from_norm(it, du) - it.mean(du) * it.scale),
        ),
        Mistake(
            "you take the sum of du ⊙ u out where its mean belongs",
            _behind_norm(
                lambda it, du: (du - it.u * (du * it.u).sum(-1, keepdims=True)) * it.scale
            ),
        ),
        Mistake(
            "you take one mean of du ⊙ u over all tokens; each token has its own norm",
            _behind_norm(lambda it, du: (du - it.u * (du * it.u).mean()) * it.scale),
        ),
        Mistake(
            "what you take out contains h where u belongs: u · mean(du ⊙ u)",
            _behind_norm(lambda it, du: (du - it.h * it.mean(du * it.h)) * it.scale),
        ),
        Mistake(
            "the factor 1/√(mean(h²) + eps) is missing on the way back through the norm",
            _behind_norm(lambda it, du: du - it.u * it.mean(du * it.u)),
        ),
        Mistake(
            "your norm runs over the tokens; it runs over the features of each token",
            _parallel(axis=0),
        ),
        Mistake(
            "you divide all tokens by one number; each is divided by the root mean square of its "
            "own features",
            _parallel(axis=None),
        ),
        Mistake(
            "eps stands outside the root: √(mean(h²) + eps)",
            _parallel(root=lambda square, eps: np.sqrt(square) + eps),
        ),
        Mistake("eps is missing", _parallel(root=lambda square, eps: np.sqrt(square))),
        Mistake(
            "that is the usual block, one sublayer after the other; here the second branch takes "
            "the same u as the first",
            _serial,
        ),
        Mistake(
            "you send the gradient back with P; what token i took from token j goes from i to j, "
            "so P is transposed",
            _parallel(du=lambda it: it.P @ it.dy @ it.A + it.dz @ it.B),
        ),
        Mistake(
            "P is missing in the gradients of h and A: the first branch mixes tokens",
            _parallel(du=lambda it: it.dy @ it.A + it.dz @ it.B, dA=lambda it: it.dy.T @ it.u),
        ),
        Mistake(
            "P is missing in the gradient of h: what token i took from token j goes back to j",
            _parallel(du=lambda it: it.dy @ it.A + it.dz @ it.B),
        ),
        Mistake(
            "P is missing in the gradient of A: what A multiplies is P u",
            _parallel(dA=lambda it: it.dy.T @ it.u),
        ),
        Mistake(
            "the gradient of h goes back through A transposed and B transposed: u @ A.T on the way "
            "there is dy @ A on the way back",
            _parallel(du=lambda it: it.P.T @ it.dy @ it.A.T + it.dz @ it.B.T),
        ),
        Mistake(
            "the gradient of h goes back through A transposed",
            _parallel(du=lambda it: it.P.T @ it.dy @ it.A.T + it.dz @ it.B),
        ),
        Mistake(
            "the gradient of h goes back through B transposed",
            _parallel(du=lambda it: it.P.T @ it.dy @ it.A + it.dz @ it.B.T),
        ),
        Mistake(
            "the slope of the ReLU is missing: where u Bᵀ is negative nothing comes back",
            _parallel(dz=lambda it: it.dy),
        ),
        Mistake(
            "the slope of the ReLU looks at u; what it cuts off is u Bᵀ",
            _parallel(dz=lambda it: it.dy * (it.u > 0)),
        ),
        Mistake(
            "the slope of the ReLU looks at dy; what it cuts off is u Bᵀ",
            _parallel(dz=lambda it: it.dy * (it.dy > 0)),
        ),
        Mistake(
            "the slope of the ReLU is missing in the gradient of B",
            _parallel(dB=lambda it: it.dy.T @ it.u),
        ),
        Mistake(
            "the gradients of A and B contain h; both branches take the normed u",
            _parallel(
                dA=lambda it: it.dy.T @ it.P @ it.h,
                dB=lambda it: it.dz.T @ it.h,
            ),
        ),
        Mistake(
            "your gradients of A and B are transposed: entry (i, j) belongs to the weight from "
            "feature j to feature i",
            _parallel(
                dA=lambda it: (it.dy.T @ it.P @ it.u).T,
                dB=lambda it: (it.dz.T @ it.u).T,
            ),
        ),
        Mistake(
            "your gradient of A is transposed, that of B is right",
            _parallel(dA=lambda it: (it.dy.T @ it.P @ it.u).T),
        ),
        Mistake(
            "your gradient of B is transposed, that of A is right",
            _parallel(dB=lambda it: (it.dz.T @ it.u).T),
        ),
        Mistake(
            "you average the gradients of A and B over the tokens; what all of them share gets the "
            "sum",
            _parallel(
                dA=lambda it: it.dy.T @ it.P @ it.u / len(it.u),
                dB=lambda it: it.dz.T @ it.u / len(it.u),
            ),
        ),
        Mistake(
            "your gradients of A and B have a matrix for each token; all of them share A and B, so "
            "sum",
            _parallel(
                dA=lambda it: it.dy[:, :, None] * (it.P @ it.u)[:, None],
                dB=lambda it: it.dz[:, :, None] * it.u[:, None],
            ),
        ),
    ),
    hints=(
        "Name the pieces: u, z = u Bᵀ, y = h + P u Aᵀ + relu(z). Three terms bring dy back to h: "
        "the shortcut, and two that meet at u.",
        "At z arrives dz = dy ⊙ (z > 0), at u arrives du = Pᵀ dy A + dz B. The gradients of the "
        "matrices are dyᵀ (P u) and dzᵀ u.",
        "Through the norm: (du − u · mean(du ⊙ u)) / √(mean(h²) + eps), with the mean over the "
        "features of each token, keepdims=True. Then add dy.",
    ),
)


def _size_case(title, d_model, d_ff, n_heads, kind, bias, held_back=False):
    return normal_case(
        title, held_back, d_model=d_model, d_ff=d_ff, n_heads=n_heads, kind=kind, bias=bias
    )


def _sizes(
    attention=lambda d, n_heads, bias: 4 * (d * d + bias * d),
    feed=lambda d, d_ff, bias: 2 * d * d_ff + bias * (d_ff + d),
    norm=lambda d, bias: d + bias * d,
    attentions=lambda kind: 1 + (kind == "decoder"),
    norms=lambda kind: 2 + (kind == "decoder"),
):
    """Compute the answer in which one kind of part is counted in another way."""

    def value(d_model, d_ff, n_heads, kind, bias):
        return (
            attentions(kind) * attention(d_model, n_heads, bias)
            + feed(d_model, d_ff, bias)
            + norms(kind) * norm(d_model, bias)
        )

    return value


def _instead(**changed):
    """Count as if some arguments had other values."""

    def value(**given):
        return _sizes()(**given | {name: take(given) for name, take in changed.items()})

    return value


block_parameters = Exercise(
    name="block_parameters",
    lesson=LESSON,
    points=1,
    required=True,
    minutes=5,
    difficulty=1,
    kind="function",
    cases=(
        _size_case("an encoder block with biases", 12, 40, 3, "encoder", True),
        _size_case("a decoder block with biases", 8, 32, 4, "decoder", True),
        _size_case("an encoder block without", 16, 24, 2, "encoder", False),
        _size_case("a decoder block without", 6, 10, 1, "decoder", False, held_back=True),
        _size_case("a decoder block of 2017", 512, 2048, 8, "decoder", True, held_back=True),
    ),
    reference=_sizes(),
    mistakes=(
        Mistake(
            "you count the attention once per head; the heads share four matrices, each with its "
            "own slice",
            _sizes(attention=lambda d, n, bias: n * 4 * (d * d + bias * d)),
        ),
        Mistake(
            "you count queries, keys and values once per head; the heads together fill one matrix "
            "of each kind",
            _sizes(attention=lambda d, n, bias: (3 * n + 1) * (d * d + bias * d)),
        ),
        Mistake(
            "you count one head of the attention: all of them together have d_model columns",
            _sizes(
                attention=lambda d, n, bias: 3 * (d * d // n + bias * d // n) + d * d + bias * d
            ),
        ),
        Mistake(
            "the attention has four matrices: the one that mixes the heads is missing",
            _sizes(attention=lambda d, n, bias: 3 * (d * d + bias * d)),
        ),
        Mistake(
            "the bias of the matrix that mixes the heads is missing",
            _sizes(attention=lambda d, n, bias: 4 * d * d + 3 * bias * d),
        ),
        Mistake(
            "the biases of queries, keys and values are missing",
            _sizes(attention=lambda d, n, bias: 4 * d * d + bias * d),
        ),
        Mistake(
            "the biases of the attention are missing",
            _sizes(attention=lambda d, n, bias: 4 * d * d),
        ),
        Mistake("the norms are missing", _sizes(norms=lambda kind: 0)),
        Mistake(
            "there is a norm for each sublayer, not one per block", _sizes(norms=lambda kind: 1)
        ),
        Mistake(
            "a decoder block has three sublayers, and so three norms",
            _sizes(norms=lambda kind: 2),
        ),
        Mistake(
            "a decoder block attends twice: the cross-attention is missing, its norm is there",
            _sizes(attentions=lambda kind: 1),
        ),
        Mistake(
            "the third sublayer of a decoder block is missing: cross-attention and its norm",
            _sizes(attentions=lambda kind: 1, norms=lambda kind: 2),
        ),
        Mistake(
            "a decoder block is not two encoder blocks: it attends twice and feeds forward once",
            lambda **given: (
                _instead(kind=lambda given: "encoder")(**given) * (1 + (given["kind"] == "decoder"))
            ),
        ),
        Mistake(
            "a LayerNorm has a bias as well as a gain",
            _sizes(norm=lambda d, bias: d),
        ),
        Mistake(
            "without biases the norms have none either, just their gains",
            _sizes(norm=lambda d, bias: 2 * d),
        ),
        Mistake(
            "a gain and a bias of a norm are vectors of d_model numbers, not single numbers",
            _sizes(norm=lambda d, bias: 1 + bias),
        ),
        Mistake(
            "you count biases where there are none: bias is False",
            _instead(bias=lambda given: True),
        ),
        Mistake("the biases are missing", _instead(bias=lambda given: False)),
        Mistake(
            "the feed-forward sublayer has two matrices: there, and back",
            _sizes(feed=lambda d, d_ff, bias: d * d_ff + bias * (d_ff + d)),
        ),
        Mistake(
            "the feed-forward sublayer has two matrices, each with its bias: there, and back",
            _sizes(feed=lambda d, d_ff, bias: d * d_ff + bias * d_ff),
        ),
        Mistake(
            "the biases of the feed-forward sublayer are missing",
            _sizes(feed=lambda d, d_ff, bias: 2 * d * d_ff),
        ),
        Mistake(
            "the first bias of the feed-forward sublayer has d_ff numbers, the second d_model",
            _sizes(feed=lambda d, d_ff, bias: 2 * d * d_ff + 2 * bias * d),
        ),
        Mistake(
            "the first bias of the feed-forward sublayer has d_ff numbers, and the second has "
            "d_model",
            _sizes(feed=lambda d, d_ff, bias: 2 * d * d_ff + 2 * bias * d_ff),
        ),
        Mistake(
            "you take 4 · d_model for d_ff; it is given",
            _instead(d_ff=lambda given: 4 * given["d_model"]),
        ),
    ),
    hints=(
        "An encoder block has two sublayers, a decoder block three. Count what one attention, one "
        "feed-forward sublayer and one norm hold, then add up.",
        "Attention: four matrices of d_model × d_model, for queries, keys, values and to mix the "
        "heads. Feed-forward: d_model × d_ff and d_ff × d_model. A matrix has one bias per output.",
        "With biases: 4 (d² + d) per attention, 2 d d_ff + d_ff + d, and 2 d per norm. Without "
        "them a norm keeps d gains. A decoder block has two attentions and three norms.",
    ),
)


block_diagnosis = choice(
    "block_diagnosis",
    LESSON,
    right="b",
    wrong={
        "a": "then each weight of row 5 is divided by a sum in which row 6 has a part, and row 5 "
        "moves when token 6 does. Here it does not",
        "c": "with silent branches this sublayer would return F = 0, and rows of length 0. They "
        "are 5.66 long",
        "d": "that changes what the attention says. With silent branches it says nothing, and the "
        "output would be h",
        "e": "then the block knows the places, and shuffled tokens would not give shuffled rows",
    },
    points=1,
    required=False,
    minutes=5,
    difficulty=2,
    hints=(
        "Go through the sentences one by one: which line of the table would look different?",
        "The last line is the sharpest: with silent branches only the shortcuts and what stands on "
        "them are left.",
        "5.66 is √32, and the width is 32. What makes all rows this long?",
    ),
)


def _cache_case(title, t, d, n_heads, held_back=False):
    def draw(rng):
        matrices = rng.normal(size=(4, d, d)) / d**0.5
        x, (K, V) = rng.normal(size=d), rng.normal(size=(2, t, d))
        given = dict(zip(("Wq", "Wk", "Wv", "Wo"), matrices, strict=True))
        return {"x": x} | given | {"K": K, "V": V, "n_heads": n_heads}

    return Case(title, draw, held_back)


def _append(cache, row):
    return np.concatenate([cache, row[None]])


def _cached(
    apply=lambda W, x: W @ x,
    row_k=lambda it: it.apply(it.Wk, it.x),
    row_v=lambda it: it.apply(it.Wv, it.x),
    keep=_append,
    seen=_append,
    alone=None,
    heads=lambda n: n,
    split=split_heads,
    scale=lambda d, n: (d / n) ** -0.5,
    share=softmax,
    join=join_heads,
    out=lambda it, mixed: it.apply(it.Wo, mixed),
):
    """Compute the answer in which one step is taken in another way.

    `alone` is the output if there is nothing to look at; None where that raises.
    """

    def value(n_heads, **given):
        it = SimpleNamespace(apply=apply, **given)
        k, v = row_k(it), row_v(it)
        kept = {"K": keep(it.K, k), "V": keep(it.V, v)}
        K, V = seen(it.K, k), seen(it.V, v)
        if not len(K):
            return None if alone is None else {"out": alone(it.x)} | kept
        q, K, V = (split(u, heads(n_heads)) for u in (apply(it.Wq, it.x)[None], K, V))
        z = q @ K.mT * scale(len(it.x), n_heads)
        return {"out": out(it, join(share(z) @ V)[0])} | kept

    return value


def _interleaved(x, n_heads):
    return np.moveaxis(x.reshape(len(x), -1, n_heads), -1, 0)


def _swapped(**given):
    found = _cached()(**given)
    return found | {"K": found["V"], "V": found["K"]}


cached_step = Exercise(
    name="cached_step",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=8,
    difficulty=2,
    kind="function",
    cases=(
        _cache_case("four tokens before, two heads", 4, 6, 2),
        _cache_case("the first token: an empty cache", 0, 4, 2),
        _cache_case("three tokens before, four heads", 3, 8, 4),
        _cache_case("another length", 9, 12, 3, held_back=True),
        _cache_case("one head, an empty cache", 0, 5, 1, held_back=True),
    ),
    reference=_cached(),
    mistakes=(
        Mistake(
            "the new token cannot see itself: append its key and value first, then attend",
            _cached(seen=lambda cache, row: cache),
        ),
        Mistake(
            "the new token cannot see itself, and the first one sees nothing: append its key and "
            "value first, then attend",
            _cached(seen=lambda cache, row: cache, alone=np.zeros_like),
        ),
        Mistake(
            "the output is right, and the cache is the old one: the new rows are missing",
            _cached(keep=lambda cache, row: cache),
        ),
        Mistake(
            "you put the new rows in front; the cache is in the order of the tokens, so they come "
            "last",
            _cached(keep=lambda cache, row: np.concatenate([row[None], cache])),
        ),
        Mistake(
            "K and V have changed places in what you return",
            _swapped,
        ),
        Mistake(
            "you append the token itself to both caches; they hold W_k x and W_v x",
            _cached(row_k=lambda it: it.x, row_v=lambda it: it.x),
        ),
        Mistake(
            "the value of the new token is made with W_k",
            _cached(row_v=lambda it: it.Wk @ it.x),
        ),
        Mistake(
            "you attend with all features at once: each head has its own slice, scores and softmax",
            _cached(heads=lambda n: 1, scale=lambda d, n: d**-0.5),
        ),
        Mistake(
            "you attend with all features at once and divide by the root of a head's width: each "
            "head has its own scores",
            _cached(heads=lambda n: 1),
        ),
        Mistake(
            "you divide by √d; each head has d / n_heads features, and their root belongs there",
            _cached(scale=lambda d, n: d**-0.5),
        ),
        Mistake(
            "you divide by d / n_heads; its root is what keeps the size of the scores",
            _cached(scale=lambda d, n: n / d),
        ),
        Mistake(
            "the scores are not divided by √(d / n_heads)",
            _cached(scale=lambda d, n: 1),
        ),
        Mistake(
            "your heads take every n_heads-th feature; they are blocks of neighbours: "
            "reshape to (…, n_heads, d / n_heads)",
            _cached(
                split=_interleaved, join=lambda u: np.moveaxis(u, 0, -1).reshape(u.shape[1], -1)
            ),
        ),
        Mistake(
            "your softmax runs over the heads; the weights of one head add up to 1 over the tokens",
            _cached(share=lambda z: softmax(z.swapaxes(0, -1)).swapaxes(0, -1)),
        ),
        Mistake(
            "your softmax runs over all heads together; the weights of each add up to 1",
            _cached(share=lambda z: softmax(z.reshape(-1)).reshape(z.shape)),
        ),
        Mistake(
            "you leave the softmax out: the scores themselves weigh the values",
            _cached(share=lambda z: z),
        ),
        Mistake(
            "W_o is missing: it mixes the heads",
            _cached(out=lambda it, mixed: mixed),
        ),
        Mistake(
            "W_o is transposed: y = W x",
            _cached(out=lambda it, mixed: mixed @ it.Wo),
        ),
        Mistake(
            "your matrices are transposed: rows of W are outputs, y = W x",
            _cached(apply=lambda W, x: x @ W),
        ),
        Mistake(
            "you add x: the sublayer returns F, and the block adds it to the stream",
            _cached(out=lambda it, mixed: it.x + it.Wo @ mixed),
        ),
    ),
    hints=(
        "First the new rows: k = Wk @ x and v = Wv @ x go to the end of K and V, "
        "np.concatenate([K, k[None]]). Then the token attends to all rows, its own among them.",
        "K.reshape(len(K), n_heads, -1) has one axis for the heads; q and V likewise. The scores "
        "have the shape (n_heads, t + 1), and the softmax runs over the last axis.",
        "No mask: nothing later is in the cache. Scores are divided by √(d / n_heads), the heads' "
        "answers are put side by side again, and Wo @ answer is the output.",
    ),
)

# one block is trained and taken apart, a stack of others shows what depth does at the start
_CAUSAL_PROBE = """
import torch

RATE, STEPS = 0.02, 100

def probe(answer, d_model, depth, batch, seq, seed):
    draw = torch.Generator().manual_seed(seed)
    x, other, change, v = torch.randn(4, batch, seq, d_model, generator=draw)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        block, *stack = [answer(d_model, depth) for _ in range(1 + depth)]
        if not isinstance(block, torch.nn.Module):
            raise TypeError("the block has to be an nn.Module, so that its parameters are found")
        given = x.clone()
        y = block.eval()(given)
        one = block(x[:1, :1].clone())
        for output, size in (y, x.shape), (one, (1, 1, d_model)):
            if not isinstance(output, torch.Tensor) or output.shape != size:
                return {"returned": output, "given": list(size)}
        result = {"y": y, "kept": float(torch.equal(given, x))}
        if not result["kept"]:
            return result
        result["again"] = block(x.clone())
        result |= training(block, x, x + change)
        result |= dependence(block, x, other, seed)
        return result | lengths(stack, x, v)

def training(block, x, target):
    named = {name: p for name, p in block.named_parameters() if p.requires_grad}
    live, losses = set(), []
    optimiser = torch.optim.Adam(named.values(), lr=RATE) if named else None
    for _ in range(STEPS + 1):
        loss = (block(x.clone()) - target).square().mean()
        losses.append(loss.item())
        if not loss.requires_grad or not named:
            break
        optimiser.zero_grad()
        loss.backward()
        for name, p in named.items():
            if p.grad is not None and float(p.grad.abs().max()) > 0:
                live.add(name)
        if len(losses) <= STEPS:
            optimiser.step()
    dead = [name for name, p in named.items() if p.ndim > 1 and name not in live]
    return {
        "losses": torch.tensor([losses[0], losses[-1]]), "dead": dead, "trained": len(named),
    }

def dependence(block, x, other, seed):
    found, seq = {}, x.shape[1]
    for mode in ("eval", "train"):
        block.train(mode == "train")

        def run(h):
            torch.manual_seed(seed)
            return block(h.clone()).detach()

        y, reach = run(x), torch.zeros(seq, seq)
        for t in range(seq):
            altered = x.clone()
            altered[0, t] = other[0, t]
            reach[:, t] = (run(altered) - y)[0].norm(dim=-1) / (altered - x).norm()
        mixed = []
        for i in (0, -1):
            altered = x.clone()
            altered[i] = other[i]
            moved = (run(altered) - y).abs().amax((1, 2))
            moved[i] = 0
            mixed.append(moved.max())
        found |= {f"reach, {mode}": reach, f"mixed, {mode}": torch.stack(mixed).max()}
        if mode == "eval":
            shorter = [(run(x[:, :k]) - y[:, :k]).abs().max() for k in range(1, seq)]
            found["shorter"] = torch.stack(shorter)
    return found

def lengths(stack, x, v):
    stream = [x.clone().requires_grad_()]
    for block in stack:
        stream.append(block.eval()(stream[-1]))
    gradients = [None] * len(stream)
    if stream[-1].requires_grad:
        gradients = torch.autograd.grad(stream[-1], stream, v, allow_unused=True)
    gradients = [torch.zeros_like(x) if g is None else g for g in gradients]
    size = lambda parts: torch.stack([p.detach().double().norm() for p in parts])
    return {"stream": size(stream) / x.norm(), "gradient": size(gradients) / v.norm()}
"""
LEAK, FELT, LONGEST, STEEPEST = 1e-5, 1e-4, 100, 10_000


def _own_case(title, d_model, batch, seq, held_back=False):
    def draw(rng):
        seed = int(rng.integers(2**31))
        return {"d_model": d_model, "depth": 96, "batch": batch, "seq": seq, "seed": seed}

    return Case(title, draw, held_back)


def _own_shape_fault(arguments, value):
    if not isinstance(value, dict):
        return f"expected the measurements of a block, got {kind_of(value)}"
    if "returned" in value:
        size = value.get("given")
        size = tuple(size) if isinstance(size, list) else "of the input"
        return f"expected a tensor of shape {size}, got {kind_of(value['returned'])}"
    y = value.get("y")
    if not isinstance(y, np.ndarray) or y.dtype.kind != "f":
        return f"expected a tensor of numbers, got {kind_of(y)}"
    bad = y[~np.isfinite(y)]
    if len(bad):
        return (
            f"expected finite numbers, got {bad[0]}. Is there a position that may look nowhere, "
            "not even at itself?"
        )
    return ""


def _kept_fault(arguments, value):
    if value.get("kept") == 1:
        return ""
    return (
        "the block changed its input in place: h += … overwrites the stream that the caller "
        "still has, h = h + … makes a new one"
    )


def _own_again_fault(arguments, value):
    seq, stack = arguments["seq"], arguments["depth"] + 1
    wanted = {"again": value["y"].shape, "losses": (2,), "shorter": (seq - 1,)}
    wanted |= {f"reach, {mode}": (seq, seq) for mode in ("eval", "train")}
    wanted |= {"stream": (stack,), "gradient": (stack,)}
    odd = [k for k, s in wanted.items() if not _numbers(value.get(k), s)]
    odd += [k for k in ("mixed, eval", "mixed, train") if not _numbers(value.get(k), ())]
    if odd or not isinstance(value.get("dead"), list):
        return f"the block could not be measured: {', '.join(odd)}"
    got = np.abs(value["y"] - value["again"]).max()
    return "" if got <= LEAK else f"the second time an entry differs by {got:.3g}"


def _numbers(part, shape):
    return isinstance(part, np.ndarray) and part.shape == shape and part.dtype.kind == "f"


def _own_learning_fault(arguments, value):
    before, after = value["losses"]
    if not after < before / 2:
        why = (
            "No parameter was found: is it an nn.Parameter, and are modules kept in self or in an "
            "nn.ModuleList?"
            if not value.get("trained")
            else "Is a branch silenced for good, detached, or without weights?"
        )
        return f"the error went from {before:.3g} to {after:.3g}. {why}"
    if value["dead"]:
        return f"in 100 steps no gradient reached {', '.join(map(str, value['dead']))}"
    return ""


def _mixed_fault(arguments, value):
    for mode in ("eval", "train"):
        if not value[f"mixed, {mode}"] <= LEAK:
            why = (
                "Does the attention run over the batch? nn.MultiheadAttention takes (seq, batch, "
                "d_model) unless batch_first=True"
                if mode == "eval"
                else "That is in train mode only: does a norm take its mean over the batch?"
            )
            got = value[f"mixed, {mode}"]
            return f"one example was replaced, and another one's output moved by {got:.3g}. {why}"
    return ""


def _own_causal_fault(arguments, value):
    for mode in ("eval", "train"):
        reach = value[f"reach, {mode}"]
        ahead = np.argwhere(~(np.triu(reach, 1) <= LEAK))
        if len(ahead):
            row, token = ahead[0]
            back = np.tril(reach, -1).max(initial=0)
            why = (
                "That is in train mode only."
                if mode == "train"
                else "Nothing comes from earlier ones: the mask is the wrong way round."
                if back <= LEAK
                else "Is there no mask, or a norm over the positions?"
            )
            return (
                f"token {token} was replaced, and row {row} moved {reach[row, token]:.3g} times "
                f"as far. {why}"
            )
    return ""


def _shorter_fault(arguments, value):
    bad = np.flatnonzero(~(value["shorter"] <= LEAK))
    if not len(bad):
        return ""
    return (
        f"the first {bad[0] + 1} tokens alone give other rows than with the rest behind them, by "
        f"{value['shorter'][bad[0]]:.3g}. What depends on the length of the sequence?"
    )


def _own_flow_fault(arguments, value):
    step = value["reach, eval"] > FELT
    felt = step[:, 0]
    for _ in range(arguments["depth"] - 1):
        felt = felt | (step @ felt)
    deaf = np.flatnonzero(~felt)
    if not len(deaf):
        return ""
    why = (
        "No row depends on another token: where do the positions meet?"
        if not (step & ~np.eye(len(step), dtype=bool)).any()
        else "From which rows does it read?"
    )
    return f"row {deaf[0]} does not feel the first token. {why}"


def _stays_fault(ratios, order, bound, side, what):
    bad = [i for i in order if not 1 / bound <= ratios[i] <= bound]
    if not bad:
        return ""
    return (
        f"expected 1/{bound:,} to {bound:,} times that of {what}; {side} block {bad[0]} it is "
        f"{ratios[bad[0]]:.3g} times, {side} block {order[-1]} it is {ratios[order[-1]]:.3g} times"
    )


def _own_stream_fault(arguments, value):
    order = range(arguments["depth"])
    return _stays_fault(value["stream"][1:], order, LONGEST, "after", "the input")


def _own_gradient_fault(arguments, value):
    order = range(arguments["depth"])[::-1]
    return _stays_fault(value["gradient"], order, STEEPEST, "before", "the gradient at the output")


CausalBlock = Exercise(
    name="CausalBlock",
    lesson=LESSON,
    points=2,
    required=False,
    minutes=12,
    difficulty=3,
    kind="module",
    timeout=30.0,
    probe=_CAUSAL_PROBE,
    cases=(
        _own_case("three sequences of eight tokens", 16, 3, 8),
        _own_case("four sequences of six tokens", 16, 4, 6, held_back=True),
    ),
    properties=(
        Property("a finite output of the shape of the input", _own_shape_fault),
        Property("the input is left as it was", _kept_fault),
        Property("the same output for the same input", _own_again_fault),
        Property("100 steps of Adam more than halve the error of a block", _own_learning_fault),
        Property("the sequences of a batch do not mix", _mixed_fault),
        Property("no row depends on a later token", _own_causal_fault),
        Property("a row does not depend on how many tokens follow", _shorter_fault),
        Property("in a stack of 96 every row depends on the first token", _own_flow_fault),
        Property(
            "in a stack of 96 the length of the stream stays within a factor of 100",
            _own_stream_fault,
        ),
        Property(
            "in a stack of 96 the length of the gradient stays within a factor of 10,000",
            _own_gradient_fault,
        ),
    ),
    hints=(
        "Begin with the equation of the lesson: h + Attn(norm(h)), then h + FFN(norm(h)). "
        "nn.MultiheadAttention(d_model, heads, batch_first=True) is an attention.",
        "nn.MultiheadAttention wants a mask that is True where a position may not look: "
        "torch.ones(n, n, dtype=torch.bool).triu(1), with n = h.shape[1]. Its result is a pair.",
        "nn.LayerNorm(d_model) norms the features of each token. The feed-forward sublayer: "
        "nn.Sequential(nn.Linear(d_model, d_ff), nn.ReLU(), nn.Linear(d_ff, d_model)).",
    ),
)

EXERCISES = (
    parallel_block_backward,
    block_parameters,
    block_diagnosis,
    cached_step,
    CausalBlock,
)
