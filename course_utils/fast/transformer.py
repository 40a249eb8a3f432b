"""A transformer of a hundred layers, fast: one tensor for each kind of weight."""

import torch
from torch import nn

from course_utils.fast.autograd import DeepNet, run
from course_utils.fast.transformer_kernel import (
    DeepBlocks,
    deep_transformer_backward,
    deep_transformer_forward,
)
from course_utils.transformers.blocks import EncoderBlock
from course_utils.transformers.sublayers import causal_mask
from course_utils.wiring import RESIDUAL, Wiring


class DeepTransformer(DeepNet):
    """Chain `depth` transformer blocks, equal to as many `EncoderBlock`s.

    `transformer_kernel.deep_transformer_backward` takes the place of autograd's record of each
    operation. Copies under `torch.vmap`, as in `training.fit`, run together.

    Parameters
    ----------
    depth, d_model, n_heads : int
    d_ff : int, optional
        Features inside each feed-forward sublayer; 4·d_model if not given.
    wiring : Wiring
        Without a norm, or with a LayerNorm before each sublayer or after each sum.
    gate : float, optional
        Start of a trained number for each sublayer; 0.0 is ReZero.
    beta : float
        Multiplies all matrices but those of queries and keys at the start; DeepNorm's is
        (8·depth)^−¼. (Drawn in one with the values, queries and keys are √2 smaller here than
        in `DeepNormBlock`.)
    causal : bool
        Whether a position may look at itself and at those before it alone.

    Attributes
    ----------
    qkv, out, inner, outer : Parameter, shape (depth, ..., ... + 1)
        As in `transformer_kernel.DeepBlocks`, biases as last columns.
    gate : Parameter, shape (depth, 2), or None
        For attention and feed-forward.
    gain, bias : Parameter, shape (depth, 2, d_model), or None
        Of the norms before or after attention and feed-forward.

    Raises
    ------
    ValueError
        If `depth` is smaller than 1, `n_heads` does not divide `d_model`, or the wiring has
        another norm.

    References
    ----------
    Vaswani et al. (2017), "Attention Is All You Need", section 3.1; Bachlechner et al. (2021),
    "ReZero is All You Need", section 5.
    Used in notebooks/11_transformer_block.ipynb.

    Examples
    --------
    >>> net, h = DeepTransformer(96, 8, n_heads=2, gate=0.0), torch.randn(3, 5, 8)
    >>> torch.equal(net(h), h), net.qkv.shape
    (True, torch.Size([96, 24, 9]))
    """

    def __init__(
        self,
        depth,
        d_model,
        n_heads,
        d_ff=None,
        *,
        wiring: Wiring = RESIDUAL,
        gate=None,
        beta=1.0,
        causal=False,
    ):
        super().__init__()
        if depth < 1:
            raise ValueError(f"depth must be at least 1, got {depth}")
        if d_model % n_heads:
            raise ValueError(f"n_heads must divide d_model={d_model}, got {n_heads}")
        if wiring.norm not in ("none", "pre", "post"):
            raise ValueError(f'a deep transformer has norm "none", "pre" or "post", got {wiring}')
        self.n_heads, self.wiring, self.causal = n_heads, wiring, causal
        d_ff = d_ff or 4 * d_model
        self.qkv = _matrices(depth, 3 * d_model, d_model)
        self.out = _matrices(depth, d_model, d_model)
        self.inner = _matrices(depth, d_ff, d_model)
        self.outer = _matrices(depth, d_model, d_ff)
        if beta != 1:  # F is proportional to each of these; queries and keys choose among values
            with torch.no_grad():
                for W in (self.qkv[:, 2 * d_model :], self.out, self.inner, self.outer):
                    W *= beta
        self.gate = self.gain = self.bias = None
        if gate is not None:
            self.gate = nn.Parameter(torch.full((depth, 2), float(gate)))
        if wiring.norm != "none":
            self.gain = nn.Parameter(torch.ones(depth, 2, d_model))
            self.bias = nn.Parameter(torch.zeros(depth, 2, d_model))

    def forward(self, h):
        """Map the stream h, shape (..., seq, d_model), to its last state, of the same shape."""
        a, norm, keep = self.wiring.a, self.wiring.norm, torch.is_grad_enabled()
        options = self.n_heads, a, norm, self.causal, keep
        weights = self._effective()
        if norm == "post":  # what stands on the trunk cannot move into a matrix
            weights.append(torch.stack([self.gain, self.bias], 2).flatten(1, 2))
        H = run(
            lambda weights, x: deep_transformer_forward(DeepBlocks(*weights), x, *options),
            lambda weights, cache, dH: deep_transformer_backward(DeepBlocks(*weights), cache, dH),
            h.reshape(1, -1, *h.shape[-2:]),
            *(W[None] for W in weights),
        )
        return H.view_as(h)

    def _effective(self):
        """Multiply gates, b and what belongs to norms before into the matrices beside them."""
        # 2i: the matrix behind a sublayer's norm, 2i + 1: the one that ends F
        weights = [self.qkv, self.out, self.inner, self.outer]
        for i in range(2):
            if self.wiring.norm == "pre":
                W, c = weights[2 * i].split([self.gain.shape[-1], 1], -1)
                # W (g ⊙ u + b) + c = (W g) u + (W b + c)
                c = c + W @ self.bias[:, i, :, None]
                weights[2 * i] = torch.cat([W * self.gain[:, i, None], c], -1)
            if self.gate is not None:
                weights[2 * i + 1] = self.gate[:, i, None, None] * weights[2 * i + 1]
            if self.wiring.b != 1:
                weights[2 * i + 1] = self.wiring.b * weights[2 * i + 1]
        return weights

    def block(self, i) -> nn.Module:
        """Copy block i into an ordinary module with the same values.

        Parameters
        ----------
        i : int
            Counted from 0.

        Returns
        -------
        EncoderBlock
            If the net is causal, it wants a `causal_mask`.

        Examples
        --------
        >>> net, h = DeepTransformer(1, 8, n_heads=2), torch.randn(3, 5, 8)
        >>> torch.allclose(net.block(0)(h), net(h), atol=1e-5)
        True
        """
        _, d_ff, d_model = self.inner.shape
        block = EncoderBlock(
            d_model - 1,
            self.n_heads,
            d_ff,
            wiring=self.wiring,
            gate=None if self.gate is None else 0.0,
        ).to(self.qkv)
        attend, feed = block.attend.branch, block.feed.branch
        linears = attend.query, attend.key, attend.value, attend.out, feed.inner, feed.outer
        rows = *self.qkv[i].chunk(3), self.out[i], self.inner[i], self.outer[i]
        with torch.no_grad():
            for linear, W in zip(linears, rows, strict=True):
                linear.weight.copy_(W[:, :-1])
                linear.bias.copy_(W[:, -1])
            for j, sublayer in enumerate((block.attend, block.feed)):
                if self.gate is not None:
                    sublayer.gate.copy_(self.gate[i, j])
                if self.gain is not None:
                    sublayer.norm.weight.copy_(self.gain[i, j])
                    sublayer.norm.bias.copy_(self.bias[i, j])
        return block

    def _blocks(self):
        mask = causal_mask if self.causal else lambda seq: None
        for block in map(self.block, range(len(self.qkv))):
            yield lambda h, block=block: block(h, mask=mask(h.shape[-2]))


def _matrices(depth, d_out, d_in):
    """Draw W of each layer as `nn.Transformer` does, and append a bias of 0 as last column."""
    W = torch.empty(depth, d_out, d_in)
    for layer in W:
        nn.init.xavier_uniform_(layer)
    return nn.Parameter(torch.cat([W, torch.zeros(depth, d_out, 1)], -1))
