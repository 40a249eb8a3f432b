import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from course_utils import backprop
from course_utils.fast import tapes
from course_utils.fast.transformer_kernel import (
    DeepBlocks,
    deep_transformer_backward,
    deep_transformer_forward,
)
from tests.backprop import close, gradients_of


def case(seed, norm="none", copies=2, depth=5, batch=3, seq=4, n_heads=2, d=3, d_ff=5):
    rng, d_model = np.random.default_rng(seed), n_heads * d
    shapes = (
        (3 * d_model, d_model + 1), (d_model, d_model + 1), (d_ff, d_model + 1), (d_model, d_ff + 1)
    )  # fmt: skip
    weights = [rng.normal(size=(copies, depth, *s)) / s[1] for s in shapes]
    if norm == "post":
        weights.append(rng.normal(1, 0.3, size=(copies, depth, 4, d_model)))
    return DeepBlocks(*weights), *rng.normal(size=(2, copies, batch, seq, d_model))


def by_torch(n_heads, a, norm, causal):
    """One copy of the same net from torch's functions."""

    def run(h, *weights):
        def before(h):
            return functional.layer_norm(h, h.shape[-1:]) if norm == "pre" else h

        def after(h, *gain_and_bias):
            return functional.layer_norm(h, h.shape[-1:], *gain_and_bias) if norm == "post" else h

        linear = lambda u, W: functional.linear(u, W[:, :-1], W[:, -1])  # noqa: E731
        for qkv, out, inner, outer, *norms in zip(*weights, strict=True):
            norms = norms[0] if norms else [None] * 4
            q, k, v = (
                part.unflatten(-1, (n_heads, -1)).transpose(1, 2)
                for part in linear(before(h), qkv).chunk(3, -1)
            )
            heads = functional.scaled_dot_product_attention(q, k, v, is_causal=causal)
            h = after(a * h + linear(heads.transpose(1, 2).flatten(-2), out), *norms[:2])
            h = after(a * h + linear(linear(before(h), inner).relu(), outer), *norms[2:])
        return h

    return run


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 999),
    copies=st.integers(1, 3),
    depth=st.integers(1, 4),
    batch=st.integers(1, 3),
    seq=st.integers(1, 5),
    n_heads=st.integers(1, 3),
    d=st.integers(1, 3),
    d_ff=st.integers(1, 6),
    a=st.sampled_from([1, 0, 0.5]),
    norm=st.sampled_from(["none", "pre", "post"]),
    causal=st.booleans(),
)
def test_a_deep_transformer_equals_autograd(
    seed, copies, depth, batch, seq, n_heads, d, d_ff, a, norm, causal
):
    blocks, x, dH = case(seed, norm, copies, depth, batch, seq, n_heads, d, d_ff)
    weights = [W for W in blocks if W is not None]
    H, cache = deep_transformer_forward(blocks, x, n_heads, a, norm, causal)
    dx, gradients = deep_transformer_backward(blocks, cache, dH)
    for copy in range(copies):
        arrays = [x[copy], *(W[copy] for W in weights)]
        out, expected = gradients_of(by_torch(n_heads, a, norm, causal), arrays, dH[copy])
        assert close(H[copy], out, 1e-10)
        largest = max(1, *(np.abs(theirs).max() for theirs in expected))
        for mine, theirs in zip((dx, *gradients[: len(weights)]), expected, strict=True):
            assert mine[copy].shape == theirs.shape
            assert np.abs(mine[copy] - theirs).max() <= 1e-10 * largest


@pytest.mark.parametrize("norm", ["none", "pre", "post"])
def test_float32_stays_float32_and_arguments_are_left_alone(norm):
    blocks, x, dH = case(0, norm)
    weights = [W.astype(np.float32) for W in blocks if W is not None]
    blocks, x, dH = DeepBlocks(*weights), x.astype(np.float32), dH.astype(np.float32)
    before = [array.copy() for array in (x, dH, *weights)]
    H, cache = deep_transformer_forward(blocks, x, 2, norm=norm)
    dx, gradients = deep_transformer_backward(blocks, cache, dH)
    parts = (H, dx, *gradients[: len(weights)])
    assert {part.dtype for part in parts} == {np.dtype("float32")}
    after = (x, dH, *weights)
    assert all(np.array_equal(old, new) for old, new in zip(before, after, strict=True))


@pytest.mark.parametrize("norm", ["none", "pre", "post"])
def test_without_keep_the_values_are_the_same_and_nothing_goes_back(norm):
    blocks, x, dH = case(1, norm)
    kept, _ = deep_transformer_forward(blocks, x, 2, norm=norm)
    H, cache = deep_transformer_forward(blocks, x, 2, norm=norm, keep=False)
    assert np.array_equal(H, kept)
    with pytest.raises(ValueError, match="keep=True"):
        deep_transformer_backward(blocks, cache, dH)


def test_memory_is_lent_to_the_next_pass_alone_and_can_be_freed():
    blocks, x, dH = case(2)
    expected = [
        deep_transformer_backward(blocks, deep_transformer_forward(blocks, v, 2)[1], dH)[0]
        for v in (x, -x)
    ]
    caches = [deep_transformer_forward(blocks, v, 2)[1] for v in (x, -x)]
    for cache, dx in zip(caches, expected, strict=True):
        assert np.array_equal(deep_transformer_backward(blocks, cache, dH)[0], dx)
    with pytest.raises(ValueError, match="one backward pass"):
        deep_transformer_backward(blocks, caches[0], dH)
    assert tapes.lent() is caches[1]
    masked = deep_transformer_forward(blocks, x, 2, causal=True)[0]  # another tape
    assert not np.allclose(masked, deep_transformer_forward(blocks, x, 2)[0])
    backprop.free()
    assert tapes.lent() is None


def test_large_scores_do_not_overflow():
    blocks, x, _ = case(3)
    H, _ = deep_transformer_forward(blocks._replace(qkv=1e4 * blocks.qkv), x, 2)
    assert np.isfinite(H).all()


def test_heads_that_do_not_fit_are_refused():
    blocks, x, _ = case(0)
    with pytest.raises(ValueError, match="divide d_model=6, got 4"):
        deep_transformer_forward(blocks, x, 4)
