"""The root mean square of each token."""

import numpy as np


def rms(x):
    """Compute the root mean square of each row.

    Parameters
    ----------
    x : ndarray, shape (seq, d)

    Returns
    -------
    ndarray, shape (seq, 1)
    """
    return np.sqrt((x**2).mean(1, keepdims=True))
