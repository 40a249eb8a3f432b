"""Explore what shortcut and branch do to the length of the stream."""

import numpy as np

from course_utils import backprop, plots, probes
from course_utils.widgets.panel import Panel, slider
from course_utils.wiring import Wiring

WIDTH, SEEDS, BATCH, MAX_DEPTH = 32, 12, 4, 50


def variance_ledger(a=1.0, b=1.0, g=1.0, depth=20, ends_in_relu=0) -> Panel:
    """Move the gains; split each block's squared length, and follow it through the stack.

    Parameters
    ----------
    a, b : float
        Gains of shortcut and branch.
    g : float
        Size of the branch: ‖F(x)‖² is g²‖x‖² on average.
    depth : int
        Number of blocks, at most 50.
    ends_in_relu : int
        1 for the branch g·relu(W x), which has a mean; 0 for W2 relu(W1 x), which has none.

    Returns
    -------
    Panel

    Examples
    --------
    >>> variance_ledger(a=1, b=0).sentence[:62]
    'a = 1.00, b = 0.00, g = 1.00: a block multiplies the squared l'
    """
    rng = np.random.default_rng(0)
    kinds = _branches(rng)
    x = rng.normal(size=(SEEDS, BATCH, WIDTH))

    def compute(a, b, g, depth, ends_in_relu):
        branches = kinds[int(ends_in_relu)][:depth]
        shares = probes.variance_ledger(branches, x, Wiring(a=a, b=b * g))
        return shares, (a**2, (b * g) ** 2, 0.0, a**2 + (b * g) ** 2)

    values = {"a": a, "b": b, "g": g, "depth": depth, "ends_in_relu": ends_in_relu}
    return Panel(
        {
            "a": slider("shortcut gain a", a, 0.0, 1.0, 0.05),
            "b": slider("branch gain b", b, 0.0, 1.0, 0.01),
            "g": slider("branch size g", g, 0.2, 1.2, 0.05),
            "depth": slider("depth (blocks)", depth, 1, MAX_DEPTH, 1),
            "ends_in_relu": slider("ends in ReLU (0, 1)", ends_in_relu, 0, 1, 1),
        },
        compute,
        plots.variance_ledger(*compute(**values)),
        _describe,
        {
            "plain": values | {"a": 0.0, "b": 1.0, "depth": 50},
            "residual": values | {"a": 1.0, "b": 1.0, "depth": 50},
            "1/√50": values | {"a": 1.0, "b": 0.14, "depth": 50},
            "a² + b² = 1": values | {"a": 0.8, "b": 0.6, "depth": 50},
            "ReLU end": values | {"a": 1.0, "b": 0.5, "depth": 20, "ends_in_relu": 1},
        },
    )


def _branches(rng):
    drawn = [backprop.random_branch(rng, WIDTH, seeds=(SEEDS,)) for _ in range(MAX_DEPTH)]
    eye, none = np.eye(WIDTH), np.zeros(WIDTH)
    # relu(W x) is a branch whose second layer is the identity
    ending = [backprop.Branch(2**0.5 * f.W1, none, eye, none) for f in drawn]
    return drawn, ending


def _describe(values, arrays):
    shares, predicted = arrays
    whole = np.median(np.prod(shares.sum(0), axis=0))
    cross = shares[2].mean()
    opening = (
        f"a = {values['a']:.2f}, b = {values['b']:.2f}, g = {values['g']:.2f}: a block multiplies "
        f"the squared length by {shares.sum(0).mean():.2f}, the formula says {predicted[3]:.2f}"
    )
    extra = f"; the cross term adds {cross:.2f}" if abs(cross) > 0.02 else ""
    if whole == 0:
        return f"{opening}. The stream is 0."
    blocks = "1 block" if values["depth"] == 1 else f"{values['depth']} blocks"
    return f"{opening}{extra}. After {blocks} a typical net has {whole:.2g} times as much."
