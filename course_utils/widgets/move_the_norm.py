"""Move the norm, and see what becomes of the input and of the later blocks."""

import numpy as np

from course_utils import backprop, plots, probes
from course_utils.widgets.panel import Panel, choice, slider
from course_utils.wiring import Wiring

WIDTH, BATCH, SEEDS, MAX_DEPTH = 64, 4, 3, 96


def move_the_norm(norm="pre", alpha=1.0, b=1.0, depth=MAX_DEPTH) -> Panel:
    """Choose where the norm sits and how much the stream and the branch count.

    Parameters
    ----------
    norm : {"pre", "post", "none"}
    alpha : float
        Gain of the shortcut; above 1 it is DeepNorm's, and needs a norm on the trunk.
    b : float
        Gain of the branch.
    depth : int
        Blocks, at most 96.

    Returns
    -------
    Panel

    Examples
    --------
    >>> move_the_norm("post", depth=12).sentence[:46]
    'norm(h + F(h)), 12 blocks: the input makes up '
    """
    rng = np.random.default_rng(0)
    branches = [backprop.random_branch(rng, WIDTH, seeds=(SEEDS,)) for _ in range(MAX_DEPTH)]
    x = rng.normal(size=(SEEDS, BATCH, WIDTH))
    measured = {}  # a drag comes back to places where it was

    def compute(norm, alpha, b, depth):
        wiring = Wiring(a=alpha, b=b, norm=norm)
        if wiring not in measured:
            measured[wiring] = probes.dilution(branches, x, wiring)
        left, turned = measured[wiring]
        formula = predicted(wiring, depth)
        return {"now": left[: depth + 1]}, {"now": turned[:depth]}, {"now": formula}

    values = {"norm": norm, "alpha": alpha, "b": b, "depth": depth}
    title = "What is left of the input, and what a block turns (dots: formula)"
    drawing = plots.dilution(
        *({"now": np.full((MAX_DEPTH + extra, SEEDS), 0.5)} for extra in (1, 0)),
        {"now": (np.full(MAX_DEPTH + 1, 0.5), np.full(MAX_DEPTH, 0.5))},
        title,
    )
    return Panel(
        {
            "norm": choice("norm", norm, ("pre", "post", "none")),
            "alpha": slider("shortcut gain", alpha, 0.5, 4.0, 0.1),
            "b": slider("branch gain b", b, 0.05, 1.5, 0.05),
            "depth": slider("depth (blocks)", depth, 2, MAX_DEPTH, 1),
        },
        compute,
        drawing,
        _describe,
        {
            "pre-norm": values | {"norm": "pre", "alpha": 1.0, "b": 1.0},
            "post-norm": values | {"norm": "post", "alpha": 1.0, "b": 1.0},
            "DeepNorm's α, 96": values | {"norm": "post", "alpha": 3.1, "b": 1.0, "depth": 96},
            "no norm": values | {"norm": "none", "alpha": 1.0, "b": 1.0},
            "small b": values | {"norm": "pre", "alpha": 1.0, "b": 0.1},
        },
    )


def predicted(wiring, depth):
    """Compute what the lesson's formulas say of `probes.dilution`.

    Parameters
    ----------
    wiring : Wiring
    depth : int

    Returns
    -------
    left : ndarray, shape (depth + 1,)
    turned : ndarray, shape (depth,)

    References
    ----------
    Derived in notebooks/10_norm_placement.ipynb.

    Examples
    --------
    >>> predicted(Wiring(norm="post"), 2)
    (array([1.  , 0.5 , 0.25]), array([0.5, 0.5]))
    """
    a2, b2, blocks = wiring.a**2, wiring.b**2, np.arange(depth + 1)
    if wiring.norm == "pre":  # the branch adds b² to a squared length that a² stretches
        length = a2**blocks + b2 * np.cumsum(np.r_[0, a2 ** np.arange(depth)])
        return a2**blocks / length, b2 / length[1:]
    return (a2 / (a2 + b2)) ** blocks, np.full(depth, b2 / (a2 + b2))


def _describe(values, arrays):
    left, turned, _ = arrays
    wiring = Wiring(values["alpha"], values["b"], values["norm"])
    share, last = left["now"][-1].mean(), turned["now"][-1].mean()
    return (
        f"{wiring.equation()}, {values['depth']} blocks: the input makes up {100 * share:.2g} % of "
        f"the last stream, the last block {100 * last:.2g} %."
    )
