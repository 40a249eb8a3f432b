"""The backward pass of a batch norm of images."""

import numpy as np


def norm_backward(
    x, gamma, dy, eps, axes=(0, 2), through_mean=True, through_variance=True, ddof=0, root=None
):
    """Compute ∂L/∂x of y = γ (x − mean)/√(variance + eps); the options make the mistakes.

    Parameters
    ----------
    x, dy : ndarray, shape (batch, channels, pixels)
    gamma : ndarray, shape (channels,)
    eps : float
    axes : tuple of int or None
        What mean and variance run over.
    through_mean, through_variance : bool
        Whether each brings its term.
    ddof : int
        What the variance's divisor lacks.
    root : callable, optional
        Maps variance and eps to what x is divided by.

    Returns
    -------
    ndarray, shape (batch, channels, pixels)
    """
    count = np.prod([x.shape[axis] for axis in axes])
    d = gamma[:, None] * dy
    variance = x.var(axes, keepdims=True, ddof=ddof)
    scale = 1 / (np.sqrt(variance + eps) if root is None else root(variance, eps))
    y = (x - x.mean(axes, keepdims=True)) * scale
    dx = d.copy()
    if through_mean:
        dx -= d.mean(axes, keepdims=True)
    if through_variance:
        dx -= y * (d * y).sum(axes, keepdims=True) / (count - ddof)
    return dx * scale
