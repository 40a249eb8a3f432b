"""Attention and feed-forward that start as the identity, for a transformer without shortcuts."""

import torch
from torch import nn

from course_utils.transformers.blocks import EncoderBlock
from course_utils.transformers.sublayers import FeedForward, MultiHeadAttention, attention_weights
from course_utils.wiring import PLAIN


class ShapedAttention(MultiHeadAttention):
    """Attend with α·I + β·A − γ·C: A are the attention weights, C looks everywhere alike.

    α, β and γ are trained, one of each per head, and start at 1. The queries start at 0, so that
    A = C and every position starts by looking at itself alone. Values and output start as
    rotations.

    Parameters
    ----------
    d_model, n_heads : int
        Those of `MultiHeadAttention`.

    Attributes
    ----------
    alpha, beta, gamma : Parameter, shape (n_heads, 1, 1)

    References
    ----------
    Noci et al. (2023), "The Shaped Transformer", arXiv 2306.17759, for the centring by C;
    He and Hofmann (2023), "Simplifying Transformer Blocks", arXiv 2311.01906, for this form;
    He et al. (2023), "Deep Transformers without Shortcuts", arXiv 2302.10322, for transformers
    without shortcuts.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> attend, x = ShapedAttention(8, n_heads=2), torch.randn(3, 5, 8)
    >>> rotated = attend(x)
    >>> torch.allclose(rotated.norm(dim=-1), x.norm(dim=-1), rtol=1e-4)
    True
    """

    def __init__(self, d_model, n_heads):
        super().__init__(d_model, n_heads)
        # q = 0: every score is 0, A = C, and α·I is all that is left
        nn.init.zeros_(self.query.weight)
        nn.init.orthogonal_(self.value.weight)
        nn.init.orthogonal_(self.out.weight)
        self.alpha, self.beta, self.gamma = (
            nn.Parameter(torch.ones(n_heads, 1, 1)) for _ in range(3)
        )

    def forward(self, x, mask=None):
        """Map x, shape (..., seq, d_model), to a tensor of its shape.

        The mask is broadcastable to (..., seq, seq), True where a position may look.
        """
        q, k, v = (self._split(f(x)) for f in (self.query, self.key, self.value))
        mask = None if mask is None else mask.unsqueeze(-3)
        # C: scores of 0 behind the same mask
        A, C = attention_weights(q, k, mask), attention_weights(0 * q, k, mask)
        shaped = self.alpha * torch.eye(x.shape[-2]) + self.beta * A - self.gamma * C
        return self.out((shaped @ v).transpose(-2, -3).flatten(-2))


def mirror(feed: FeedForward) -> FeedForward:
    """Start a feed-forward sublayer as the identity: relu(u) − relu(−u) = u.

    Parameters
    ----------
    feed : FeedForward
        Changed in place; its d_ff must be 2·d_model.

    Returns
    -------
    FeedForward
        The same.

    Raises
    ------
    ValueError
        If d_ff is another.

    References
    ----------
    Balduzzi et al. (2017), "The Shattered Gradients Problem", section 4: looks-linear
    initialisation.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> feed, x = mirror(FeedForward(8, 16)), torch.randn(3, 5, 8)
    >>> torch.allclose(feed(x), x, atol=1e-5)
    True
    """
    d_ff, d_model = feed.inner.weight.shape
    if d_ff != 2 * d_model:
        raise ValueError(f"d_ff must be 2·d_model = {2 * d_model}, got {d_ff}")
    Q = nn.init.orthogonal_(torch.empty(d_model, d_model))
    # Qᵀ relu(Q x) − Qᵀ relu(−Q x) = Qᵀ Q x = x
    with torch.no_grad():
        feed.inner.weight.copy_(torch.cat([Q, -Q]))
        feed.outer.weight.copy_(torch.cat([Q.T, -Q.T], 1))
        feed.inner.bias.zero_()
        feed.outer.bias.zero_()
    return feed


class ShapedBlock(EncoderBlock):
    """Chain attention and feed-forward without a shortcut, each starting close to the identity.

    Parameters
    ----------
    d_model, n_heads : int
        d_ff is 2·d_model.
    shaped : bool
        `ShapedAttention` in place of attention.
    mirrored : bool
        `mirror` for the feed-forward sublayer.

    References
    ----------
    He et al. (2023), "Deep Transformers without Shortcuts", arXiv 2302.10322.
    Derived in notebooks/09_attention_and_rank.ipynb.

    Examples
    --------
    >>> block, h = ShapedBlock(8, n_heads=2), torch.randn(3, 5, 8)
    >>> torch.allclose(block(h).norm(dim=-1), h.norm(dim=-1), rtol=1e-4)
    True
    """

    def __init__(self, d_model, n_heads, *, shaped=True, mirrored=True):
        super().__init__(d_model, n_heads, 2 * d_model, wiring=PLAIN)
        if shaped:
            self.attend.branch = ShapedAttention(d_model, n_heads)
        if mirrored:
            mirror(self.feed.branch)
