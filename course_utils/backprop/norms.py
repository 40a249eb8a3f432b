"""Norms over the features and their backward passes."""

from typing import NamedTuple

import numpy as np

from course_utils.backprop.positions import rows


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
    # mean and scale are functions of h too; what comes back through them is taken off
    dh = dy - _mean(dy, axis)
    dh -= y * _mean(dy * y, axis)
    dh *= scale
    return dh


def rms_norm_forward(h, axis=-1, eps=1e-5):
    """Compute RMSNorm without gain: y = h / √(mean(h²) + eps).

    Parameters
    ----------
    h : ndarray
    axis : int
        Where the features lie.
    eps : float

    Returns
    -------
    y : ndarray, of the shape of h
    cache : tuple
        y and 1/√(mean(h²) + eps).

    References
    ----------
    Zhang and Sennrich (2019), "Root Mean Square Layer Normalization", eq. 4.
    Derived in notebooks/10_norm_placement.ipynb.

    Examples
    --------
    >>> rms_norm_forward(np.array([[3.0, 4.0]]))[0].round(3)
    array([[0.849, 1.131]])
    """
    scale = 1 / np.sqrt(_mean(h * h, axis) + h.dtype.type(eps))
    y = h * scale
    return y, (y, scale)


def rms_norm_backward(cache, dy, axis=-1):
    """Send a gradient back through `rms_norm_forward`.

    One direction is taken out of it, along y, since stretching h leaves y as it is. Unlike a
    LayerNorm it lets a shift through.

    Parameters
    ----------
    cache : tuple
        From `rms_norm_forward`.
    dy : ndarray
        ∂L/∂y.
    axis : int

    Returns
    -------
    ndarray, of the shape of dy
        ∂L/∂h = (dy − y·mean(dy·y)) / √(mean(h²) + eps).

    References
    ----------
    Zhang and Sennrich (2019), "Root Mean Square Layer Normalization", section 4.2.
    Derived in notebooks/10_norm_placement.ipynb.

    Examples
    --------
    >>> _, cache = rms_norm_forward(np.array([[3.0, 4.0]]), eps=0)
    >>> rms_norm_backward(cache, np.array([[6.0, 8.0]])).round(9)
    array([[0., 0.]])
    """
    y, scale = cache
    return (dy - y * _mean(dy * y, axis)) * scale


class LayerNorm(NamedTuple):
    """Hold the weights of y = gain ⊙ layer_norm(h) + bias, or their gradients.

    Attributes
    ----------
    gain, bias : ndarray, shape (..., width)
    """

    gain: np.ndarray
    bias: np.ndarray


class RMSNorm(NamedTuple):
    """Hold the weights of y = gain ⊙ rms_norm(h), or their gradients.

    Attributes
    ----------
    gain : ndarray, shape (..., width)
    """

    gain: np.ndarray


def norm_forward(norm, h, eps=1e-5):
    """Compute a norm with its gain and, for a LayerNorm, its bias.

    Parameters
    ----------
    norm : LayerNorm or RMSNorm
    h : ndarray, shape (..., width)
    eps : float

    Returns
    -------
    y : ndarray, of the shape of h
    cache : tuple
        That of the norm without gain.

    References
    ----------
    Ba et al. (2016), "Layer Normalization", eq. 4.
    Derived in notebooks/10_norm_placement.ipynb.

    Examples
    --------
    >>> norm = LayerNorm(gain=np.full(3, 2.0), bias=np.ones(3))
    >>> norm_forward(norm, np.array([[1.0, 2.0, 3.0]]))[0].round(3)
    array([[-1.449,  1.   ,  3.449]])
    """
    pure = layer_norm_forward if isinstance(norm, LayerNorm) else rms_norm_forward
    y, cache = pure(h, eps=eps)
    out = rows(y, norm.gain.ndim - 1) * norm.gain[..., None, :]
    if isinstance(norm, LayerNorm):
        out += norm.bias[..., None, :]
    return out.reshape(h.shape), cache


def norm_backward(norm, cache, dy):
    """Send a gradient back through `norm_forward`.

    Parameters
    ----------
    norm : LayerNorm or RMSNorm
    cache : tuple
        From `norm_forward`.
    dy : ndarray, shape (..., width)
        ∂L/∂y.

    Returns
    -------
    dh : ndarray, of the shape of dy
    gradients : LayerNorm or RMSNorm
        ∂L/∂gain = Σ dy ⊙ y and ∂L/∂bias = Σ dy, over every vector that was normalised.

    References
    ----------
    Derived in notebooks/10_norm_placement.ipynb.

    Examples
    --------
    >>> norm = LayerNorm(gain=np.full(3, 2.0), bias=np.ones(3))
    >>> _, cache = norm_forward(norm, np.array([[1.0, 2.0, 3.0]]))
    >>> norm_backward(norm, cache, np.ones((1, 3)))[1].bias
    array([1., 1., 1.])
    """
    copies = norm.gain.ndim - 1
    each = rows(dy, copies)
    dgain = (each * rows(cache[0], copies)).sum(-2)
    # y = gain ⊙ norm(h) + bias, so ∂L/∂norm(h) = gain ⊙ ∂L/∂y
    dpure = (each * norm.gain[..., None, :]).reshape(dy.shape)
    if isinstance(norm, LayerNorm):
        return layer_norm_backward(cache, dpure), LayerNorm(dgain, each.sum(-2))
    return rms_norm_backward(cache, dpure), RMSNorm(dgain)


def _mean(x, axis):
    return np.add.reduce(x, axis, keepdims=True) * x.dtype.type(1 / x.shape[axis])
