"""A stack as a sum over paths: through each block a path takes the shortcut or the branch."""

import numpy as np


def path_length_shares(depth, gain):
    """Compute how the squared length divides over path lengths, for random branches.

    There are C(L, k) paths with k branches, and each has the squared gain g^(2k). Different
    paths have nothing in common on average, so the share of length k is
    C(L, k) g^(2k) / (1 + g²)^L: each block tosses a coin that shows g² / (1 + g²).

    Parameters
    ----------
    depth : int
        L, the number of blocks.
    gain : float
        g: a branch multiplies the squared length by g² on average.

    Returns
    -------
    ndarray, shape (depth + 1,)

    References
    ----------
    Veit et al. (2016), "Residual Networks Behave Like Ensembles of Relatively Shallow
    Networks", section 5, for the binomial. Derived in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> path_length_shares(2, 1.0)
    array([0.25, 0.5 , 0.25])
    """
    # (1 − p + p·t)^L, multiplied out one block at a time: the entry k is the factor of t^k
    coin = gain**2 / (1 + gain**2)
    shares = np.ones(1)
    for _ in range(depth):
        shares = (1 - coin) * np.append(shares, 0) + coin * np.append(0, shares)
    return shares


def squares_by_length(M, v):
    """Measure what all paths of each length make of a vector, after each block.

    Let v_k be the sum over the paths with k branches. A block h ← h + M h takes it to
    v_k + M v_(k−1).

    Parameters
    ----------
    M : ndarray, shape (depth, ..., n, n)
        The branches, linear; may hold seeds on axes between.
    v : ndarray, shape (..., n)

    Returns
    -------
    ndarray, shape (depth + 1, depth + 1, ...)
        ‖v_k‖² in row l, column k, after l blocks.

    References
    ----------
    Derived in notebooks/07_many_paths.ipynb.

    Examples
    --------
    >>> squares_by_length(np.ones((2, 1, 1)), np.ones(1))  # 1, 2 and 1 paths, squared
    array([[1., 0., 0.],
           [1., 1., 0.],
           [1., 4., 1.]])
    """
    parts = np.zeros((len(M) + 1, *v.shape))
    parts[0] = v
    found = [(parts**2).sum(-1)]
    for block in M:
        # the right side is read whole before the left one changes: v_k + M v_(k−1)
        parts[1:] += np.einsum("...ij,k...j->k...i", block, parts[:-1])
        found.append((parts**2).sum(-1))
    return np.stack(found)


def path_shares(stack, x, dH, longest=60):
    """Split the gradient at the input of a deep stack by the length of its paths.

    On its way back through h ← a·h + b·gate·relu(W h + c) a gradient takes the shortcut or the
    branch, in every block. A path's length is the number of branches that it passes.

    Parameters
    ----------
    stack : blocks.DeepStack
        With ReLU and without a norm.
    x : Tensor, shape (batch, width)
    dH : Tensor, shape (batch, width)
        ∂L/∂H at the output.
    longest : int
        Longer paths are left out.

    Returns
    -------
    ndarray, shape (longest + 1,)
        What the paths of length 0, 1, … add to ∂L/∂x along its own direction; together 1 if the
        paths left out carry nothing.

    Raises
    ------
    ValueError
        If the stack has a norm, or another activation than ReLU.

    References
    ----------
    Veit et al. (2016), "Residual Networks Behave Like Ensembles of Relatively Shallow Networks",
    section 4.3, on single sampled paths; here all of them are summed.
    Derived in notebooks/06_thousand_layers.ipynb.

    Examples
    --------
    >>> import torch
    >>> from course_utils.blocks import DeepStack
    >>> from course_utils.wiring import Wiring
    >>> x = torch.ones(2, 4)
    >>> path_shares(DeepStack(100, 4, Wiring(), gate=0.0), x, x, longest=2)
    array([1., 0., 0.])
    """
    wiring = stack.wiring
    if wiring.norm != "none" or stack.activation != "relu":
        raise ValueError(f"ReLUs without a norm are needed, got {stack.activation} and {wiring}")
    layers, h, dH = (t.detach().double().numpy() for t in (stack.layers, x, dH))
    gates = np.ones((len(layers), 1))
    if stack.gate is not None:
        gates = stack.gate.detach().double().numpy()
    slopes = []  # of the branches: their part of the Jacobian is diag(slope) W
    for layer, gate in zip(layers, gates, strict=True):
        z = h @ layer[:, :-1].T + layer[:, -1]
        slopes.append(wiring.b * gate * (z > 0))
        h = wiring.a * h + wiring.b * gate * np.maximum(z, 0)
    parts, whole = np.zeros((longest + 1, *h.shape)), dH  # whole: by backpropagation
    parts[0] = dH
    # from the output back: the shortcut keeps a path's length, the branch adds 1
    for layer, slope in zip(layers[::-1], slopes[::-1], strict=True):
        through = (parts[:-1] * slope) @ layer[:, :-1]
        parts *= wiring.a
        parts[1:] += through
        whole = wiring.a * whole + (whole * slope) @ layer[:, :-1]
    return (parts * whole).sum((1, 2)) / (whole**2).sum()
