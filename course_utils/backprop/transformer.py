"""The whole pre-norm transformer block, composed of its parts, and its backward pass."""

from functools import partial
from typing import NamedTuple

from course_utils.backprop.attention import Attention, multi_head_backward, multi_head_forward
from course_utils.backprop.branches import Branch
from course_utils.backprop.joined import joined_backward, joined_forward
from course_utils.backprop.norms import LayerNorm, RMSNorm, norm_backward, norm_forward
from course_utils.backprop.positions import feed_backward, feed_forward
from course_utils.wiring import PRE_NORM


class TransformerBlock(NamedTuple):
    """Hold the weights of a pre-norm block, or their gradients.

    Attributes
    ----------
    norm1 : LayerNorm or RMSNorm
    attention : Attention
    norm2 : LayerNorm or RMSNorm
    branch : Branch
        The feed-forward sublayer.
    """

    norm1: LayerNorm | RMSNorm
    attention: Attention
    norm2: LayerNorm | RMSNorm
    branch: Branch


def pre_norm_forward(block, h, n_heads, mask=None):
    """Run a pre-norm block: h ← h + Attn(norm1(h)), then h ← h + FFN(norm2(h)).

    Parameters
    ----------
    block : TransformerBlock
    h : ndarray, shape (..., seq, d_model)
    n_heads : int
    mask : ndarray of bool, broadcastable to (..., seq, seq), optional
        True where a position may look.

    Returns
    -------
    H : ndarray, of the shape of h
    cache : tuple
        Those of norm1, attention, norm2 and branch.

    References
    ----------
    Xiong et al. (2020), "On Layer Normalization in the Transformer Architecture", table 1.
    Derived in notebooks/11_transformer_block.ipynb.

    Examples
    --------
    >>> import numpy as np
    >>> from course_utils.backprop import random_attention, random_branch
    >>> rng, ones = np.random.default_rng(0), RMSNorm(np.ones(4))
    >>> silent = random_attention(rng, 4, gain=0), ones, random_branch(rng, 4, gain=0)
    >>> h = rng.normal(size=(2, 5, 4))
    >>> np.array_equal(pre_norm_forward(TransformerBlock(ones, *silent), h, n_heads=2)[0], h)
    True
    """
    attend = partial(multi_head_forward, block.attention, n_heads=n_heads, mask=mask)
    feed = partial(feed_forward, block.branch)
    h, attention, norm1 = joined_forward(h, attend, PRE_NORM, partial(norm_forward, block.norm1))
    H, branch, norm2 = joined_forward(h, feed, PRE_NORM, partial(norm_forward, block.norm2))
    return H, (norm1, attention, norm2, branch)


def pre_norm_backward(block, cache, dH):
    """Send a gradient back through `pre_norm_forward`.

    At each sum the gradient goes two ways: along the stream as it is, and through the sublayer.

    Parameters
    ----------
    block : TransformerBlock
    cache : tuple
        From `pre_norm_forward`.
    dH : ndarray, shape (..., seq, d_model)
        ∂L/∂H.

    Returns
    -------
    dh : ndarray, of the shape of dH
    gradients : TransformerBlock
        Summed over all positions.

    References
    ----------
    Derived in notebooks/11_transformer_block.ipynb.

    Examples
    --------
    >>> import numpy as np
    >>> from course_utils.backprop import random_attention, random_branch
    >>> rng, ones = np.random.default_rng(0), RMSNorm(np.ones(4))
    >>> silent = random_attention(rng, 4, gain=0), ones, random_branch(rng, 4, gain=0)
    >>> block, h = TransformerBlock(ones, *silent), rng.normal(size=(2, 5, 4))
    >>> _, cache = pre_norm_forward(block, h, n_heads=2)
    >>> np.array_equal(pre_norm_backward(block, cache, h)[0], h)
    True
    """
    norm1, attention, norm2, branch = cache

    def attend_back(dF):
        du, _, gradients = multi_head_backward(block.attention, attention, dF)  # no memory
        return du, gradients

    feed_back = partial(feed_backward, block.branch, branch)
    norm1_back = partial(norm_backward, block.norm1, norm1)
    norm2_back = partial(norm_backward, block.norm2, norm2)
    # the last sublayer is met first
    dh, dbranch, dnorm2 = joined_backward(dH, feed_back, PRE_NORM, norm2_back)
    dh, dattention, dnorm1 = joined_backward(dh, attend_back, PRE_NORM, norm1_back)
    return dh, TransformerBlock(dnorm1, dattention, dnorm2, dbranch)
