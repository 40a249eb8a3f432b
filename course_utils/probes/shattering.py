"""How alike the gradients at two inputs are, and how depth pulls them apart."""

import numpy as np

from course_utils.wiring import Wiring


def input_gradients(branches, h, readout, wiring: Wiring, batch_norm=False):
    """Measure ∂y/∂h at many inputs h, for the number y = readout · H at the end of a stack.

    Parameters
    ----------
    branches : sequence of backprop.Branch
        May hold seeds on a leading axis.
    h : ndarray, shape (..., points, width)
        The stream before the first block.
    readout : ndarray, shape (..., 1, width)
    wiring : Wiring
        Without a norm.
    batch_norm : bool
        Give W1 h + c1 the mean 0 and the variance 1 over the points before the ReLU. The
        gradient is the slope of y at fixed mean and variance.

    Returns
    -------
    ndarray, shape (..., points, width)

    Raises
    ------
    ValueError
        If the wiring has a norm.

    References
    ----------
    Balduzzi et al. (2017), "The Shattered Gradients Problem", figure 1, for such a line.
    Derived in notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> from course_utils import backprop
    >>> rng = np.random.default_rng(0)
    >>> silent = [backprop.random_branch(rng, width=2, gain=0) for _ in range(3)]
    >>> input_gradients(silent, np.ones((1, 2)), np.array([[8.0, 16.0]]), Wiring(a=0.5))
    array([[1., 2.]])
    """
    if wiring.norm != "none":
        raise ValueError(f"a wiring without a norm is needed, got {wiring}")
    slopes = []
    for branch in branches:
        z = h @ branch.W1.mT + branch.c1[..., None, :]
        scale = 1
        if batch_norm:
            z = z - z.mean(-2, keepdims=True)
            # the 1e-5 in z's own precision, so that float32 stays float32
            scale = 1 / np.sqrt((z**2).mean(-2, keepdims=True) + z.dtype.type(1e-5))
            z *= scale
        slopes.append((z > 0) * scale)  # of ReLU, and of the norm at fixed mean and variance
        F = np.maximum(z, 0) @ branch.W2.mT + branch.c2[..., None, :]
        h = wiring.a * h + wiring.b * F
    # ∂y/∂h_l = a·∂y/∂h_(l+1) + b·(W2 diag(slope) W1)ᵀ ∂y/∂h_(l+1), from the last block on
    gradient = np.broadcast_to(readout, h.shape)
    for branch, slope in zip(branches[::-1], slopes[::-1], strict=True):
        back = (gradient @ branch.W2 * slope).astype(h.dtype, copy=False) @ branch.W1
        gradient = wiring.a * gradient + wiring.b * back
    return gradient


def pair_cosines(vectors):
    """Measure how alike every two of many vectors are.

    Parameters
    ----------
    vectors : ndarray, shape (..., points, width)

    Returns
    -------
    ndarray, shape (..., points, points)
        Cosines; 0 where one of the two vectors is 0.

    References
    ----------
    Used in notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> pair_cosines(np.array([[1.0, 0.0], [0.0, 2.0]]))
    array([[1., 0.],
           [0., 1.]])
    """
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    unit = vectors / np.where(length == 0, 1, length)
    return unit @ unit.mT


def by_lag(pairs):
    """Average over all pairs of points that are equally far apart on a line.

    Parameters
    ----------
    pairs : ndarray, shape (..., points, points)
        One number for each pair, such as from `pair_cosines`.

    Returns
    -------
    ndarray, shape (points, ...)
        Entry k is the mean over the pairs (i, i + k).

    References
    ----------
    Used in notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> by_lag(np.array([[1.0, 0.5, 0.0], [0.5, 1.0, 0.3], [0.0, 0.3, 1.0]]))
    array([1. , 0.4, 0. ])
    """
    # the k-th diagonal holds the pairs (i, i + k)
    return np.stack([pairs.diagonal(k, -2, -1).mean(-1) for k in range(pairs.shape[-1])])


def autocorrelation(series, centred=True):
    """Measure how a series of numbers correlates with itself, lag by lag.

    r_k = mean_i g_i g_(i+k) / mean_i g_i², the first mean over the points − k pairs there are.

    Parameters
    ----------
    series : ndarray, shape (..., points)
    centred : bool
        Take the mean of each series away first, as is usual. On a short line that takes a part
        of a slow series for its mean: its long lags then come out near 0 or below.

    Returns
    -------
    ndarray, shape (points, ...)
        1 at lag 0.

    References
    ----------
    Balduzzi et al. (2017), "The Shattered Gradients Problem", figure 1.
    Used in notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> autocorrelation(np.array([1.0, -1.0, 1.0, -1.0]))
    array([ 1., -1.,  1., -1.])
    """
    g = series - series.mean(-1, keepdims=True) if centred else series
    return by_lag(g[..., :, None] * g[..., None, :]) / (g**2).mean(-1)


def wide_cosines(c, depth, wiring: Wiring):
    """Predict how alike two streams and their gradients are in a stack of very wide blocks.

    Two streams at the angle θ = arccos c have (1 − θ/π)/2 of the ReLUs open in common. So a
    branch of `backprop.random_branch` hands on the part 1 − θ/π of what two gradients have in
    common, and the cosine c of two streams becomes (sin θ + (π − θ) c)/π. A block takes the
    means of shortcut and branch, with the weights a² and b².

    Parameters
    ----------
    c : float or ndarray
        Cosine between the two inputs of the stack.
    depth : int
    wiring : Wiring
        Without a norm.

    Returns
    -------
    stream : ndarray, shape (depth + 1, *c.shape)
        Cosine between the two streams before each block and at the end.
    gradient : ndarray, shape (depth + 1, *c.shape)
        Entry l is the cosine between ∂y/∂h at the two inputs of a stack of l blocks.

    Raises
    ------
    ValueError
        If the wiring has a norm.

    References
    ----------
    Cho and Saul (2009), "Kernel Methods for Deep Learning", eq. 6, for the streams; Balduzzi et
    al. (2017), "The Shattered Gradients Problem", for 1 − θ/π = 1/2 in every block.
    Derived in notebooks/08_shattered_gradients.ipynb.

    Examples
    --------
    >>> stream, gradient = wide_cosines(0.0, 2, Wiring(a=0))
    >>> stream.round(3), gradient.round(3)
    (array([0.   , 0.318, 0.494]), array([1.   , 0.5  , 0.302]))
    """
    if wiring.norm != "none":
        raise ValueError(f"a wiring without a norm is needed, got {wiring}")
    a2, b2 = wiring.a**2, wiring.b**2
    whole = (a2 + b2) or 1.0  # a silent block: both cosines are 0
    stream = [np.clip(np.asarray(c, float), -1, 1)]
    gradient = [np.ones_like(stream[0])]
    for _ in range(depth):
        # of two ReLUs' outputs (Cho and Saul), which the shortcut mixes with what it had
        angle = np.arccos(stream[-1])
        after = (np.sin(angle) + (np.pi - angle) * stream[-1]) / np.pi
        stream.append(np.clip((a2 * stream[-1] + b2 * after) / whole, -1, 1))
        gradient.append(gradient[-1] * (a2 + b2 * (1 - angle / np.pi)) / whole)
    return np.array(stream), np.array(gradient)
