"""Stochastic depth: a stack that runs some of its blocks at random."""

import numpy as np
import torch

from course_utils.fast.stack import DeepStack
from course_utils.wiring import Wiring


class StochasticDepth(DeepStack):
    """Leave blocks out at random while training, and run all of them, weakened, afterwards.

    In training mode block l runs with probability p_l, which falls in a straight line to
    p_L = `last`; a block left out costs nothing. In evaluation mode a block takes the stream
    only the part p_l of its way, h ← h + p_l·(block(h) − h); with a shortcut that is h + p_l·F.
    All copies of `training.fit` share their coins.

    Parameters
    ----------
    depth, width : int
    wiring : Wiring
    last : float
        p_L, the probability that the last block runs.
    **options
        As for `DeepStack`.

    Attributes
    ----------
    survival : ndarray, shape (depth,)
        p_l = 1 − l/L·(1 − p_L) for l = 1 … L.

    Raises
    ------
    ValueError
        If `last` is not in (0, 1].

    References
    ----------
    Huang et al. (2016), "Deep Networks with Stochastic Depth", eqs. 2, 4 and 5.
    Derived in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> net = StochasticDepth(4, 8, Wiring(), last=0.5)
    >>> net.survival
    array([0.875, 0.75 , 0.625, 0.5  ])
    >>> net.eval()(torch.ones(2, 8)).shape
    torch.Size([2, 8])
    """

    def __init__(self, depth, width, wiring: Wiring, last=0.5, **options):
        super().__init__(depth, width, wiring, **options)
        if not 0 < last <= 1:
            raise ValueError(f"last is a probability above 0, got {last}")
        self.survival = 1 - np.arange(1, depth + 1) / depth * (1 - last)
        # seeded by torch's generator, so that a run can be repeated
        self._coins = np.random.default_rng(torch.randint(2**31, ()).item())

    def forward(self, x):
        """Map the stream x, shape (..., width), to its last state, of the same shape."""
        if not self.training:
            # the mean over a block's coin: h with 1 − p_l, block(h) with p_l
            for block, p in zip(self._blocks(), self.survival, strict=True):
                x = x + p * (block(x) - x)
            return x
        # one coin for each block; those that are left out are not computed at all
        kept = np.flatnonzero(self._coins.random(len(self.survival)) < self.survival)
        if len(kept) == 0:
            return x
        return self._run(x, self.layers[kept], None if self.gate is None else self.gate[kept])

    def only(self, order):
        """Copy the stack with these blocks alone, in this order; each keeps its p_l."""
        copy = super().only(order)
        copy.survival = self.survival[list(order)]
        return copy
