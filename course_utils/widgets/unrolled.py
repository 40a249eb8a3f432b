"""Explore the paths through a residual stack: how many there are, and which of them count."""

import functools

import numpy as np

from course_utils import plots, probes
from course_utils.widgets.panel import Panel, slider

MAX_DEPTH, WIDTH, SEEDS, VECTORS = 54, 16, 3, 8


def unrolled(depth=24, gain=0.4) -> Panel:
    """Move depth and gain; see how many paths have each length, and what they carry.

    The thin marks are measured: three stacks of random linear branches of width 16, each with
    eight vectors sent through it along all paths.

    Parameters
    ----------
    depth : int
        Number of blocks, at most 54.
    gain : float
        g: a branch multiplies the squared length by g² on average.

    Returns
    -------
    Panel

    References
    ----------
    Veit et al. (2016), "Residual Networks Behave Like Ensembles of Relatively Shallow
    Networks": their ResNet of 110 layers has 54 blocks.
    Derived in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> unrolled(depth=2, gain=1.0).sentence[:63]
    '2 blocks of gain 1.00: 4 paths, with 1.0 branches on average, o'
    """

    def compute(depth, gain):
        # a factor g on every branch is a factor g^k on a path of length k
        squares = _squares()[depth, : depth + 1] * gain ** (2 * np.arange(depth + 1))[:, None]
        return depth, gain, probes.path_length_shares(depth, gain), squares / squares.sum(0)

    values = {"depth": depth, "gain": gain}
    return Panel(
        {
            "depth": slider("depth (blocks)", depth, 1, MAX_DEPTH, 1),
            "gain": slider("branch gain g", gain, 0.05, 1.5, 0.05),
        },
        compute,
        plots.unrolled(*compute(**values), longest=MAX_DEPTH),
        _describe,
        {
            "one block": {"depth": 1, "gain": 0.4},
            "small branches": {"depth": 24, "gain": 0.1},
            "24 blocks": {"depth": 24, "gain": 0.4},
            "as large as the shortcut": {"depth": 24, "gain": 1.0},
            "Veit's 54 blocks": {"depth": 54, "gain": 0.5},
        },
    )


@functools.lru_cache
def _squares():
    rng = np.random.default_rng(0)
    M = rng.normal(size=(MAX_DEPTH, SEEDS, 1, WIDTH, WIDTH)) / WIDTH**0.5
    return probes.squares_by_length(M, rng.normal(size=(SEEDS, VECTORS, WIDTH))).mean(-1)


def _describe(values, arrays):
    depth, gain, shares, _ = arrays
    lengths = np.arange(depth + 1)
    blocks = "1 block" if depth == 1 else f"{depth} blocks"
    # the middle nine tenths: less than 5 % lie below, less than 5 % above
    low, high = np.searchsorted(shares.cumsum(), [0.05, 0.95])
    part = shares[low : high + 1].sum()
    which = f"{low} to {high}" if high > low else f"{low}"
    return (
        f"{blocks} of gain {gain:.2f}: {2**depth:,} paths, with {depth / 2:.1f} branches on "
        f"average, or {(lengths * shares).sum():.1f} if each counts by its squared length. "
        f"Paths of {which} {'branch' if which == '1' else 'branches'} carry "
        f"{_percent(part)} % of the squared length."
    )


def _percent(part):
    """Round down: less than all is never 100 %."""
    return int(100 * part + 1e-9)
