import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from course_utils import backprop
from course_utils.backprop import Attention, Branch, LayerNorm, RMSNorm, TransformerBlock
from tests.backprop import close, gradients_of


def a_block(rng, kind, d_model, hidden, seeds=()):
    """No gain at 1 and no bias at 0."""

    def draw(*shape):
        return rng.normal(size=(*seeds, *shape))

    norms = [kind(*(draw(d_model) for _ in kind._fields)) for _ in range(2)]
    attention = Attention(
        *(draw(d_model, d_model) for _ in range(4)), *(draw(d_model) for _ in range(4))
    )
    branch = Branch(draw(hidden, d_model), draw(hidden), draw(d_model, hidden), draw(d_model))
    return TransformerBlock(norms[0], attention, norms[1], branch)


def weights_of(block):
    return [weight for part in block for weight in part]


def by_torch(kind, n_heads, mask):
    """The same block from torch's functions."""
    pure = functional.layer_norm if kind is LayerNorm else functional.rms_norm
    count, mask = len(kind._fields), None if mask is None else torch.from_numpy(mask)

    def run(h, *weights):
        norm1, rest = weights[:count], weights[count:]
        (Wq, Wk, Wv, Wo, cq, ck, cv, co), rest = rest[:8], rest[8:]
        norm2, (W1, c1, W2, c2) = rest[:count], rest[count:]
        u = pure(h, h.shape[-1:], *norm1, eps=1e-5)
        q, k, v = (
            functional.linear(u, W, c).unflatten(-1, (n_heads, -1)).transpose(1, 2)
            for W, c in ((Wq, cq), (Wk, ck), (Wv, cv))
        )
        heads = functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        h = h + functional.linear(heads.transpose(1, 2).flatten(-2), Wo, co)
        u = pure(h, h.shape[-1:], *norm2, eps=1e-5)
        return h + functional.linear(functional.linear(u, W1, c1).relu(), W2, c2)

    return run


@pytest.mark.parametrize("kind", [LayerNorm, RMSNorm])
@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 999),
    batch=st.integers(1, 3),
    seq=st.integers(1, 5),
    n_heads=st.integers(1, 3),
    d=st.integers(1, 3),
    hidden=st.integers(1, 7),
    causal=st.booleans(),
)
def test_a_pre_norm_block_equals_autograd(kind, seed, batch, seq, n_heads, d, hidden, causal):
    rng = np.random.default_rng(seed)
    d_model = n_heads * d + (n_heads * d == 1)  # a norm of one feature is 0
    n_heads = 1 if d_model % n_heads else n_heads
    block = a_block(rng, kind, d_model, hidden)
    mask = np.tri(seq, dtype=bool) if causal else None
    h, dH = rng.normal(size=(2, batch, seq, d_model))
    out, expected = gradients_of(by_torch(kind, n_heads, mask), [h, *weights_of(block)], dH)
    H, cache = backprop.pre_norm_forward(block, h, n_heads, mask)
    dh, gradients = backprop.pre_norm_backward(block, cache, dH)
    assert close(H, out, 1e-10)
    largest = max(1, *(np.abs(theirs).max() for theirs in expected))
    for mine, theirs in zip((dh, *weights_of(gradients)), expected, strict=True):
        assert mine.shape == theirs.shape
        assert np.abs(mine - theirs).max() <= 1e-10 * largest


def test_copies_are_blocks_of_their_own():
    rng = np.random.default_rng(0)
    block, (h, dH) = a_block(rng, LayerNorm, 6, 8, seeds=(3,)), rng.normal(size=(2, 3, 2, 4, 6))
    H, cache = backprop.pre_norm_forward(block, h, 2)
    dh, gradients = backprop.pre_norm_backward(block, cache, dH)
    one = TransformerBlock(*(type(part)(*(w[1] for w in part)) for part in block))
    H_one, cache = backprop.pre_norm_forward(one, h[1], 2)
    dh_one, gradients_one = backprop.pre_norm_backward(one, cache, dH[1])
    assert close(H[1], H_one, 1e-12)
    assert close(dh[1], dh_one, 1e-11)
    pairs = zip(weights_of(gradients), weights_of(gradients_one), strict=True)
    assert all(close(mine[1], alone, 1e-11) for mine, alone in pairs)


def test_arguments_are_left_alone():
    rng = np.random.default_rng(0)
    block, (h, dH) = a_block(rng, RMSNorm, 4, 8), rng.normal(size=(2, 2, 3, 4))
    before = [array.copy() for array in (h, dH, *weights_of(block))]
    _, cache = backprop.pre_norm_forward(block, h, 2)
    backprop.pre_norm_backward(block, cache, dH)
    after = (h, dH, *weights_of(block))
    assert all(np.array_equal(old, new) for old, new in zip(before, after, strict=True))
