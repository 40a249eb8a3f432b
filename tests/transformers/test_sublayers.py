import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional

from course_utils import backprop
from course_utils.transformers import (
    FeedForward,
    MultiHeadAttention,
    attention,
    attention_weights,
    causal_mask,
    copy_torch,
    padding_mask,
)
from tests.transformers import close, draw, randomised

SIZES = {
    "seed": st.integers(0, 999),
    "batch": st.lists(st.integers(1, 3), max_size=2),
    "queries": st.integers(1, 5),
    "keys": st.integers(1, 5),
}


@settings(max_examples=60, deadline=None)
@given(**SIZES, d=st.integers(1, 5), d_v=st.integers(1, 5), masked=st.booleans())
def test_attention_equals_torchs_and_its_gradients_too(seed, batch, queries, keys, d, d_v, masked):
    ends = (queries, d), (keys, d), (keys, d_v), (queries, d_v), (queries, keys)
    *qkv, dout, chance = (draw(seed + i, *batch, *end) for i, end in enumerate(ends))
    mask = chance < 0.3 if masked else None  # some queries may look nowhere
    results = []
    for function in (attention, functional.scaled_dot_product_attention):
        leaves = [part.clone().requires_grad_() for part in qkv]
        out = function(*leaves, mask)
        results.append((out, *torch.autograd.grad(out, leaves, dout)))
    for mine, theirs in zip(*results, strict=True):
        assert close(mine, theirs)


@settings(max_examples=30, deadline=None)
@given(**SIZES, d=st.integers(1, 5))
def test_weights_are_shares_and_nothing_is_looked_at_behind_a_mask(seed, batch, queries, keys, d):
    q, k = draw(seed, *batch, queries, d), draw(seed + 1, *batch, keys, d)
    mask = draw(seed + 2, queries, keys) < 0.3
    weights = attention_weights(q, k, mask)
    assert not weights[(~mask).expand_as(weights)].any()
    assert torch.allclose(weights.sum(-1), mask.any(-1).double().expand(*batch, queries))


def test_masks_say_true_where_a_query_may_look():
    assert torch.equal(~causal_mask(4), nn.Transformer.generate_square_subsequent_mask(4) < 0)
    mask = padding_mask(torch.tensor([2, 4]), 4)
    assert mask.tolist() == [[[True, True, False, False]], [[True] * 4]]
    assert (mask & causal_mask(4)).shape == (2, 4, 4)


def torchs_mask(mask, n_heads, batch, queries, keys):
    """True = may not look, one for each sequence and head."""
    return (
        None if mask is None else ~mask.expand(batch, queries, keys).repeat_interleave(n_heads, 0)
    )


def both(d_model=6, n_heads=3):
    theirs = randomised(nn.MultiheadAttention(d_model, n_heads, batch_first=True))
    mine = MultiHeadAttention(d_model, n_heads).double()
    copy_torch(mine, theirs)
    return mine, theirs


MASKS = {
    "none": None,
    "causal": causal_mask(5),
    "padding": padding_mask(torch.tensor([5, 2, 3, 1]), 5),
    "both": padding_mask(torch.tensor([5, 2, 3, 1]), 5) & causal_mask(5),
}


@pytest.mark.parametrize("name", MASKS)
def test_self_attention_equals_torchs_with_every_gradient(name):
    (mine, theirs), x, mask = both(), draw(0, 4, 5, 6), MASKS[name]
    out = mine(x, mask=mask)
    expected, _ = theirs(x, x, x, attn_mask=torchs_mask(mask, 3, 4, 5, 5), need_weights=False)
    assert close(out, expected)
    assert_same_gradients(mine, out, theirs, expected)


def test_cross_attention_equals_torchs_with_every_gradient():
    (mine, theirs), x, memory = both(), draw(0, 4, 5, 6), draw(1, 4, 7, 6)
    mask = padding_mask(torch.tensor([7, 2, 3, 1]), 7)
    out = mine(x, memory, mask)
    expected, _ = theirs(
        x, memory, memory, attn_mask=torchs_mask(mask, 3, 4, 5, 7), need_weights=False
    )
    assert close(out, expected)
    assert_same_gradients(mine, out, theirs, expected)


def assert_same_gradients(mine, out, theirs, expected):
    dout = draw(9, *out.shape)
    out.backward(dout)
    expected.backward(dout)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.copy_(parameter.grad)
    gradients = MultiHeadAttention(mine.query.in_features, mine.n_heads).double()
    copy_torch(gradients, theirs)  # torch's gradients, in the places of our weights
    for (name, got), wanted in zip(mine.named_parameters(), gradients.parameters(), strict=True):
        assert close(got.grad, wanted), name


@pytest.mark.parametrize("cross", [False, True])
def test_modules_equal_what_is_derived_in_numpy(cross):
    attend, feed = randomised(MultiHeadAttention(6, 3)), randomised(FeedForward(6, 10))
    x, memory = draw(0, 4, 5, 6), draw(1, 4, 7, 6) if cross else None
    linears = attend.query, attend.key, attend.value, attend.out
    weights = backprop.Attention(
        *(linear.weight.detach().numpy() for linear in linears),
        *(linear.bias.detach().numpy() for linear in linears),
    )
    out, _ = backprop.multi_head_forward(
        weights, x.numpy(), 3, memory=None if memory is None else memory.numpy()
    )
    assert close(attend(x, memory), torch.from_numpy(out))
    branch = backprop.Branch(*(p.detach().numpy() for p in feed.parameters()))
    assert close(feed(x), torch.from_numpy(backprop.feed_forward(branch, x.numpy())[0]))


def test_the_start_is_that_of_torchs_transformer_with_biases_of_0():
    torch.manual_seed(0)
    layer = nn.Transformer(64, 4, 1, 1, 256, batch_first=True).encoder.layers[0]
    attend, feed = MultiHeadAttention(64, 4), FeedForward(64)
    theirs = (
        *layer.self_attn.in_proj_weight.chunk(3),
        *(m.weight for m in (layer.self_attn.out_proj, layer.linear1, layer.linear2)),
    )
    mine = attend.query, attend.key, attend.value, attend.out, feed.inner, feed.outer
    for linear, expected in zip(mine, theirs, strict=True):
        assert not linear.bias.any()
        assert linear.weight.shape == expected.shape
        assert 0.98 < linear.weight.abs().max() / expected.abs().max() < 1.02


def test_heads_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="divide d_model=8, got 3"):
        MultiHeadAttention(8, 3)
