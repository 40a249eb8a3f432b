"""Maps that treat every position alike: all vectors of a batch lie in one matrix.

Weights may have leading axes for copies, such as seeds; those of x start with the same ones,
and the others between them and the features are positions.
"""

from course_utils.backprop.branches import branch_backward, branch_forward


def rows(x, copies):
    """Lay all vectors of each copy into one matrix.

    Parameters
    ----------
    x : ndarray, shape (*copies, ..., width)
    copies : int
        How many leading axes hold copies.

    Returns
    -------
    ndarray, shape (*copies, positions, width)

    Examples
    --------
    >>> import numpy as np
    >>> rows(np.ones((3, 4, 5, 6)), 1).shape
    (3, 20, 6)
    """
    return x.reshape(*x.shape[:copies], -1, x.shape[-1])


def linear_forward(W, c, x):
    """Compute y = W x + c at every position.

    Parameters
    ----------
    W : ndarray, shape (*copies, d_out, d_in)
    c : ndarray, shape (*copies, d_out)
    x : ndarray, shape (*copies, ..., d_in)

    Returns
    -------
    ndarray, shape (*copies, ..., d_out)

    Examples
    --------
    >>> import numpy as np
    >>> linear_forward(np.ones((2, 3)), np.ones(2), np.ones((5, 7, 3))).shape
    (5, 7, 2)
    """
    y = rows(x, c.ndim - 1) @ W.mT + c[..., None, :]
    return y.reshape(*x.shape[:-1], -1)


def linear_backward(W, x, dy):
    """Send a gradient back through `linear_forward`.

    Parameters
    ----------
    W : ndarray, shape (*copies, d_out, d_in)
    x : ndarray, shape (*copies, ..., d_in)
        What `linear_forward` was given.
    dy : ndarray, shape (*copies, ..., d_out)
        ∂L/∂y.

    Returns
    -------
    dx : ndarray, of the shape of x
        Wᵀ ∂L/∂y.
    dW, dc : ndarray
        ∂L/∂W = Σ ∂L/∂y xᵀ and ∂L/∂c = Σ ∂L/∂y, over all positions.

    Examples
    --------
    >>> import numpy as np
    >>> dx, dW, dc = linear_backward(np.ones((2, 3)), np.ones((5, 7, 3)), np.ones((5, 7, 2)))
    >>> dx.shape, dW[0], dc
    ((5, 7, 3), array([35., 35., 35.]), array([35., 35.]))
    """
    copies = W.ndim - 2
    x_rows, dy_rows = rows(x, copies), rows(dy, copies)
    return (dy_rows @ W).reshape(x.shape), dy_rows.mT @ x_rows, dy_rows.sum(-2)


def feed_forward(branch, x):
    """Compute F(x) = W2 relu(W1 x + c1) + c2 at every position.

    Parameters
    ----------
    branch : Branch or Gated
    x : ndarray, shape (*copies, ..., width)

    Returns
    -------
    F : ndarray, of the shape of x
    cache : tuple
        For `feed_backward`.

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", eq. 2.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> import numpy as np
    >>> from course_utils.backprop import random_branch
    >>> branch = random_branch(np.random.default_rng(0), width=4, hidden=16)
    >>> feed_forward(branch, np.ones((2, 5, 4)))[0].shape
    (2, 5, 4)
    """
    F, cache = branch_forward(branch, rows(x, branch.c1.ndim - 1))
    return F.reshape(x.shape), cache


def feed_backward(branch, cache, dF):
    """Send a gradient back through `feed_forward`.

    Parameters
    ----------
    branch : Branch or Gated
    cache : tuple
        From `feed_forward`.
    dF : ndarray, shape (*copies, ..., width)

    Returns
    -------
    dx : ndarray, of the shape of dF
    gradients : Branch or Gated
        Summed over all positions.

    References
    ----------
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> import numpy as np
    >>> from course_utils.backprop import random_branch
    >>> branch = random_branch(np.random.default_rng(0), width=4, hidden=16)
    >>> _, cache = feed_forward(branch, np.ones((2, 5, 4)))
    >>> feed_backward(branch, cache, np.ones((2, 5, 4)))[1].c2
    array([10., 10., 10., 10.])
    """
    dx, gradients = branch_backward(branch, cache, rows(dF, branch.c1.ndim - 1))
    return dx.reshape(dF.shape), gradients
