"""Explore how a gradient travels through the nets of 2015."""

import numpy as np
import torch
from torch import nn

from course_utils import data, plots, probes
from course_utils.resnets import MLPNet, ReluBlock
from course_utils.widgets.panel import Panel, slider
from course_utils.wiring import Wiring

MAX_BLOCKS = 27
FACTOR = (np.pi / (np.pi - 1)) ** 0.5  # of a plain layer with batch norm and ReLU


def layer_gradients(a=0.0, gamma=1.0, blocks=MAX_BLOCKS) -> Panel:
    """Move the shortcut's gain and the last norm's γ; see the gradient of an untrained net.

    Parameters
    ----------
    a : float
        Gain of the shortcut; 0 is the plain net.
    gamma : float
        Gain of the last batch norm in every branch.
    blocks : int
        Blocks of two layers, at most 27.

    Returns
    -------
    Panel

    Examples
    --------
    >>> layer_gradients(a=1.0, gamma=0.0).sentence[:51]
    'a = 1.00, γ = 0.00, 56 layers: the gradient is 0.73'
    """
    with torch.random.fork_rng(devices=[]):  # the notebook's own draws stay as they are
        torch.manual_seed(0)
        *stem, head = MLPNet(MAX_BLOCKS)
        x, y = data.digits_task(64)(torch.Generator().manual_seed(0))
    stem, branches = nn.Sequential(*stem[:3]), [block.branch for block in stem[3:]]

    def compute(a, gamma, blocks):
        chain = [stem, *(ReluBlock(branch, Wiring(a=a)) for branch in branches[:blocks]), head]
        with torch.no_grad():
            for branch in branches:
                branch[-1].weight.fill_(gamma)
        loss = nn.CrossEntropyLoss()
        lengths = probes.stream_gradients(nn.Sequential(*chain), x, lambda out: loss(out, y))[:-1]
        return (lengths / lengths[-1],)

    values = {"a": a, "gamma": gamma, "blocks": blocks}
    return Panel(
        {
            "a": slider("shortcut gain a", a, 0.0, 1.0, 0.05),
            "gamma": slider("γ of the last norm", gamma, 0.0, 1.0, 0.05),
            "blocks": slider("blocks of 2 layers", blocks, 1, MAX_BLOCKS, 1),
        },
        compute,
        plots.layer_gradients(2 * MAX_BLOCKS + 2, FACTOR),
        _describe,
        {
            "plain": values | {"a": 0.0, "gamma": 1.0},
            "residual": values | {"a": 1.0, "gamma": 1.0},
            "zero γ": values | {"a": 1.0, "gamma": 0.0},
        },
    )


def _describe(values, arrays):
    (gradients,) = arrays
    opening = f"a = {values['a']:.2f}, γ = {values['gamma']:.2f}, {2 * values['blocks'] + 2} layers"
    if gradients[0] == 0:
        return f"{opening}: with neither shortcut nor branch no gradient comes back."
    return (
        f"{opening}: the gradient is {gradients[0]:.2g} times as long after the first layer as "
        f"after the last block; the plain formula says {FACTOR ** (2 * values['blocks']):.2g}."
    )
