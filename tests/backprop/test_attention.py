import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from course_utils import backprop
from course_utils.backprop import Attention
from tests.backprop import close, gradients_of

SIZES = {
    "seed": st.integers(0, 999),
    "batch": st.lists(st.integers(1, 3), max_size=2),
    "queries": st.integers(1, 5),
    "keys": st.integers(1, 5),
}
MASKS = st.sampled_from(["none", "random", "one for all"])


def a_mask(rng, kind, batch, queries, keys):
    """Some queries of a random one may look nowhere."""
    if kind == "none":
        return None
    return rng.random((*(batch if kind == "random" else ()), queries, keys)) < 0.6


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 999), shape=st.lists(st.integers(1, 5), min_size=1, max_size=3))
def test_softmax_equals_autograds(seed, shape):
    z, dp = np.random.default_rng(seed).normal(size=(2, *shape)) * 5
    out, (dz,) = gradients_of(lambda z: z.softmax(-1), [z], dp)
    p = backprop.softmax(z)
    assert close(p, out, 1e-10)
    assert close(backprop.softmax_backward(p, dp), dz, 1e-10)
    assert close(backprop.softmax(z + 1e3), out, 1e-10)


@settings(max_examples=80, deadline=None)
@given(**SIZES, d=st.integers(1, 5), d_v=st.integers(1, 5), kind=MASKS)
def test_attention_equals_torchs(seed, batch, queries, keys, d, d_v, kind):
    rng = np.random.default_rng(seed)
    q, k, v, dout = (
        rng.normal(size=(*batch, *end))
        for end in ((queries, d), (keys, d), (keys, d_v), (queries, d_v))
    )
    mask = a_mask(rng, kind, batch, queries, keys)
    theirs = None if mask is None else torch.from_numpy(mask)
    out, expected = gradients_of(
        lambda *qkv: functional.scaled_dot_product_attention(*qkv, attn_mask=theirs),
        [q, k, v],
        dout,
    )
    got, cache = backprop.attention_forward(q, k, v, mask)
    assert close(got, out, 1e-10)
    for mine, autograds in zip(backprop.attention_backward(cache, dout), expected, strict=True):
        assert close(mine, autograds, 1e-10)


def heads_by_torch(n_heads, mask, self_attention):
    """nn.MultiheadAttention's own function, from x, memory and our eight weights."""

    def run(x, memory, Wq, Wk, Wv, Wo, cq, ck, cv, co):
        memory = x if self_attention else memory
        # torch: True = may not look, one mask for each sequence and head, (seq, batch, width)
        hidden = None if mask is None else torch.from_numpy(~mask).repeat_interleave(n_heads, 0)
        out, _ = functional.multi_head_attention_forward(
            x.transpose(0, 1), memory.transpose(0, 1), memory.transpose(0, 1),
            embed_dim_to_check=x.shape[-1], num_heads=n_heads,
            in_proj_weight=torch.cat([Wq, Wk, Wv]), in_proj_bias=torch.cat([cq, ck, cv]),
            bias_k=None, bias_v=None, add_zero_attn=False, dropout_p=0.0,
            out_proj_weight=Wo, out_proj_bias=co, need_weights=False, attn_mask=hidden,
        )  # fmt: skip
        return out.transpose(0, 1)

    return run


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 999),
    batch=st.integers(1, 3),
    seq=st.integers(1, 5),
    keys=st.integers(1, 5),
    n_heads=st.integers(1, 3),
    d=st.integers(1, 3),
    cross=st.booleans(),
    masked=st.booleans(),
)
def test_several_heads_equal_torchs(seed, batch, seq, keys, n_heads, d, cross, masked):
    rng = np.random.default_rng(seed)
    d_model, keys = n_heads * d, keys if cross else seq
    x, dout = rng.normal(size=(2, batch, seq, d_model))
    memory = rng.normal(size=(batch, keys, d_model))
    weights = Attention(*rng.normal(size=(4, d_model, d_model)), *rng.normal(size=(4, d_model)))
    mask = None
    if masked:  # each query may look at something
        mask = rng.random((batch, seq, keys)) < 0.6
        mask[..., 0] = True
    out, expected = gradients_of(
        heads_by_torch(n_heads, mask, not cross), [x, memory, *weights], dout
    )
    got, cache = backprop.multi_head_forward(weights, x, n_heads, mask, memory if cross else None)
    dx, dmemory, gradients = backprop.multi_head_backward(weights, cache, dout)
    assert close(got, out, 1e-10)
    assert close(dx, expected[0], 1e-10)
    if cross:
        assert close(dmemory, expected[1], 1e-10)
    else:
        assert dmemory is None
    for mine, autograds in zip(gradients, expected[2:], strict=True):
        assert close(mine, autograds, 1e-9)


def test_copies_on_a_leading_axis_have_weights_of_their_own():
    rng = np.random.default_rng(0)
    weights = backprop.random_attention(rng, 6, seeds=(3,))
    x, dout = rng.normal(size=(2, 3, 2, 5, 6))
    out, cache = backprop.multi_head_forward(weights, x, 2, np.tri(5, dtype=bool))
    dx, _, gradients = backprop.multi_head_backward(weights, cache, dout)
    one = Attention(*(part[1] for part in weights))
    out_one, cache = backprop.multi_head_forward(one, x[1], 2, np.tri(5, dtype=bool))
    dx_one, _, gradients_one = backprop.multi_head_backward(one, cache, dout[1])
    assert close(out[1], out_one, 1e-12)
    assert close(dx[1], dx_one, 1e-12)
    assert all(close(p[1], q, 1e-12) for p, q in zip(gradients, gradients_one, strict=True))


def test_float32_stays_float32():
    rng = np.random.default_rng(0)
    weights = Attention(*(p.astype(np.float32) for p in backprop.random_attention(rng, 4)))
    x = rng.normal(size=(2, 3, 4)).astype(np.float32)
    out, cache = backprop.multi_head_forward(weights, x, 2, np.tri(3, dtype=bool))
    dx, _, gradients = backprop.multi_head_backward(weights, cache, x)
    assert {part.dtype for part in (out, dx, *gradients)} == {np.dtype("float32")}


def test_heads_that_do_not_fit_are_refused():
    weights = backprop.random_attention(np.random.default_rng(0), 4)
    with pytest.raises(ValueError, match="divide d_model=4, got 3"):
        backprop.multi_head_forward(weights, np.ones((2, 4)), n_heads=3)
