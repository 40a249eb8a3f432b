"""The stream of a random stack, and the gradient that runs back along it, block by block.

NumPy alone: blocks of `backprop`, with seeds on leading axes.
"""

import numpy as np

from course_utils import backprop
from course_utils.wiring import Wiring


def gradient_norms(branches, x, dH, wiring: Wiring):
    """Measure how long the gradient is before each block, relative to its end.

    Parameters
    ----------
    branches : sequence of backprop.Branch or backprop.Gated
        May hold seeds on a leading axis.
    x : ndarray, shape (..., batch, width)
    dH : ndarray, shape (..., batch, width)
        ∂L/∂H at the output.
    wiring : Wiring

    Returns
    -------
    ndarray, shape (depth + 1, ...)
        Entry l is ‖∂L/∂h_l‖ / ‖∂L/∂H‖ over the batch, for each seed; the last is 1.

    References
    ----------
    Derived in notebooks/02_chain_rule.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> silent = [backprop.random_branch(rng, width=4, gain=0) for _ in range(3)]
    >>> x = rng.normal(size=(2, 4))
    >>> gradient_norms(silent, x, x, Wiring(a=0.5))
    array([0.125, 0.25 , 0.5  , 1.   ])
    """
    _, caches = backprop.forward(branches, x, wiring)
    stream, _ = backprop.backward(branches, caches, dH, wiring)
    # over examples and features: one length for each net of the batch of seeds
    norms = np.stack([np.sqrt((g**2).sum((-2, -1))) for g in stream])
    return norms / norms[-1]


def stream_lengths(branches, x, wiring: Wiring):
    """Measure how long the stream is before each block, relative to the input.

    Parameters
    ----------
    branches : sequence of backprop.Branch or backprop.Gated
        May hold seeds on a leading axis.
    x : ndarray, shape (..., batch, width)
    wiring : Wiring

    Returns
    -------
    ndarray, shape (depth + 1, ...)
        Entry l is ‖h_l‖ / ‖x‖ over the batch, for each seed; the first is 1.

    References
    ----------
    Derived in notebooks/03_signal_at_depth.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> silent = [backprop.random_branch(rng, width=4, gain=0) for _ in range(3)]
    >>> stream_lengths(silent, rng.normal(size=(2, 4)), Wiring(a=0.5))
    array([1.   , 0.5  , 0.25 , 0.125])
    """
    streams = [x]
    for branch in branches:
        streams.append(backprop.forward([branch], streams[-1], wiring)[0])
    lengths = np.stack([np.sqrt((h**2).sum((-2, -1))) for h in streams])
    return lengths / lengths[0]


def variance_ledger(branches, x, wiring: Wiring):
    """Split what each block does to the squared length of the stream into three terms.

    ‖a·h + b·F‖² = a²‖h‖² + b²‖F‖² + 2ab⟨h, F⟩: the shortcut's share, the branch's, and
    what they have in common.

    Parameters
    ----------
    branches : sequence of backprop.Branch or backprop.Gated
        May hold seeds on a leading axis.
    x : ndarray, shape (..., batch, width)
    wiring : Wiring
        Without a post-norm, which sets the length by force.

    Returns
    -------
    ndarray, shape (3, depth, ...)
        Each relative to ‖h_l‖² over the batch, so that a block multiplies the squared
        length by the sum.

    Raises
    ------
    ValueError
        If the wiring has a post-norm.

    References
    ----------
    Taki (2017), "Deep Residual Networks and Weight Initialization", section 3.
    Derived in notebooks/03_signal_at_depth.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> silent = [backprop.random_branch(rng, width=4, gain=0)]
    >>> variance_ledger(silent, rng.normal(size=(2, 4)), Wiring(a=0.5)).ravel()
    array([0.25, 0.  , 0.  ])
    """
    if wiring.norm == "post":
        raise ValueError(f"a ledger needs a wiring without a post-norm, got {wiring}")
    h, rows = x, []
    for branch in branches:
        after, _ = backprop.forward([branch], h, wiring)
        shortcut = wiring.a * h
        step = after - shortcut  # b·F, with whatever norm comes before F
        terms = (shortcut**2, step**2, 2 * shortcut * step)
        size = (h**2).sum((-2, -1))
        size = np.where(size == 0, 1, size)  # a stream that is 0 stays 0
        rows.append([term.sum((-2, -1)) / size for term in terms])
        h = after
    return np.moveaxis(np.array(rows), 1, 0)


def cosines(branches, x, wiring: Wiring):
    """Measure how alike the first two examples are before each block.

    Parameters
    ----------
    branches : sequence of backprop.Branch or backprop.Gated
        May hold seeds on a leading axis.
    x : ndarray, shape (..., batch, width)
        At least two examples.
    wiring : Wiring

    Returns
    -------
    ndarray, shape (depth + 1, ...)
        Cosine of the angle between the two streams; 1 where they point the same way, 0
        where one of them is 0.

    References
    ----------
    Poole et al. (2016), "Exponential expressivity in deep neural networks through transient
    chaos", eq. 4. Derived in notebooks/03_signal_at_depth.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> silent = [backprop.random_branch(rng, width=2, gain=0)]
    >>> cosines(silent, np.array([[1.0, 0.0], [1.0, 1.0]]), Wiring()).round(3)
    array([0.707, 0.707])
    """
    found, h = [], x
    # None stands for the input, before any block
    for branch in [None, *branches]:
        if branch is not None:
            h, _ = backprop.forward([branch], h, wiring)
        length = np.linalg.norm(h, axis=-1, keepdims=True)
        unit = h / np.where(length == 0, 1, length)
        found.append((unit[..., 0, :] * unit[..., 1, :]).sum(-1))
    return np.stack(found)


def dilution(branches, x, wiring: Wiring):
    """Measure what the shortcuts bring of the input, and how far each block turns the stream.

    Parameters
    ----------
    branches : sequence of backprop.Branch or backprop.Gated
        May hold seeds on a leading axis.
    x : ndarray, shape (..., batch, width)
    wiring : Wiring

    Returns
    -------
    left : ndarray, shape (depth + 1, ...)
        ‖c·x‖² / ‖h_l‖², where c·x has come along the shortcuts alone, through a norm on the
        trunk as well.
    turned : ndarray, shape (depth, ...)
        One minus the squared cosine between h_l and h_(l+1).

    References
    ----------
    Derived in notebooks/10_norm_placement.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> silent = [backprop.random_branch(rng, width=4, gain=0) for _ in range(2)]
    >>> left, turned = dilution(silent, rng.normal(size=(2, 4)), Wiring(a=0.5, norm="pre"))
    >>> left, abs(turned).max().round(6)
    (array([1., 1., 1.]), np.float64(0.0))
    """

    def product(one, other):
        return (one * other).sum((-2, -1))

    h, carried, left, turned = x, x, [np.ones(x.shape[:-2])], []
    for branch in branches:
        before, (h, caches) = h, backprop.forward([branch], h, wiring)
        carried = wiring.a * carried
        if wiring.norm == "post":
            carried = carried * caches[0][-1][1]  # the norm divides all that is in the stream
        left.append(product(carried, carried) / product(h, h))
        # sin² of the angle between before and after: a pure stretch turns nothing
        cosine2 = product(before, h) ** 2 / (product(before, before) * product(h, h))
        turned.append(1 - cosine2)
    return np.stack(left), np.stack(turned)
