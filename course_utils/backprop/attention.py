"""Attention, from the softmax to several heads, and its backward passes."""

from typing import NamedTuple

import numpy as np

from course_utils.backprop.positions import linear_backward, linear_forward


def softmax(z):
    """Turn scores into shares: p_i = exp(z_i) / Σ_j exp(z_j) along the last axis.

    Parameters
    ----------
    z : ndarray, shape (..., n)
        −inf gives a share of 0; where all of them are −inf, all shares are 0.

    Returns
    -------
    ndarray, of the shape of z

    References
    ----------
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> softmax(np.array([1000.0, 1000.0, -np.inf]))
    array([0.5, 0.5, 0. ])
    """
    top = z.max(-1, keepdims=True)
    p = np.exp(z - np.where(np.isneginf(top), 0, top))  # a shift by the largest changes nothing
    total = p.sum(-1, keepdims=True)
    return p / np.where(total == 0, 1, total)


def softmax_backward(p, dp):
    """Send a gradient back through `softmax`.

    Parameters
    ----------
    p : ndarray, shape (..., n)
        What `softmax` gave.
    dp : ndarray, shape (..., n)
        ∂L/∂p.

    Returns
    -------
    ndarray, shape (..., n)
        ∂L/∂z = p ⊙ (∂L/∂p − Σ p ∂L/∂p), since ∂p_i/∂z_j = p_i (δ_ij − p_j).

    References
    ----------
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> softmax_backward(np.array([0.5, 0.5]), np.array([3.0, 3.0]))
    array([0., 0.])
    """
    return p * (dp - (p * dp).sum(-1, keepdims=True))


def attention_forward(q, k, v, mask=None):
    """Compute scaled dot-product attention: softmax(q kᵀ / √d) v.

    Parameters
    ----------
    q : ndarray, shape (..., queries, d)
    k : ndarray, shape (..., keys, d)
    v : ndarray, shape (..., keys, d_v)
    mask : ndarray of bool, broadcastable to (..., queries, keys), optional
        True where a query may look; one that may look nowhere gets 0.

    Returns
    -------
    out : ndarray, shape (..., queries, d_v)
    cache : tuple
        q, k, v and the attention weights, shape (..., queries, keys).

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", eq. 1.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> v = np.array([[2.0], [4.0]])
    >>> attention_forward(np.zeros((2, 3)), np.zeros((2, 3)), v, np.tri(2, dtype=bool))[0]
    array([[2.],
           [3.]])
    """
    z = q @ k.mT / q.dtype.type(q.shape[-1] ** 0.5)
    weights = softmax(z if mask is None else np.where(mask, z, -np.inf))
    return weights @ v, (q, k, v, weights)


def attention_backward(cache, dout):
    """Send a gradient back through `attention_forward`.

    A mask need not be told: where a query may not look, its weight is 0, and with it the
    gradient of its score.

    Parameters
    ----------
    cache : tuple
        From `attention_forward`.
    dout : ndarray, shape (..., queries, d_v)
        ∂L/∂out.

    Returns
    -------
    dq, dk, dv : ndarray, of the shapes of q, k and v

    References
    ----------
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> q = k = v = np.eye(2)
    >>> _, cache = attention_forward(q, k, v)
    >>> [part.shape for part in attention_backward(cache, np.ones((2, 2)))]
    [(2, 2), (2, 2), (2, 2)]
    """
    q, k, v, weights = cache
    # out = weights · v, weights = softmax(z), z = q kᵀ / √d: the chain, from its end
    dz = softmax_backward(weights, dout @ v.mT) / q.dtype.type(q.shape[-1] ** 0.5)
    return dz @ k, dz.mT @ q, weights.mT @ dout


class Attention(NamedTuple):
    """Hold the weights of multi-head attention, or their gradients.

    Attributes
    ----------
    Wq, Wk, Wv, Wo : ndarray, shape (..., d_model, d_model)
        Make queries, keys and values, and mix the heads.
    cq, ck, cv, co : ndarray, shape (..., d_model)
        Their biases.
    """

    Wq: np.ndarray
    Wk: np.ndarray
    Wv: np.ndarray
    Wo: np.ndarray
    cq: np.ndarray
    ck: np.ndarray
    cv: np.ndarray
    co: np.ndarray


def random_attention(rng, d_model, gain=1.0, seeds=()):
    """Draw the weights of multi-head attention.

    Parameters
    ----------
    rng : numpy.random.Generator
    d_model : int
    gain : float
        Wo is multiplied by it.
    seeds : tuple of int
        Leading axes.

    Returns
    -------
    Attention
        In float64, of variance 1/d_model; the biases are 0.

    Examples
    --------
    >>> random_attention(np.random.default_rng(0), 4, seeds=(3,)).Wq.shape
    (3, 4, 4)
    """
    W = rng.normal(size=(4, *seeds, d_model, d_model)) / d_model**0.5
    W[3] *= gain
    return Attention(*W, *np.zeros((4, *seeds, d_model)))


def multi_head_forward(weights, x, n_heads, mask=None, memory=None):
    """Compute multi-head attention: each head attends with its own slice of the features.

    Parameters
    ----------
    weights : Attention
    x : ndarray, shape (..., seq, d_model)
        Where the queries come from.
    n_heads : int
        A divisor of d_model.
    mask : ndarray of bool, broadcastable to (..., seq, keys), optional
        True where a query may look, the same for all heads.
    memory : ndarray, shape (..., keys, d_model), optional
        Where keys and values come from (cross-attention); x if not given (self-attention).

    Returns
    -------
    out : ndarray, of the shape of x
    cache : tuple
        For `multi_head_backward`; its entry 2 is the cache of `attention_forward`.

    Raises
    ------
    ValueError
        If `n_heads` does not divide d_model.

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", section 3.2.2.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> weights = random_attention(np.random.default_rng(0), 4)
    >>> out, cache = multi_head_forward(weights, np.ones((2, 5, 4)), n_heads=2)
    >>> out.shape, cache[2][3].shape
    ((2, 5, 4), (2, 2, 5, 5))
    """
    if x.shape[-1] % n_heads:
        raise ValueError(f"n_heads must divide d_model={x.shape[-1]}, got {n_heads}")
    Wq, Wk, Wv, Wo, cq, ck, cv, co = weights
    source = x if memory is None else memory
    q, k, v = (
        split_heads(linear_forward(W, c, u), n_heads)
        for W, c, u in ((Wq, cq, x), (Wk, ck, source), (Wv, cv, source))
    )
    # one mask for all heads
    heads, cache = attention_forward(q, k, v, None if mask is None else mask[..., None, :, :])
    joined = join_heads(heads)
    return linear_forward(Wo, co, joined), (x, memory, cache, joined)


def multi_head_backward(weights, cache, dout):
    """Send a gradient back through `multi_head_forward`.

    Parameters
    ----------
    weights : Attention
    cache : tuple
        From `multi_head_forward`.
    dout : ndarray, shape (..., seq, d_model)

    Returns
    -------
    dx : ndarray, shape (..., seq, d_model)
    dmemory : ndarray, shape (..., keys, d_model), or None
        None for self-attention, where x gets all three shares.
    gradients : Attention
        Summed over all positions.

    References
    ----------
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> weights = random_attention(np.random.default_rng(0), 4)
    >>> _, cache = multi_head_forward(weights, np.ones((2, 5, 4)), n_heads=2)
    >>> dx, dmemory, gradients = multi_head_backward(weights, cache, np.ones((2, 5, 4)))
    >>> dx.shape, dmemory is None, gradients.co
    ((2, 5, 4), True, array([10., 10., 10., 10.]))
    """
    x, memory, inner, joined = cache
    djoined, dWo, dco = linear_backward(weights.Wo, joined, dout)
    dq, dk, dv = attention_backward(inner, split_heads(djoined, inner[0].shape[-3]))
    source = x if memory is None else memory
    dx, dWq, dcq = linear_backward(weights.Wq, x, join_heads(dq))
    by_key, dWk, dck = linear_backward(weights.Wk, source, join_heads(dk))
    by_value, dWv, dcv = linear_backward(weights.Wv, source, join_heads(dv))
    dsource = by_key + by_value
    if memory is None:
        dx, dsource = dx + dsource, None  # x made queries, keys and values: three shares
    return dx, dsource, Attention(dWq, dWk, dWv, dWo, dcq, dck, dcv, dco)


def split_heads(x, n_heads):
    """Give each head its slice of the features.

    Parameters
    ----------
    x : ndarray, shape (..., seq, d_model)
    n_heads : int

    Returns
    -------
    ndarray, shape (..., n_heads, seq, d_model / n_heads)

    Examples
    --------
    >>> split_heads(np.ones((2, 5, 6)), 3).shape
    (2, 3, 5, 2)
    """
    return x.reshape(*x.shape[:-1], n_heads, -1).swapaxes(-2, -3)


def join_heads(x):
    """Undo `split_heads`.

    Parameters
    ----------
    x : ndarray, shape (..., n_heads, seq, d)

    Returns
    -------
    ndarray, shape (..., seq, n_heads * d)

    Examples
    --------
    >>> x = np.arange(60).reshape(2, 5, 6)
    >>> np.array_equal(join_heads(split_heads(x, 3)), x)
    True
    """
    x = x.swapaxes(-2, -3)
    return x.reshape(*x.shape[:-2], -1)
