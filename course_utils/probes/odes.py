"""A stack as Euler's method: blocks h ← h + f(h)·dt follow the flow dh/dt = f(h)."""

import numpy as np


def flow(x, W, dt, c=0.0):
    """Follow points through blocks h ← h + tanh(W_l h + c_l)·dt, which are Euler's steps.

    Parameters
    ----------
    x : ndarray, shape (..., points, n)
    W : ndarray, shape (depth, ..., n, n)
        One matrix for each block, all equal where blocks share their weights; may hold seeds on
        axes between.
    dt : float
        1/depth follows dh/dt = tanh(W h + c) from time 0 to 1.
    c : float or ndarray, shape (n,) or (depth, ..., 1, n)

    Returns
    -------
    ndarray, shape (depth + 1, ..., points, n)
        The points before the first block and after each one.

    References
    ----------
    Haber and Ruthotto (2017), "Stable Architectures for Deep Neural Networks", section 2.
    Derived in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> flow(np.zeros((1, 2)), np.zeros((2, 2, 2)), dt=0.5, c=np.array([9.0, -9.0]))[:, 0].round(3)
    array([[ 0. ,  0. ],
           [ 0.5, -0.5],
           [ 1. , -1. ]])
    """
    c = np.asarray(c, float)
    path = [np.broadcast_to(x, np.broadcast_shapes(x.shape, (*W.shape[1:-2], 1, 1)))]
    # Euler: the slope at the start of a step is taken for the whole of it
    for index, block in enumerate(W):
        z = path[-1] @ block.mT + (c[index] if c.ndim > 1 else c)
        path.append(path[-1] + dt * np.tanh(z))
    return np.stack(path)


def exact_flow(x, f, time=1.0, steps=64):
    """Follow dh/dt = f(h) so closely that nothing of the error shows.

    The classical Runge-Kutta method: its error falls like 1/steps⁴, that of Euler's like 1/steps.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        h at time 0.
    f : callable
        Maps h to an array of its shape.
    time : float
    steps : int

    Returns
    -------
    ndarray, shape (steps + 1, ..., n)

    References
    ----------
    Chen et al. (2018), "Neural Ordinary Differential Equations", eq. 2.
    Used in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> float(exact_flow(np.ones(1), lambda h: h)[-1, 0].round(6))
    2.718282
    """
    path, dt = [x], time / steps
    for _ in range(steps):
        h = path[-1]
        # slopes at the start, twice in the middle, and at the end; weighed as in Simpson's rule
        k1 = f(h)
        k2 = f(h + dt / 2 * k1)
        k3 = f(h + dt / 2 * k2)
        k4 = f(h + dt * k3)
        path.append(h + dt / 6 * (k1 + 2 * k2 + 2 * k3 + k4))
    return np.stack(path)
