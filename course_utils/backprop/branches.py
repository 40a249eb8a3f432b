"""A branch of two layers, with or without a gate, and its backward pass."""

from typing import NamedTuple

import numpy as np


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


class Gated(NamedTuple):
    """Hold the weights of a gated branch g ⊙ (W2 relu(W1 x + c1) + c2), or their gradients.

    Attributes
    ----------
    W1, c1, W2, c2 : ndarray
        Those of a `Branch`.
    gate : ndarray, shape (..., 1) or (..., width)
        One number for the block (SkipInit, ReZero) or one for each feature (LayerScale).

    References
    ----------
    De and Smith (2020), "Batch Normalization Biases Residual Blocks", section 4 (SkipInit);
    Bachlechner et al. (2021), "ReZero is All You Need", eq. 1; Touvron et al. (2021), "Going
    deeper with Image Transformers", eq. 4 (LayerScale).
    Derived in notebooks/06_thousand_layers.ipynb.

    Examples
    --------
    >>> branch = random_branch(np.random.default_rng(0), width=4)
    >>> F, _ = branch_forward(Gated(*branch, gate=np.zeros(1)), np.ones((2, 4)))
    >>> abs(F).max()
    np.float64(0.0)
    """

    W1: np.ndarray
    c1: np.ndarray
    W2: np.ndarray
    c2: np.ndarray
    gate: np.ndarray


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
    branch : Branch or Gated
    x : ndarray, shape (..., batch, width)

    Returns
    -------
    F : ndarray, shape (..., batch, width)
    cache : tuple
        x, z = W1 x + c1 and, where there is a gate, F without it.

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
    F = np.maximum(z, 0) @ branch.W2.mT + branch.c2[..., None, :]
    if isinstance(branch, Gated):
        return branch.gate[..., None, :] * F, (x, z, F)
    return F, (x, z)


def branch_backward(branch, cache, dF):
    """Send a gradient back through F.

    Parameters
    ----------
    branch : Branch or Gated
    cache : tuple
        From `branch_forward`.
    dF : ndarray, shape (..., batch, width)
        ∂L/∂F, one row per example.

    Returns
    -------
    dx : ndarray, shape (..., batch, width)
        J_Fᵀ ∂L/∂F for each row.
    gradients : Branch or Gated
        ∂L/∂W1, ∂L/∂c1, ∂L/∂W2, ∂L/∂c2 and, where there is a gate, ∂L/∂gate, summed over
        the batch.

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
    if isinstance(branch, Gated):
        dgate = (dF * cache[2]).sum(-2)
        if branch.gate.shape[-1] == 1:  # one number meets every feature
            dgate = dgate.sum(-1, keepdims=True)
        dF = branch.gate[..., None, :] * dF
        dx, gradients = branch_backward(Branch(*branch[:4]), cache, dF)
        return dx, Gated(*gradients, dgate)
    x, z = cache[:2]
    dW2 = dF.mT @ np.maximum(z, 0)
    dz = (dF @ branch.W2) * (z > 0)  # relu'(z) is 1 or 0
    return dz @ branch.W1, Branch(dz.mT @ x, dz.sum(-2), dW2, dF.sum(-2))
