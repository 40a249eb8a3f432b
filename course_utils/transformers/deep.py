"""A transformer of a hundred layers, fast: one tensor for each kind of weight."""

import torch
from torch import nn

from course_utils import backprop
from course_utils.blocks import merge_copies
from course_utils.transformers.blocks import EncoderBlock
from course_utils.transformers.sublayers import causal_mask
from course_utils.wiring import RESIDUAL, Wiring


class DeepTransformer(nn.Module):
    """Chain `depth` transformer blocks, equal to as many `EncoderBlock`s.

    `backprop.deep_transformer_backward` takes the place of autograd's record of each
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
    causal : bool
        Whether a position may look at itself and at those before it alone.

    Attributes
    ----------
    qkv, out, inner, outer : Parameter, shape (depth, ..., ... + 1)
        As in `backprop.DeepBlocks`, biases as last columns.
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
        self.qkv = _with_bias(_xavier(depth, 3 * d_model, d_model))
        self.out = _with_bias(_xavier(depth, d_model, d_model))
        self.inner = _with_bias(_xavier(depth, d_ff, d_model))
        self.outer = _with_bias(_xavier(depth, d_model, d_ff))
        self.gate = self.gain = self.bias = None
        if gate is not None:
            self.gate = nn.Parameter(torch.full((depth, 2), float(gate)))
        if wiring.norm != "none":
            self.gain = nn.Parameter(torch.ones(depth, 2, d_model))
            self.bias = nn.Parameter(torch.zeros(depth, 2, d_model))

    def forward(self, h):
        """Map the stream h, shape (..., seq, d_model), to its last state, of the same shape."""
        options = self.n_heads, self.wiring.a, self.wiring.norm, self.causal
        weights = [W[None] for W in self._effective()]
        if self.wiring.norm == "post":
            weights.append(torch.stack([self.gain, self.bias], 2).flatten(1, 2)[None])
        x, keep = h.reshape(1, -1, *h.shape[-2:]), torch.is_grad_enabled()
        return _Deep.apply((*options, keep), [], x, *weights).view_as(h)

    def _effective(self):
        """Multiply gates, b and what belongs to norms before into the matrices beside them."""
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

    def first_nonfinite(self, h):
        """Find the first block that turns finite numbers into infinity or NaN.

        Parameters
        ----------
        h : Tensor, shape (..., seq, d_model)

        Returns
        -------
        int or None
            Counted from 0; None where every block's output is finite.

        Examples
        --------
        >>> net = DeepTransformer(9, 8, n_heads=2)
        >>> _ = nn.init.constant_(net.outer[5], torch.inf)
        >>> net.first_nonfinite(torch.ones(3, 5, 8))
        5
        """
        mask = causal_mask(h.shape[-2]) if self.causal else None
        with torch.no_grad():
            for i in range(len(self.qkv)):
                h = self.block(i)(h, mask=mask)
                if not h.isfinite().all():
                    return i
        return None


def _xavier(depth, d_out, d_in):
    bound = (6 / (d_in + d_out)) ** 0.5
    return torch.empty(depth, d_out, d_in).uniform_(-bound, bound)


def _with_bias(W):
    return nn.Parameter(torch.cat([W, torch.zeros(*W.shape[:2], 1)], -1))


class _Deep(torch.autograd.Function):
    """Lets autograd call `backprop.deep_transformer_forward` and `_backward`."""

    @staticmethod
    def forward(options, kept, x, *weights):
        blocks = _arrays(*weights)
        H, cache = backprop.deep_transformer_forward(blocks, x.detach().numpy(), *options)
        kept.append(cache)
        return torch.from_numpy(H)

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[3:])
        ctx.cache = inputs[1].pop()

    @staticmethod
    def backward(ctx, dH):
        blocks = _arrays(*ctx.saved_tensors)
        dx, gradients = backprop.deep_transformer_backward(blocks, ctx.cache, dH.numpy())
        dweights = [torch.from_numpy(g) for g in gradients if g is not None]
        return None, None, torch.from_numpy(dx), *dweights

    @staticmethod
    def vmap(info, in_dims, options, kept, *inputs):
        merged = merge_copies(inputs, in_dims[2:], info.batch_size)
        H = _Deep.apply(options, kept, *merged)
        return H.unflatten(0, (info.batch_size, -1)), 0


def _arrays(*weights):
    return backprop.DeepBlocks(*(W.detach().numpy() for W in weights))
