"""Stacks of two-layer branches, block by block."""

from functools import partial

from course_utils.backprop.branches import branch_backward, branch_forward
from course_utils.backprop.joined import joined_backward, joined_forward
from course_utils.backprop.norms import layer_norm_backward, layer_norm_forward
from course_utils.wiring import Wiring


def forward(branches, x, wiring: Wiring):
    """Run a stack of blocks h ← a·h + b·F(norm(h)).

    Parameters
    ----------
    branches : sequence of Branch or Gated
    x : ndarray, shape (..., batch, width)
    wiring : Wiring
        Its norm is `layer_norm_forward`.

    Returns
    -------
    H : ndarray, shape (..., batch, width)
    caches : list of tuple
        For `backward`; entry l starts with what branch l was given: the stream h_l before
        block l or, with a norm before it, norm(h_l).

    Raises
    ------
    ValueError
        If the wiring has two norms.

    References
    ----------
    He et al. (2016), "Identity Mappings in Deep Residual Networks", eq. 4.
    Derived in notebooks/02_chain_rule.ipynb.

    Examples
    --------
    >>> import numpy as np
    >>> from course_utils.backprop import random_branch
    >>> rng = np.random.default_rng(0)
    >>> branches = [random_branch(rng, width=4, gain=0) for _ in range(5)]
    >>> x = rng.normal(size=(2, 4))
    >>> H, caches = forward(branches, x, Wiring())
    >>> np.array_equal(H, x), len(caches)
    (True, 5)
    """
    h, caches = x, []
    for branch in branches:
        run = partial(branch_forward, branch)
        h, cache, norm = joined_forward(h, run, wiring, layer_norm_forward)
        caches.append(cache if norm is None else (*cache, norm))
    return h, caches


def backward(branches, caches, dH, wiring: Wiring):
    """Send a gradient back through a stack of blocks.

    In each block ∂L/∂h = a·∂L/∂H + b·J_Fᵀ ∂L/∂H: the shortcut passes the gradient on,
    the branch adds its share.

    Parameters
    ----------
    branches : sequence of Branch or Gated
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
    gradients : list of Branch or Gated
        One for each block.

    References
    ----------
    He et al. (2016), "Identity Mappings in Deep Residual Networks", eq. 5.
    Derived in notebooks/02_chain_rule.ipynb.

    Examples
    --------
    >>> import numpy as np
    >>> from course_utils.backprop import random_branch
    >>> rng = np.random.default_rng(0)
    >>> branches = [random_branch(rng, width=4, gain=0) for _ in range(5)]
    >>> _, caches = forward(branches, rng.normal(size=(2, 4)), Wiring())
    >>> stream, _ = backward(branches, caches, np.ones((2, 4)), Wiring())
    >>> stream[0]
    array([[1., 1., 1., 1.],
           [1., 1., 1., 1.]])
    """
    stream, gradients = [dH], []
    for branch, cache in zip(reversed(branches), reversed(caches), strict=True):
        run_back = partial(branch_backward, branch, cache)
        norm_back = partial(_norm_back, cache[-1])
        dH, gradient, _ = joined_backward(dH, run_back, wiring, norm_back)
        stream.insert(0, dH)
        gradients.insert(0, gradient)
    return stream, gradients


def _norm_back(cache, dy):
    return layer_norm_backward(cache, dy), None  # this norm has no weights
