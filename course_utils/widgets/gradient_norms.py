"""Explore how a gradient travels back through a plain and a residual stack."""

import numpy as np

from course_utils import backprop, plots, probes
from course_utils.widgets.panel import Panel, slider
from course_utils.wiring import PLAIN, Wiring

MAX_DEPTH, WIDTH, SEEDS, BATCH = 60, 16, 4, 4


def gradient_norms(depth=50, gain=0.7, b=0.15):
    """Move depth, size of the branches and branch gain; watch the gradient in both stacks.

    Both stacks hold the same branches. Their weights are drawn once, so a move of a
    slider changes nothing else.

    Parameters
    ----------
    depth : int
        Number of blocks, at most 60.
    gain : float
        Size of every branch; at 1, F(x) is as long as x on average.
    b : float
        Gain of the branch in the residual stack.

    Returns
    -------
    Panel

    Examples
    --------
    >>> gradient_norms(depth=10, gain=0.0).sentence[-65:]
    'reaches the input 0 times as long, in the residual stack 1.0e+00.'
    """
    rng = np.random.default_rng(0)
    branches = [backprop.random_branch(rng, WIDTH, seeds=(SEEDS,)) for _ in range(MAX_DEPTH)]
    x, dH = rng.normal(size=(2, SEEDS, BATCH, WIDTH))

    def compute(depth, gain, b):
        sized = [branch._replace(W2=gain * branch.W2) for branch in branches[:depth]]
        wirings = {"plain": PLAIN, "residual": Wiring(b=b)}
        norms = {name: probes.gradient_norms(sized, x, dH, w) for name, w in wirings.items()}
        return (norms,)

    return Panel(
        {
            "depth": slider("depth (blocks)", depth, 1, MAX_DEPTH, 1),
            "gain": slider("size of branches", gain, 0.0, 1.5, 0.05),
            "b": slider("branch gain b", b, 0.0, 1.0, 0.05),
        },
        compute,
        plots.gradient_norms(*compute(depth, gain, b)),
        _describe,
        {
            "plain vanishes": {"depth": 50, "gain": 0.7, "b": 0.15},
            "residual explodes": {"depth": 50, "gain": 1.0, "b": 1.0},
            "both are calm": {"depth": 50, "gain": 1.0, "b": 0.15},
        },
    )


def _describe(values, arrays):
    (norms,) = arrays
    plain, residual = (np.median(values[0]) for values in norms.values())
    blocks = "1 block" if values["depth"] == 1 else f"{values['depth']} blocks"
    size = "0" if plain == 0 else f"{plain:.1e}"
    return (
        f"{blocks}, branches of size {values['gain']:.2f}, b = {values['b']:.2f}: in the plain "
        f"stack the gradient reaches the input {size} times as long, in the residual stack "
        f"{residual:.1e}."
    )
