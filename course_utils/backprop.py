"""The backward passes that the lessons derive by hand, in NumPy.

A leading axis of every array may hold seeds: matrix products act on the last two
axes, so many networks are one batched tensor. float32 stays float32.
"""

from typing import NamedTuple

import numpy as np

from course_utils.wiring import Wiring


class Branch(NamedTuple):
    """Hold the weights of F(x) = W2 relu(W1 x + c1) + c2, or their gradients.

    Attributes
    ----------
    W1 : ndarray, shape (..., hidden, width)
    c1 : ndarray, shape (..., hidden)
    W2 : ndarray, shape (..., width, hidden)
    c2 : ndarray, shape (..., width)
    """

    W1: np.ndarray
    c1: np.ndarray
    W2: np.ndarray
    c2: np.ndarray


def random_branch(rng, width, hidden=None, gain=1.0, seeds=()):
    """Draw the weights of one branch.

    Parameters
    ----------
    rng : numpy.random.Generator
    width : int
    hidden : int, optional
        `width` if not given.
    gain : float
        1 makes F(x) as long as x on average; W2 is multiplied by it.
    seeds : tuple of int
        Leading axes, such as ``(3,)`` for three networks at once.

    Returns
    -------
    Branch
        In float64; the biases are 0.

    Examples
    --------
    >>> random_branch(np.random.default_rng(0), width=4, hidden=8, seeds=(3,)).W1.shape
    (3, 8, 4)
    """
    hidden = hidden or width
    W1 = rng.normal(size=(*seeds, hidden, width)) / width**0.5
    W2 = rng.normal(size=(*seeds, width, hidden)) * gain * (2 / hidden) ** 0.5
    return Branch(W1, np.zeros((*seeds, hidden)), W2, np.zeros((*seeds, width)))


def branch_forward(branch, x):
    """Compute F(x) and keep what the backward pass needs.

    Parameters
    ----------
    branch : Branch
    x : ndarray, shape (..., batch, width)

    Returns
    -------
    F : ndarray, shape (..., batch, width)
    cache : tuple
        x and z = W1 x + c1.

    References
    ----------
    Derived in notebooks/02_chain_rule.ipynb.

    Examples
    --------
    >>> branch = random_branch(np.random.default_rng(0), width=4)
    >>> branch_forward(branch, np.zeros((2, 4)))[0]
    array([[0., 0., 0., 0.],
           [0., 0., 0., 0.]])
    """
    z = x @ branch.W1.mT + branch.c1[..., None, :]
    return np.maximum(z, 0) @ branch.W2.mT + branch.c2[..., None, :], (x, z)


def branch_backward(branch, cache, dF):
    """Send a gradient back through F.

    Parameters
    ----------
    branch : Branch
    cache : tuple
        From `branch_forward`.
    dF : ndarray, shape (..., batch, width)
        ∂L/∂F, one row per example.

    Returns
    -------
    dx : ndarray, shape (..., batch, width)
        J_Fᵀ ∂L/∂F for each row.
    gradients : Branch
        ∂L/∂W1, ∂L/∂c1, ∂L/∂W2, ∂L/∂c2, summed over the batch.

    References
    ----------
    Derived in notebooks/02_chain_rule.ipynb.

    Examples
    --------
    >>> branch = random_branch(np.random.default_rng(0), width=4)
    >>> _, cache = branch_forward(branch, np.ones((2, 4)))
    >>> dx, gradients = branch_backward(branch, cache, np.ones((2, 4)))
    >>> dx.shape, gradients.W1.shape
    ((2, 4), (4, 4))
    """
    x, z = cache
    dW2 = dF.mT @ np.maximum(z, 0)
    dz = (dF @ branch.W2) * (z > 0)  # relu'(z) is 1 or 0
    return dz @ branch.W1, Branch(dz.mT @ x, dz.sum(-2), dW2, dF.sum(-2))


def forward(branches, x, wiring: Wiring):
    """Run a stack of blocks h ← a·h + b·F(h).

    Parameters
    ----------
    branches : sequence of Branch
    x : ndarray, shape (..., batch, width)
    wiring : Wiring
        Without a norm.

    Returns
    -------
    H : ndarray, shape (..., batch, width)
    caches : list of tuple
        For `backward`; entry l starts with the stream h_l before block l.

    Raises
    ------
    ValueError
        If the wiring has a norm.

    References
    ----------
    He et al. (2016), "Identity Mappings in Deep Residual Networks", eq. 4.
    Derived in notebooks/02_chain_rule.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> branches = [random_branch(rng, width=4, gain=0) for _ in range(5)]
    >>> x = rng.normal(size=(2, 4))
    >>> H, caches = forward(branches, x, Wiring())
    >>> np.array_equal(H, x), len(caches)
    (True, 5)
    """
    _refuse_norm(wiring)
    h, caches = x, []
    for branch in branches:
        F, cache = branch_forward(branch, h)
        h = wiring.a * h + wiring.b * F
        caches.append(cache)
    return h, caches


def backward(branches, caches, dH, wiring: Wiring):
    """Send a gradient back through a stack of blocks.

    In each block ∂L/∂h = a·∂L/∂H + b·J_Fᵀ ∂L/∂H: the shortcut passes the gradient on,
    the branch adds its share.

    Parameters
    ----------
    branches : sequence of Branch
    caches : list of tuple
        From `forward`.
    dH : ndarray, shape (..., batch, width)
        ∂L/∂H at the output of the stack.
    wiring : Wiring
        That of the forward pass.

    Returns
    -------
    stream : list of ndarray, each of shape (..., batch, width)
        ∂L/∂h_l for l = 0 … depth; entry 0 belongs to the input, the last is `dH`.
    gradients : list of Branch
        One for each block.

    Raises
    ------
    ValueError
        If the wiring has a norm.

    References
    ----------
    He et al. (2016), "Identity Mappings in Deep Residual Networks", eq. 5.
    Derived in notebooks/02_chain_rule.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> branches = [random_branch(rng, width=4, gain=0) for _ in range(5)]
    >>> _, caches = forward(branches, rng.normal(size=(2, 4)), Wiring())
    >>> stream, _ = backward(branches, caches, np.ones((2, 4)), Wiring())
    >>> stream[0]
    array([[1., 1., 1., 1.],
           [1., 1., 1., 1.]])
    """
    _refuse_norm(wiring)
    stream, gradients = [dH], []
    for branch, cache in zip(reversed(branches), reversed(caches), strict=True):
        dx, gradient = branch_backward(branch, cache, wiring.b * dH)
        dH = wiring.a * dH + dx
        stream.insert(0, dH)
        gradients.insert(0, gradient)
    return stream, gradients


def _refuse_norm(wiring):
    if wiring.norm != "none":
        raise ValueError(f"backprop has no norm yet, got {wiring}")
