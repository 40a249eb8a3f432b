"""Explore how a gradient changes along a line of inputs, by shortcut, branch and depth."""

import numpy as np

from course_utils import backprop, plots, probes
from course_utils.widgets.panel import Panel, slider
from course_utils.wiring import Wiring

WIDTH, SEEDS, POINTS, MAX_DEPTH = 48, 3, 96, 30
LINE = np.linspace(-2, 2, POINTS, dtype=np.float32)
NEAR = POINTS // 16  # points that lie a quarter apart


def shattered_gradients(a=0.0, b=1.0, depth=20) -> Panel:
    """Move the gains and the depth; see dy/dx along a line, and how alike two gradients are.

    Parameters
    ----------
    a, b : float
        Gains of shortcut and branch.
    depth : int
        Number of blocks, at most 30.

    Returns
    -------
    Panel

    Examples
    --------
    >>> shattered_gradients(a=1, b=0).sentence[:47]
    'a = 1.00, b = 0.00, 20 blocks: like 0.0 plain o'
    """
    rng = np.random.default_rng(0)
    branches = [
        _single(backprop.random_branch(rng, WIDTH, seeds=(SEEDS,))) for _ in range(MAX_DEPTH)
    ]
    w, start, readout = rng.normal(size=(3, SEEDS, 1, WIDTH)).astype(np.float32)
    h = w * LINE[:, None] + start
    # the formula, for a few angles; what lies between is read off
    angles = np.linspace(0, np.pi, 64)
    length = np.sqrt(1 + LINE.astype(float) ** 2)
    between = np.arccos(np.clip((1 + np.outer(LINE, LINE)) / np.outer(length, length), -1, 1))

    def compute(a, b, depth):
        wiring = Wiring(a=a, b=b)
        gradients = probes.input_gradients(branches[:depth], h, readout, wiring)
        measured = probes.by_lag(probes.pair_cosines(gradients))
        formula = probes.wide_cosines(np.cos(angles), depth, wiring)[1][-1]
        predicted = probes.by_lag(np.interp(between, angles, formula))
        return (gradients[0] * w[0]).sum(-1), measured, predicted

    values = {"a": a, "b": b, "depth": depth}
    return Panel(
        {
            "a": slider("shortcut gain a", a, 0.0, 1.0, 0.05),
            "b": slider("branch gain b", b, 0.0, 1.0, 0.01),
            "depth": slider("depth (blocks)", depth, 1, MAX_DEPTH, 1),
        },
        compute,
        plots.shattered_gradients(LINE, *compute(**values)),
        _describe,
        {
            "one plain block": {"a": 0.0, "b": 1.0, "depth": 1},
            "plain": {"a": 0.0, "b": 1.0, "depth": 30},
            "residual": {"a": 1.0, "b": 1.0, "depth": 30},
            "1/√30": {"a": 1.0, "b": 0.18, "depth": 30},
        },
    )


def _single(branch):
    return backprop.Branch(*(part.astype(np.float32) for part in branch))


def _describe(values, arrays):
    _, measured, predicted = arrays
    a2, b2 = values["a"] ** 2, values["b"] ** 2
    blocks = "1 block" if values["depth"] == 1 else f"{values['depth']} blocks"
    opening = f"a = {values['a']:.2f}, b = {values['b']:.2f}, {blocks}"
    if a2 + b2 == 0:
        return f"{opening}: the gradient is 0."
    counts = values["depth"] * b2 / (a2 + b2)
    near, formula = measured[NEAR].mean(), predicted[NEAR]
    return (
        f"{opening}: like {counts:.1f} plain ones. Two gradients at inputs a quarter apart have "
        f"the cosine {near:.2f} on average; the formula says {formula:.2f}."
    )
