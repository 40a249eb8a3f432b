"""Tokens that attention makes alike, and every tensor inside a transformer block."""

from functools import partial

import numpy as np

from course_utils import backprop
from course_utils.wiring import Wiring


def token_spread(x):
    """Measure how far the tokens of a sequence are from being all the same.

    Parameters
    ----------
    x : ndarray, shape (..., seq, d_model)

    Returns
    -------
    ndarray, shape (...)
        ‖X − 1·x̄ᵀ‖ / ‖X‖, where x̄ is the mean token: 0 where all are equal, at most 1.

    References
    ----------
    Dong et al. (2021), "Attention is not all you need: pure attention loses rank doubly
    exponentially with depth", section 2.1, with the Frobenius norm.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> token_spread(np.array([[1.0, 0.0], [-1.0, 0.0]])), token_spread(np.ones((5, 3)))
    (np.float64(1.0), np.float64(0.0))
    """
    # what is left without the mean token: a matrix of rank 1 has nothing left
    rest = x - x.mean(-2, keepdims=True)
    return np.linalg.norm(rest, axis=(-2, -1)) / np.linalg.norm(x, axis=(-2, -1))


def rank_collapse(layers, x, n_heads, wiring: Wiring, mask=None):
    """Measure the spread of the tokens before the first layer and after each one.

    Parameters
    ----------
    layers : sequence of (backprop.Attention, backprop.Branch or None)
        Attention and, where there is one, the feed-forward sublayer; may hold seeds on a
        leading axis.
    x : ndarray, shape (..., seq, d_model)
        In float64: float32 ends at a spread of 1e-7.
    n_heads : int
    wiring : Wiring
        How each sublayer joins the stream.
    mask : ndarray of bool, shape (seq, seq), optional
        True where a token may look.

    Returns
    -------
    ndarray, shape (depth + 1, ...)
        From `token_spread`.

    References
    ----------
    Dong et al. (2021), "Attention is not all you need", figure 2.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> silent = [(backprop.random_attention(rng, 4, gain=0), None)] * 2
    >>> rank_collapse(silent, np.array([[1.0, 0, 0, 0], [-1.0, 0, 0, 0]]), 2, Wiring())
    array([1., 1., 1.])
    """
    h, found = x, [token_spread(x)]
    for attention, feed in layers:
        runs = [partial(backprop.multi_head_forward, attention, n_heads=n_heads, mask=mask)]
        if feed is not None:
            runs.append(partial(backprop.feed_forward, feed))
        for run in runs:
            h, _, _ = backprop.joined_forward(h, run, wiring, backprop.layer_norm_forward)
        found.append(token_spread(h))
    return np.stack(found)


def block_tensors(block, h, n_heads, wiring: Wiring, target, mask=None):
    """Follow a transformer block: each tensor on the way, and the gradient that comes back there.

    The loss is half the squared distance of the block's output from a target.

    Parameters
    ----------
    block : backprop.TransformerBlock
        Its norms are used where the wiring wants one.
    h : ndarray, shape (seq, d_model)
    n_heads : int
    wiring : Wiring
        How both sublayers join the stream.
    target : ndarray, shape (seq, d_model)
    mask : ndarray of bool, broadcastable to (seq, seq), optional
        True where a position may look.

    Returns
    -------
    list of tuple
        Name, tensor and ∂L/∂tensor, of one shape, in the order of the forward pass. Queries, keys
        and values are one tensor, shape (3, n_heads, seq, d_model / n_heads).

    Raises
    ------
    ValueError
        If the wiring has two norms.

    References
    ----------
    Used in notebooks/11_transformer_block.ipynb.

    Examples
    --------
    >>> rng, one = np.random.default_rng(0), backprop.RMSNorm(np.ones(4))
    >>> silent = backprop.random_attention(rng, 4, gain=0), one, backprop.random_branch(rng, 4)
    >>> block, h = backprop.TransformerBlock(one, *silent), rng.normal(size=(3, 4))
    >>> found = block_tensors(block, h, 2, Wiring(), np.zeros((3, 4)))
    >>> [(name, tensor.shape) for name, tensor, _ in found[1:3]]
    [('queries, keys, values', (3, 2, 3, 2)), ('attention weights', (2, 3, 3))]
    """
    place, (a, b) = wiring.one_norm(), (wiring.a, wiring.b)
    tensors, undo = [("stream h", h)], []  # undo: maps the gradient after a sublayer to that before
    for norm, run in ((block.norm1, _attention_tensors), (block.norm2, _feed_tensors)):
        u, norm_cache = h, None
        if place == "pre":
            u, norm_cache = backprop.norm_forward(norm, h)
            tensors.append(("norm(h)", u))
        inside, back = run(block, u, n_heads, mask)
        h = a * h + b * inside[-1][1]
        tensors += [*inside, (Wiring(a, b).equation(), h)]
        if place == "post":
            h, norm_cache = backprop.norm_forward(norm, h)
            tensors.append(("norm of the sum", h))
        undo.append((norm, norm_cache, back))
    dh = h - target  # of ½‖h − target‖²
    gradients = [dh]
    for norm, cache, back in reversed(undo):
        if place == "post":
            dh, _ = backprop.norm_backward(norm, cache, dh)
            gradients.append(dh)
        inside, du = back(b * dh)
        gradients += inside
        if place == "pre":
            gradients.append(du)
            du, _ = backprop.norm_backward(norm, cache, du)
        dh = a * dh + du  # the sum sends the gradient both ways
        gradients.append(dh)
    return [(*tensor, dt) for tensor, dt in zip(tensors, reversed(gradients), strict=True)]


def _attention_tensors(block, u, n_heads, mask):
    """Tensors inside attention, and a map from ∂L/∂F to their gradients, last first, and ∂L/∂u."""
    weights = block.attention
    F, cache = backprop.multi_head_forward(weights, u, n_heads, mask)
    inner, joined = cache[2:]
    q, k, v, shares = inner

    def back(dF):
        # back through Wo, and through shares @ v, which both have a gradient
        dheads = backprop.split_heads(backprop.linear_backward(weights.Wo, joined, dF)[0], n_heads)
        dqkv = np.stack(backprop.attention_backward(inner, dheads))
        du, _, _ = backprop.multi_head_backward(weights, cache, dF)
        return [dF, dheads @ v.mT, dqkv], du  # heads = weights · v

    names = "queries, keys, values", "attention weights", "F(h): heads joined and mixed"
    return list(zip(names, (np.stack([q, k, v]), shares, F), strict=True)), back


def _feed_tensors(block, u, n_heads, mask):
    """Do the same inside the feed-forward sublayer, which has neither heads nor a mask."""
    branch = block.branch
    F, cache = backprop.feed_forward(branch, u)
    inner = np.maximum(cache[1], 0)

    def back(dF):
        du, _ = backprop.feed_backward(branch, cache, dF)
        return [dF, backprop.linear_backward(branch.W2, inner, dF)[0]], du

    return [("inner layer after ReLU", inner), ("F(h): outer layer", F)], back
