"""Explore what a stack does to the plane before any training."""

import numpy as np
import torch
from torch import nn

from course_utils import plots, probes
from course_utils.blocks import MLP, Block
from course_utils.widgets.panel import Panel, slider
from course_utils.wiring import Wiring

MAX_DEPTH = 12


def start_from_identity(b=0.1, depth=8, seed=1) -> Panel:
    """Move branch gain and depth; push a grid of the plane through both stacks.

    Both stacks hold the same branches F; the plain one has a = 0, the residual
    one a = 1.

    Parameters
    ----------
    b : float
        Gain of the branch.
    depth : int
        Number of blocks, at most 12.
    seed : int
        Draws the branches.

    Returns
    -------
    Panel

    Examples
    --------
    >>> start_from_identity(b=0.0).sentence[-72:]
    'the residual stack moves a point by 0.00 on average: it is the identity.'
    """
    with torch.random.fork_rng(devices=[]):  # the notebook's own draws stay as they are
        torch.manual_seed(seed)
        branches = [MLP(2, hidden=16) for _ in range(MAX_DEPTH)]
    before = probes.grid_lines().astype("float32")

    def compute(b, depth):
        wirings = Wiring(a=0, b=b), Wiring(a=1, b=b)
        stacks = [nn.Sequential(*(Block(f, w) for f in branches[:depth])) for w in wirings]
        return tuple(probes.output(stack, before) for stack in stacks)

    return Panel(
        {
            "b": slider("branch gain b", b, 0.0, 1.0, 0.05),
            "depth": slider("depth (blocks)", depth, 1, MAX_DEPTH, 1),
        },
        compute,
        plots.pushed_grid(before, *compute(b, depth)),
        lambda values, arrays: _describe(values, arrays, before),
        {
            "identity": {"b": 0.0, "depth": 8},
            "gentle": {"b": 0.1, "depth": 8},
            "full gain": {"b": 1.0, "depth": 8},
        },
    )


def _describe(values, arrays, before):
    plain, residual = arrays
    size = np.abs(plain).max() / np.abs(before).max()
    moved = np.linalg.norm(residual - before, axis=-1).mean()
    if size == 0:
        change = "shrinks the grid to a single point"
    elif size < 1:
        change = f"shrinks the grid to {size:.1g} of its size"
    else:
        change = f"stretches the grid to {size:.1f} times its size"
    ending = ": it is the identity" if moved == 0 else ""
    blocks = "1 block" if values["depth"] == 1 else f"{values['depth']} blocks"
    return (
        f"b = {values['b']:.2f}, {blocks}: the plain stack {change}; "
        f"the residual stack moves a point by {moved:.2f} on average{ending}."
    )
