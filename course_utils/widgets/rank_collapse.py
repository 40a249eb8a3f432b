"""Explore how attention makes all tokens alike, and what keeps them apart."""

import functools

import numpy as np

from course_utils import backprop, plots, probes
from course_utils.widgets.panel import Panel, choice, slider
from course_utils.wiring import Wiring

SEQ, D_MODEL, N_HEADS, SEEDS, MAX_DEPTH = 16, 32, 4, 3, 24
NORMS, FEED = ("none", "pre", "post"), ("no", "yes")


def rank_collapse(a=1.0, b=1.0, norm="none", feed_forward="no", depth=MAX_DEPTH) -> Panel:
    """Choose the wiring of random attention layers; see how fast their tokens become the same.

    Parameters
    ----------
    a, b : float
        Gains of shortcut and sublayer.
    norm : {"none", "pre", "post"}
    feed_forward : {"no", "yes"}
        Whether a feed-forward sublayer follows each attention.
    depth : int
        Layers, at most 24.

    Returns
    -------
    Panel

    Examples
    --------
    >>> rank_collapse(a=0, depth=12).sentence
    'F(h), attention only: after 12 layers all tokens are the same.'
    """

    def compute(**values):
        return (_spreads(**values),)

    values = {"a": a, "b": b, "norm": norm, "feed_forward": feed_forward, "depth": depth}
    full = values | {"a": 1.0, "feed_forward": "yes", "depth": MAX_DEPTH}
    drawing = plots.rank_collapse(
        {"plain, no shortcut": np.full((MAX_DEPTH + 1, SEEDS), 1.0), "now": _now(compute, values)},
        "Spread of the tokens, with your wiring and without a shortcut",
    )
    return Panel(
        {
            "a": slider("shortcut gain a", a, 0.0, 1.0, 0.05),
            "b": slider("sublayer gain b", b, 0.05, 1.5, 0.05),
            "norm": choice("norm", norm, NORMS),
            "feed_forward": choice("feed-forward", feed_forward, FEED),
            "depth": slider("depth (layers)", depth, 1, MAX_DEPTH, 1),
        },
        compute,
        drawing,
        _describe,
        {
            "attention only": values | {"a": 0.0, "b": 1.0, "norm": "none", "feed_forward": "no"},
            "shortcut": full | {"norm": "none", "feed_forward": "no"},
            "pre-norm block": full | {"norm": "pre"},
            "post-norm block": full | {"norm": "post"},
            "small b": full | {"b": 0.2},
        },
    )


def _now(compute, values):
    return compute(**values)[0]["now"]


@functools.lru_cache
def _layers():
    rng = np.random.default_rng(0)
    layers = [
        (
            backprop.random_attention(rng, D_MODEL, seeds=(SEEDS,)),
            backprop.random_branch(rng, D_MODEL, 2 * D_MODEL, seeds=(SEEDS,)),
        )
        for _ in range(MAX_DEPTH)
    ]
    return layers, rng.normal(size=(SEEDS, SEQ, D_MODEL))


@functools.lru_cache
def _one(a, b, norm, feed_forward, depth):
    layers, x = _layers()
    layers = [(f, g if feed_forward == "yes" else None) for f, g in layers[:depth]]
    return probes.rank_collapse(layers, x, N_HEADS, Wiring(a=a, b=b, norm=norm))


def _spreads(a, b, norm, feed_forward, depth):
    without = _one(0.0, 1.0, "none", feed_forward, depth)
    return {"plain, no shortcut": without, "now": _one(a, b, norm, feed_forward, depth)}


def _describe(values, arrays):
    last = np.exp(np.log(np.maximum(arrays[0]["now"][-1], plots.FLOAT64)).mean())
    parts = "attention and feed-forward" if values["feed_forward"] == "yes" else "attention only"
    wiring = Wiring(values["a"], values["b"], values["norm"])
    layers = "1 layer" if values["depth"] == 1 else f"{values['depth']} layers"
    if last <= 2 * plots.FLOAT64:
        return f"{wiring.equation()}, {parts}: after {layers} all tokens are the same."
    return f"{wiring.equation()}, {parts}: after {layers} the spread of the tokens is {last:.2g}."
