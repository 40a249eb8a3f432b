"""Whole networks from tokens to logits."""

import torch
from torch import nn


class TokenNet(nn.Module):
    """Read tokens, run them through blocks, and say at each position what stands there.

    Parameters
    ----------
    blocks : iterable of nn.Module
        Each maps the stream (batch, seq, d_model) to its next state.
    tokens : int
        Size of the vocabulary.
    seq : int
        Longest sequence; each position has a trained vector that is added to the token's.
    d_model : int
    norm : type, optional
        Norms the stream after the last block, `nn.LayerNorm` or `nn.RMSNorm`; a pre-norm net
        needs one, since nothing else on its trunk does.

    References
    ----------
    Used from notebooks/09_attention_and_rank.ipynb on.

    Examples
    --------
    >>> from course_utils.transformers import PreNormBlock
    >>> blocks = [PreNormBlock(16, n_heads=2) for _ in range(3)]
    >>> net = TokenNet(blocks, tokens=8, seq=5, d_model=16, norm=nn.LayerNorm)
    >>> net(torch.zeros(4, 5, dtype=torch.int64)).shape
    torch.Size([4, 5, 8])
    """

    def __init__(self, blocks, tokens, seq, d_model, norm=None):
        super().__init__()
        self.token = nn.Embedding(tokens, d_model)
        self.position = nn.Parameter(torch.randn(seq, d_model))
        self.blocks = nn.Sequential(*blocks)
        self.norm = nn.Identity() if norm is None else norm(d_model)
        self.head = nn.Linear(d_model, tokens, bias=False)

    def forward(self, x):
        """Map tokens x, shape (batch, seq), to logits, shape (batch, seq, tokens)."""
        h = self.token(x) + self.position[: x.shape[1]]
        return self.head(self.norm(self.blocks(h)))
