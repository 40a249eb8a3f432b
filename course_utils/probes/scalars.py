"""Nets of one number: what a step of gradient descent makes of a single weight."""

import numpy as np


def descent(learning_rate, curvature=1.0, start=1.0, steps=30):
    """Follow gradient descent on L(w) = ½ c w².

    Each step is w ← w − η c w. Lesson 00 derives w = (1 − η c)^t · start after t of them.

    Parameters
    ----------
    learning_rate : float
        η.
    curvature : float
        c.
    start : float
    steps : int

    Returns
    -------
    ndarray, shape (steps + 1,)
        w before the first step and after each one.

    Examples
    --------
    >>> descent(0.5, steps=3)
    array([1.   , 0.5  , 0.25 , 0.125])
    """
    path = [start]
    for _ in range(steps):
        slope = curvature * path[-1]
        path.append(path[-1] - learning_rate * slope)
    return np.array(path)
