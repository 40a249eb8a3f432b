"""Whole networks from tokens to logits."""

import torch
from torch import nn

from course_utils.transformers.blocks import DecoderBlock, EncoderBlock
from course_utils.transformers.sublayers import causal_mask
from course_utils.wiring import POST_NORM, Wiring

PAD = 0  # the token behind the end of a sequence


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
        # what a token means and where it stands share one stream
        h = self.token(x) + self.position[: x.shape[1]]
        return self.head(self.norm(self.blocks(h)))


def sinusoids(seq, d_model):
    """Give each position a vector of sines and cosines, from fast to slow.

    Entry 2i of position p is sin(p / 10000^(2i/d_model)), entry 2i + 1 the cosine. A shift by k
    turns each such pair by an angle that depends on k alone.

    Parameters
    ----------
    seq : int
    d_model : int
        Even.

    Returns
    -------
    Tensor, shape (seq, d_model)

    Raises
    ------
    ValueError
        If `d_model` is odd.

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", section 3.5.
    Derived in notebooks/12_encoder_decoder.ipynb.

    Examples
    --------
    >>> sinusoids(2, 4)
    tensor([[0.0000, 1.0000, 0.0000, 1.0000],
            [0.8415, 0.5403, 0.0100, 0.9999]])
    """
    if d_model % 2:
        raise ValueError(f"sines and cosines come in pairs, got d_model={d_model}")
    # wavelengths grow from 2π to 10000·2π, so that near and far places differ somewhere
    angles = torch.arange(seq)[:, None] / 10_000 ** (torch.arange(0, d_model, 2) / d_model)
    return torch.stack([angles.sin(), angles.cos()], -1).flatten(1)


class EncoderDecoder(nn.Module):
    """Read one sequence and write another, as in 2017.

    Token 0 of both vocabularies is padding. Where a wiring leaves the trunk without a norm, the
    stream gets one after the last block.

    Parameters
    ----------
    source_tokens, target_tokens : int
        Sizes of the vocabularies.
    source_seq : int
        Length of the sequences that are read, with their padding.
    d_model, n_heads : int
    depth : int
        Blocks of the encoder, and of the decoder.
    d_ff : int, optional
        Features inside the feed-forward sublayers; 4·d_model if not given.
    encoder, decoder : Wiring
        How sublayers join the stream; ``Wiring(a=0, norm="post")`` takes the skips away.
    norm : type
        `nn.LayerNorm` or `nn.RMSNorm`.

    Attributes
    ----------
    encoder, decoder : ModuleList of EncoderBlock and of DecoderBlock

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", figure 1.
    Derived in notebooks/12_encoder_decoder.ipynb.

    Examples
    --------
    >>> net = EncoderDecoder(30, 13, source_seq=8, d_model=16, n_heads=4, depth=2)
    >>> words, digits = torch.ones(5, 8, dtype=torch.int64), torch.ones(5, 6, dtype=torch.int64)
    >>> net(torch.cat([words, digits], 1)).shape
    torch.Size([5, 6, 13])
    """

    def __init__(
        self,
        source_tokens,
        target_tokens,
        source_seq,
        d_model,
        n_heads,
        depth,
        d_ff=None,
        *,
        encoder: Wiring = POST_NORM,
        decoder: Wiring = POST_NORM,
        norm=nn.LayerNorm,
    ):
        super().__init__()
        self.source_seq, self.d_model = source_seq, d_model
        self.source, self.target = (
            nn.Embedding(tokens, d_model) for tokens in (source_tokens, target_tokens)
        )
        for embedding in (self.source, self.target):
            nn.init.normal_(embedding.weight, std=d_model**-0.5)
        sizes = d_model, n_heads, d_ff
        self.encoder, self.decoder = (
            nn.ModuleList(kind(*sizes, wiring=wiring, norm=norm) for _ in range(depth))
            for kind, wiring in ((EncoderBlock, encoder), (DecoderBlock, decoder))
        )
        self.encoder_norm, self.decoder_norm = (
            nn.Identity() if wiring.norm == "post" else norm(d_model)
            for wiring in (encoder, decoder)
        )
        self.head = nn.Linear(d_model, target_tokens)
        nn.init.xavier_uniform_(self.head.weight)

    def forward(self, x):
        """Map x, shape (batch, source_seq + target_seq), to logits.

        x holds what is read and what is written so far side by side. The logits, shape
        (batch, target_seq, target_tokens), say what comes next at each place.
        """
        # teacher forcing: the right tokens so far are given, whatever the net would have written
        source, target = x.split([self.source_seq, x.shape[1] - self.source_seq], 1)
        return self.decode(target, self.encode(source), source)

    def encode(self, source):
        """Map tokens, shape (batch, source_seq), to the memory (batch, source_seq, d_model)."""
        return self.read(self.embed(source), _not_padding(source))

    def embed(self, source):
        """Map tokens, shape (batch, source_seq), to the stream that enters the encoder."""
        return self._embed(self.source, source)

    def read(self, h, mask=None):
        """Map the stream that enters the encoder to the memory; the mask is that of its blocks."""
        for block in self.encoder:
            h = block(h, mask=mask)
        return self.encoder_norm(h)

    def decode(self, target, memory, source):
        """Map what is written so far to logits; source tells where the memory is padding."""
        # the past of the target and all of the source may be looked at
        h, mask = self._embed(self.target, target), causal_mask(target.shape[1])
        for block in self.decoder:
            h = block(h, memory, mask=mask, memory_mask=_not_padding(source))
        return self.head(self.decoder_norm(h))

    def _embed(self, embedding, tokens):
        # an embedding starts about 1 long, and the sinusoids are √(d_model/2) long
        h = embedding(tokens) * self.d_model**0.5
        return h + sinusoids(tokens.shape[1], self.d_model).to(h)

    @torch.no_grad()
    def write(self, source, start, end, steps):
        """Write one token after the other, each time the likeliest.

        Parameters
        ----------
        source : Tensor of int64, shape (batch, source_seq)
        start, end : int
            The token before the first, and that after the last.
        steps : int
            Longest sequence, with its end.

        Returns
        -------
        Tensor of int64, shape (batch, 1 + steps)
            The start, what was written, and padding after the end.

        Examples
        --------
        >>> net = EncoderDecoder(30, 13, source_seq=8, d_model=16, n_heads=4, depth=2)
        >>> net.write(torch.ones(5, 8, dtype=torch.int64), start=1, end=2, steps=6).shape
        torch.Size([5, 7])
        """
        memory, written = self.encode(source), torch.full_like(source[:, :1], start)
        for _ in range(steps):
            following = self.decode(written, memory, source)[:, -1].argmax(-1)
            # a sequence that has ended stays ended
            over = ((written == end) | (written == PAD)).any(1)
            written = torch.cat([written, following.masked_fill(over, PAD)[:, None]], 1)
        return written


def _not_padding(tokens):
    return (tokens != PAD)[:, None]  # (batch, 1, keys): the same for each query
