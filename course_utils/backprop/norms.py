"""Norms over the features and their backward passes."""

import numpy as np


def layer_norm_forward(h, axis=-1, eps=1e-5, out=None):
    """Compute LayerNorm without gain and bias: y = (h − mean) / √(variance + eps).

    Parameters
    ----------
    h : ndarray
    axis : int
        Where the features lie.
    eps : float
    out : ndarray, of the shape of h, optional
        Where y is written.

    Returns
    -------
    y : ndarray, of the shape of h
    cache : tuple
        y and 1/√(variance + eps).

    References
    ----------
    Ba et al. (2016), "Layer Normalization", eq. 4.
    Derived in notebooks/06_thousand_layers.ipynb.

    Examples
    --------
    >>> layer_norm_forward(np.array([[1.0, 2.0, 3.0]]))[0].round(3)
    array([[-1.225,  0.   ,  1.225]])
    """
    y = np.subtract(h, _mean(h, axis), out=out)
    scale = 1 / np.sqrt(_mean(y * y, axis) + h.dtype.type(eps))
    y *= scale
    return y, (y, scale)


def layer_norm_backward(cache, dy, axis=-1):
    """Send a gradient back through `layer_norm_forward`.

    Two directions are taken out of it, since moving h along them leaves y as it is: along
    (1, …, 1) y does not shift, along y it does not stretch.

    Parameters
    ----------
    cache : tuple
        From `layer_norm_forward`.
    dy : ndarray
        ∂L/∂y.
    axis : int

    Returns
    -------
    ndarray, of the shape of dy
        ∂L/∂h = (dy − mean(dy) − y·mean(dy·y)) / √(variance + eps).

    References
    ----------
    Xu et al. (2019), "Understanding and Improving Layer Normalization", section 3.
    Derived in notebooks/06_thousand_layers.ipynb.

    Examples
    --------
    >>> _, cache = layer_norm_forward(np.array([[1.0, 2.0, 3.0]]))
    >>> layer_norm_backward(cache, np.array([[5.0, 5.0, 5.0]]))
    array([[0., 0., 0.]])
    """
    y, scale = cache
    dh = dy - _mean(dy, axis)
    dh -= y * _mean(dy * y, axis)
    dh *= scale
    return dh


def _mean(x, axis):
    return np.add.reduce(x, axis, keepdims=True) * x.dtype.type(1 / x.shape[axis])
