"""Attention for one new token, with the keys and values of the others kept."""

from types import SimpleNamespace

import numpy as np

from course_utils.backprop.attention import join_heads, softmax, split_heads
from course_utils.checks.lesson_11 import LESSON
from course_utils.judging.exercise import Case, Exercise, Mistake


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


EXERCISE = Exercise(
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
