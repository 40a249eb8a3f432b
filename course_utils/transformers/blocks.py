"""Transformer blocks, named after the place of their norm. Each sublayer is a `blocks.Block`.

What the literature calls by many names differs by one wiring: a row each, below.

>>> rows = PreNormBlock, PostNormBlock, PeriNormBlock, ReZeroBlock
>>> [row(8, n_heads=2).attend.wiring.equation() for row in rows]
['h + F(norm(h))', 'norm(h + F(h))', 'h + norm(F(norm(h)))', 'h + F(h)']
>>> h = torch.randn(3, 5, 8)
>>> torch.equal(ReZeroBlock(8, n_heads=2)(h), h)
True
>>> rows = PreNormDecoderBlock, PostNormDecoderBlock
>>> [row(8, n_heads=2).cross.wiring.equation() for row in rows]
['h + F(norm(h))', 'norm(h + F(h))']
"""

import dataclasses
from functools import partial

import torch
from torch import nn

from course_utils.blocks import Block
from course_utils.transformers.sublayers import FeedForward, MultiHeadAttention
from course_utils.wiring import PERI_NORM, POST_NORM, PRE_NORM, RESIDUAL, Wiring, deep_norm


class EncoderBlock(nn.Module):
    """Chain two sublayers, self-attention and feed-forward, with any wiring.

    With a causal mask it is a block of a GPT.

    Parameters
    ----------
    d_model, n_heads : int
    d_ff : int, optional
        Features inside the feed-forward sublayer; 4·d_model if not given.
    norm : type
        `nn.LayerNorm` or `nn.RMSNorm`.
    wiring : Wiring
        How each sublayer joins the stream.
    gate : float, optional
        Start of a trained number that multiplies each sublayer.

    Attributes
    ----------
    attend, feed : blocks.Block

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", section 3.1.
    Derived in notebooks/11_transformer_block.ipynb.

    Examples
    --------
    >>> from course_utils.wiring import PLAIN
    >>> EncoderBlock(8, n_heads=2, wiring=PLAIN)(torch.ones(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self, d_model, n_heads, d_ff=None, norm=nn.LayerNorm, *, wiring: Wiring, gate=None
    ):
        super().__init__()
        join = _joiner(d_model, wiring, norm, gate)
        self.attend = join(MultiHeadAttention(d_model, n_heads))
        self.feed = join(FeedForward(d_model, d_ff))

    def forward(self, h, mask=None):
        """Map the stream h, shape (batch, seq, d_model), to its next state.

        The mask is broadcastable to (batch, seq, seq), True where a position may look.
        """
        return self.feed(self.attend(h, mask=mask))


class DecoderBlock(nn.Module):
    """Chain three sublayers, self-attention, cross-attention and feed-forward, with any wiring.

    Parameters
    ----------
    d_model, n_heads : int
    d_ff : int, optional
        Features inside the feed-forward sublayer; 4·d_model if not given.
    norm : type
        `nn.LayerNorm` or `nn.RMSNorm`.
    wiring : Wiring
        How each sublayer joins the stream.
    gate : float, optional
        Start of a trained number that multiplies each sublayer.

    Attributes
    ----------
    attend, cross, feed : blocks.Block

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", section 3.1.
    Derived in notebooks/12_encoder_decoder.ipynb.

    Examples
    --------
    >>> block = DecoderBlock(8, n_heads=2, wiring=RESIDUAL)
    >>> block(torch.ones(3, 5, 8), memory=torch.ones(3, 9, 8)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(
        self, d_model, n_heads, d_ff=None, norm=nn.LayerNorm, *, wiring: Wiring, gate=None
    ):
        super().__init__()
        join = _joiner(d_model, wiring, norm, gate)
        self.attend = join(MultiHeadAttention(d_model, n_heads))
        self.cross = join(MultiHeadAttention(d_model, n_heads))
        self.feed = join(FeedForward(d_model, d_ff))

    def forward(self, h, memory, mask=None, memory_mask=None):
        """Map the stream h, shape (batch, seq, d_model), to its next state.

        The memory, shape (batch, keys, d_model), is what the encoder made. `mask` is
        broadcastable to (batch, seq, seq), `memory_mask` to (batch, seq, keys).
        """
        h = self.attend(h, mask=mask)
        return self.feed(self.cross(h, memory=memory, mask=memory_mask))


def _joiner(d_model, wiring, norm, gate):
    return lambda branch: Block(branch, wiring, d_model, norm=norm, gate=gate)


def _row(block, lesson, source, **options):
    """Name a block after its wiring; help() then tells equation, lesson and source."""
    named = partial(block, **options)
    named.__doc__ = (
        f"Make a `{block.__name__}`: each sublayer is h ← {options['wiring'].equation()}.\n\n"
        f"{source}\nDerived in notebooks/{lesson}.ipynb.\n"
    )
    return named


_VASWANI = 'Vaswani et al. (2017), "Attention Is All You Need", section 3.1.'
_XIONG = 'Xiong et al. (2020), "On Layer Normalization in the Transformer Architecture", table 1.'
_KIM = (
    'Kim et al. (2025), "Peri-LN: Revisiting Normalization Layer in the Transformer '
    'Architecture", arXiv 2502.02732.'
)
_BACHLECHNER = (
    "F is multiplied by a trained number, one for each sublayer, that starts at 0.\n"
    'Bachlechner et al. (2021), "ReZero is All You Need", eq. 1 and section 5.'
)

PreNormBlock = _row(EncoderBlock, "10_norm_placement", _XIONG, wiring=PRE_NORM)
PostNormBlock = _row(EncoderBlock, "10_norm_placement", _VASWANI, wiring=POST_NORM)
PeriNormBlock = _row(EncoderBlock, "10_norm_placement", _KIM, wiring=PERI_NORM)
# the same wiring as a net of 2015, and a gate: what is trained is no wiring
ReZeroBlock = _row(EncoderBlock, "10_norm_placement", _BACHLECHNER, wiring=RESIDUAL, gate=0.0)
# the queries of cross-attention are normed; its memory is what the encoder made of it
PreNormDecoderBlock = _row(DecoderBlock, "12_encoder_decoder", _XIONG, wiring=PRE_NORM)
PostNormDecoderBlock = _row(DecoderBlock, "12_encoder_decoder", _VASWANI, wiring=POST_NORM)


class DeepNormBlock(EncoderBlock):
    """Norm the stream after a sum in which h counts more: h ← norm(α·h + F(h)).

    α = (2·depth)^¼ for each shortcut. All weights start as Xavier draws them; those of values,
    of heads and of the feed-forward sublayer are then multiplied by β = (8·depth)^−¼.

    Parameters
    ----------
    d_model, n_heads, d_ff, norm
        Those of `EncoderBlock`.
    depth : int
        Blocks of the net.

    Raises
    ------
    ValueError
        If `depth` is smaller than 1.

    References
    ----------
    Wang et al. (2022), "DeepNet: Scaling Transformers to 1,000 Layers", arXiv 2203.00555,
    figure 2, encoder-only.
    Derived in notebooks/10_norm_placement.ipynb.

    Examples
    --------
    >>> DeepNormBlock(8, n_heads=2, depth=8).attend.wiring.equation()
    'norm(2·h + F(h))'
    """

    def __init__(self, d_model, n_heads, d_ff=None, norm=nn.LayerNorm, *, depth):
        super().__init__(d_model, n_heads, d_ff, norm, wiring=deep_norm(depth))
        attend, feed, beta = self.attend.branch, self.feed.branch, (8 * depth) ** -0.25
        # queries and keys choose among values; how large F is does not hang on them
        for linear in (attend.query, attend.key):
            nn.init.xavier_uniform_(linear.weight)
        # F is proportional to each of these: β keeps what one training step changes in bounds
        for linear in (attend.value, attend.out, feed.inner, feed.outer):
            nn.init.xavier_uniform_(linear.weight, gain=beta)


def cut_skips(blocks, *sublayers):
    """Take the shortcuts of some sublayers away: a = 0, the norm stays where it is.

    Parameters
    ----------
    blocks : iterable of EncoderBlock or DecoderBlock
        Changed in place.
    *sublayers : {"attend", "cross", "feed"}

    References
    ----------
    Used in notebooks/12_encoder_decoder.ipynb.

    Examples
    --------
    >>> block = PostNormDecoderBlock(8, n_heads=2)
    >>> cut_skips([block], "cross")
    >>> block.attend.wiring.equation(), block.cross.wiring.equation()
    ('norm(h + F(h))', 'norm(F(h))')
    """
    for block in blocks:
        for name in sublayers:
            sublayer = getattr(block, name)
            sublayer.wiring = dataclasses.replace(sublayer.wiring, a=0.0)


@torch.no_grad()
def copy_torch(block, layer):
    """Give a block the weights of torch's own layer.

    Parameters
    ----------
    block : EncoderBlock, DecoderBlock or MultiHeadAttention
        Changed in place; with a norm in one place.
    layer : nn.TransformerEncoderLayer, nn.TransformerDecoderLayer or nn.MultiheadAttention
        Of the same sizes.

    Examples
    --------
    >>> layer = nn.TransformerEncoderLayer(8, 2, 32, dropout=0, batch_first=True, norm_first=True)
    >>> block, h = PreNormBlock(8, n_heads=2), torch.randn(3, 5, 8)
    >>> copy_torch(block, layer)
    >>> torch.allclose(block(h), layer(h), atol=1e-5)
    True
    """
    if isinstance(block, MultiHeadAttention):
        W, c = layer.in_proj_weight.chunk(3), layer.in_proj_bias.chunk(3)
        linears = (block.query, block.key, block.value)
        for linear, weight, bias in zip(linears, W, c, strict=True):
            linear.weight.copy_(weight)
            linear.bias.copy_(bias)
        block.out.load_state_dict(layer.out_proj.state_dict())
        return
    sublayers, attentions = [block.attend], [layer.self_attn]
    if isinstance(block, DecoderBlock):
        sublayers, attentions = [block.attend, block.cross], [layer.self_attn, layer.multihead_attn]
    for sublayer, theirs in zip(sublayers, attentions, strict=True):
        copy_torch(sublayer.branch, theirs)
    block.feed.branch.inner.load_state_dict(layer.linear1.state_dict())
    block.feed.branch.outer.load_state_dict(layer.linear2.state_dict())
    for i, sublayer in enumerate((*sublayers, block.feed), 1):
        sublayer.norm.load_state_dict(getattr(layer, f"norm{i}").state_dict())
