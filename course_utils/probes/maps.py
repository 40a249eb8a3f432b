"""A net as a map: where it sends points, and how it stretches their surroundings."""

import numpy as np


def grid_lines(lines=9, points=21, x_max=1.6, y_max=1.1):
    """Lay a grid of horizontal and vertical lines over a rectangle around 0.

    Parameters
    ----------
    lines : int
        Lines in each direction.
    points : int
        Points on each line.
    x_max, y_max : float
        Half the width and half the height.

    Returns
    -------
    ndarray, shape (2 * lines, points, 2)

    Examples
    --------
    >>> grid_lines(lines=3, points=5).shape
    (6, 5, 2)
    """
    x, y = np.linspace(-x_max, x_max, lines), np.linspace(-y_max, y_max, lines)
    fine_x, fine_y = np.linspace(-x_max, x_max, points), np.linspace(-y_max, y_max, points)
    # each line runs along one axis, at a constant place on the other
    horizontal = np.stack(np.broadcast_arrays(fine_x, y[:, None]), -1)
    vertical = np.stack(np.broadcast_arrays(x[:, None], fine_y), -1)
    return np.concatenate([horizontal, vertical])


def output(net, x):
    """Run a network on an array, without gradients.

    Parameters
    ----------
    net : nn.Module
        Maps (..., d_in) to (..., d_out).
    x : ndarray, shape (..., d_in)
        Of the network's own precision.

    Returns
    -------
    ndarray, shape (..., d_out)

    Examples
    --------
    >>> import torch
    >>> output(torch.nn.Identity(), np.ones((2, 3))).shape
    (2, 3)
    """
    import torch  # here, so that what needs NumPy alone does not wait for it

    with torch.no_grad():
        return net(torch.from_numpy(x)).numpy()


def jacobian(net, x):
    """Measure ∂net/∂x at one point by autograd.

    Parameters
    ----------
    net : callable
        Maps a vector, shape (d_in,), to a vector, shape (d_out,).
    x : Tensor, shape (d_in,)

    Returns
    -------
    ndarray, shape (d_out, d_in)
        Row i is the gradient of output i.

    References
    ----------
    Derived in notebooks/00_start_here.ipynb.

    Examples
    --------
    >>> import torch
    >>> jacobian(lambda x: 3 * x, torch.ones(2))
    array([[3., 0.],
           [0., 3.]], dtype=float32)
    """
    import torch

    return torch.autograd.functional.jacobian(net, x).detach().numpy()


def jacobian_by_differences(f, x, eps=1e-6):
    """Measure ∂f/∂x at one point by central differences.

    Column j is (f(x + eps·e_j) − f(x − eps·e_j)) / (2 eps), with an error of order eps².

    Parameters
    ----------
    f : callable
        Maps an array, shape (d_in,), to an array, shape (d_out,).
    x : ndarray, shape (d_in,)
        In float64; left unchanged.
    eps : float

    Returns
    -------
    ndarray, shape (d_out, d_in)

    References
    ----------
    Derived in notebooks/00_start_here.ipynb.

    Examples
    --------
    >>> jacobian_by_differences(lambda x: x**2, np.array([1.0, 2.0])).round(6)
    array([[2., 0.],
           [0., 4.]])
    """
    steps = eps * np.eye(len(x))  # row j moves x_j alone
    columns = [(np.asarray(f(x + step)) - np.asarray(f(x - step))) / (2 * eps) for step in steps]
    return np.stack(columns, axis=-1)
