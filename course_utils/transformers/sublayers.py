"""Attention, its masks, and the two branches of a transformer block."""

import torch
from torch import nn

from course_utils.blocks import MLP


def attention_weights(q, k, mask=None):
    """Compute how much each query looks at each key: softmax(q kᵀ / √d).

    Parameters
    ----------
    q : Tensor, shape (..., queries, d)
    k : Tensor, shape (..., keys, d)
    mask : Tensor of bool, broadcastable to (..., queries, keys), optional
        True where a query may look; one that may look nowhere has weights of 0.

    Returns
    -------
    Tensor, shape (..., queries, keys)

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", eq. 1.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> attention_weights(torch.zeros(2, 3), torch.zeros(2, 3), causal_mask(2))
    tensor([[1.0000, 0.0000],
            [0.5000, 0.5000]])
    """
    # q·k is a sum of d products: dividing by √d keeps its spread at 1
    scores = q @ k.mT / q.shape[-1] ** 0.5
    if mask is None:
        return scores.softmax(-1)
    # not −inf, of which softmax makes NaN where nothing is left to look at
    scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    return scores.softmax(-1).masked_fill(~mask, 0)


def attention(q, k, v, mask=None):
    """Compute scaled dot-product attention: softmax(q kᵀ / √d) v.

    Parameters
    ----------
    q : Tensor, shape (..., queries, d)
    k : Tensor, shape (..., keys, d)
    v : Tensor, shape (..., keys, d_v)
    mask : Tensor of bool, broadcastable to (..., queries, keys), optional
        True where a query may look; one that may look nowhere gets 0.

    Returns
    -------
    Tensor, shape (..., queries, d_v)

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", eq. 1.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> v = torch.tensor([[2.0], [4.0]])
    >>> attention(torch.zeros(2, 3), torch.zeros(2, 3), v, causal_mask(2))
    tensor([[2.],
            [3.]])
    """
    return attention_weights(q, k, mask) @ v


def causal_mask(seq):
    """Let each position look at itself and at those before it.

    Parameters
    ----------
    seq : int

    Returns
    -------
    Tensor of bool, shape (seq, seq)
        Row: who looks; column: at whom.

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", section 3.2.3.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> causal_mask(3).int()
    tensor([[1, 0, 0],
            [1, 1, 0],
            [1, 1, 1]], dtype=torch.int32)
    """
    return torch.ones(seq, seq, dtype=torch.bool).tril()


def padding_mask(lengths, seq):
    """Let no position look at the padding behind the end of its sequence.

    Parameters
    ----------
    lengths : Tensor of int, shape (batch,)
    seq : int
        Length of the padded sequences.

    Returns
    -------
    Tensor of bool, shape (batch, 1, seq)
        The same for each query. ``padding_mask(lengths, seq) & causal_mask(seq)`` is both.

    References
    ----------
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> padding_mask(torch.tensor([1, 3]), 3).int()
    tensor([[[1, 0, 0]],
    <BLANKLINE>
            [[1, 1, 1]]], dtype=torch.int32)
    """
    return (torch.arange(seq) < lengths[:, None])[:, None]


class MultiHeadAttention(nn.Module):
    """Attend with several heads, each with its own slice of the features.

    The weights start as in `nn.Transformer`: as Xavier draws them, those of queries, keys and
    values as one matrix of 3·d_model rows, which makes them √2 smaller. Biases start at 0.

    Parameters
    ----------
    d_model : int
    n_heads : int
        A divisor of d_model.

    Raises
    ------
    ValueError
        If `n_heads` does not divide `d_model`.

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", section 3.2.2; Glorot and Bengio
    (2010), "Understanding the difficulty of training deep feedforward neural networks",
    eq. 16, for the start.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> attend = MultiHeadAttention(8, n_heads=2)
    >>> attend(torch.ones(3, 5, 8)).shape, attend(torch.ones(3, 5, 8), torch.ones(3, 9, 8)).shape
    (torch.Size([3, 5, 8]), torch.Size([3, 5, 8]))
    """

    def __init__(self, d_model, n_heads):
        super().__init__()
        if d_model % n_heads:
            raise ValueError(f"n_heads must divide d_model={d_model}, got {n_heads}")
        self.n_heads = n_heads
        # rows of one matrix: variance 2/(d + 3d), half of the 2/(d + d) of each alone
        self.query, self.key, self.value = (_xavier(d_model, d_model, 0.5**0.5) for _ in range(3))
        self.out = _xavier(d_model, d_model)

    def forward(self, x, memory=None, mask=None):
        """Map x, shape (..., seq, d_model), to a tensor of its shape.

        Keys and values come from memory, shape (..., keys, d_model), or from x if there is
        none. The mask is broadcastable to (..., seq, keys), True where a query may look.
        """
        values = self._split(self.value(x if memory is None else memory))
        heads = self.weights(x, memory, mask) @ values  # each position a mean of values
        return self.out(heads.transpose(-2, -3).flatten(-2))

    def weights(self, x, memory=None, mask=None):
        """Compute each head's attention weights, shape (..., n_heads, seq, keys)."""
        q, k = self._split(self.query(x)), self._split(self.key(x if memory is None else memory))
        # all heads have the same mask
        return attention_weights(q, k, None if mask is None else mask.unsqueeze(-3))

    def _split(self, x):
        # (..., seq, d_model) to (..., n_heads, seq, d): heads become a batch axis of their own
        return x.unflatten(-1, (self.n_heads, -1)).transpose(-2, -3)


class FeedForward(MLP):
    """Compute the `blocks.MLP` F(x) = W2 relu(W1 x + c1) + c2 at every position.

    The weights start as Xavier draws them, the biases at 0.

    Parameters
    ----------
    d_model : int
    d_ff : int, optional
        Features between the two layers; 4·d_model if not given.

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", eq. 2; Glorot and Bengio (2010),
    "Understanding the difficulty of training deep feedforward neural networks", eq. 16, for
    the start.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> FeedForward(8)(torch.ones(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(self, d_model, d_ff=None):
        nn.Module.__init__(self)  # not that of MLP, whose weights start another way
        self.inner = _xavier(d_model, d_ff or 4 * d_model)
        self.outer = _xavier(d_ff or 4 * d_model, d_model)


def _xavier(d_in, d_out, gain=1.0):
    """Make a layer whose W is uniform with variance 2·gain²/(d_in + d_out), and c = 0."""
    linear = nn.Linear(d_in, d_out)
    nn.init.xavier_uniform_(linear.weight, gain)
    nn.init.zeros_(linear.bias)
    return linear
