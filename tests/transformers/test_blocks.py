import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import backprop
from course_utils.transformers import (
    DecoderBlock,
    DeepNormBlock,
    EncoderBlock,
    PeriNormBlock,
    PostNormBlock,
    PostNormDecoderBlock,
    PreNormBlock,
    PreNormDecoderBlock,
    ReZeroBlock,
    causal_mask,
    copy_torch,
    padding_mask,
)
from course_utils.wiring import PLAIN, Wiring
from tests.transformers import close, draw, randomised

KEEP = padding_mask(torch.tensor([5, 2, 3, 1]), 5)
MEMORY_KEEP = padding_mask(torch.tensor([1, 7, 4, 2]), 7)
ENCODERS = {
    "pre": PreNormBlock,
    "pre, RMSNorm": lambda *sizes: PreNormBlock(*sizes, norm=nn.RMSNorm),
    "post": PostNormBlock,
    "peri": PeriNormBlock,
    "DeepNorm": lambda *sizes: DeepNormBlock(*sizes, depth=6),
    "ReZero": ReZeroBlock,
    "none": lambda *sizes: EncoderBlock(*sizes, wiring=PLAIN),
}


def hidden(mask):
    """torch: True = may not look."""
    return None if mask is None else ~mask


def assert_same_gradients(mine, out, theirs, expected):
    dout = draw(9, *out.shape)
    out.backward(dout)
    expected.backward(dout)
    wanted = copy.deepcopy(theirs)
    with torch.no_grad():
        for weight, gradient in zip(wanted.parameters(), theirs.parameters(), strict=True):
            weight.copy_(gradient.grad)
    gradients = copy.deepcopy(mine)
    copy_torch(gradients, wanted)  # torch's gradients, in the places of our weights
    for (name, got), expected in zip(mine.named_parameters(), gradients.parameters(), strict=True):
        assert got.grad.any() or name.endswith("key.bias"), name  # which moves no share
        assert close(got.grad, expected), name


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("first", [False, True], ids=["post", "pre"])
def test_an_encoder_block_equals_torchs_with_every_gradient(first, causal, padded):
    theirs = randomised(
        nn.TransformerEncoderLayer(6, 3, 10, dropout=0, batch_first=True, norm_first=first)
    )
    mine, h = (PreNormBlock if first else PostNormBlock)(6, 3, 10).double(), draw(0, 4, 5, 6)
    copy_torch(mine, theirs)
    mask, keep = causal_mask(5) if causal else None, KEEP if padded else None
    expected = theirs(
        h, src_mask=hidden(mask), src_key_padding_mask=None if keep is None else ~keep[:, 0]
    )
    both = [part for part in (mask, keep) if part is not None]
    out = mine(h, mask=both[0] & both[-1] if both else None)
    assert close(out, expected)
    assert_same_gradients(mine, out, theirs, expected)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("first", [False, True], ids=["post", "pre"])
def test_a_decoder_block_equals_torchs_with_every_gradient(first, padded):
    theirs = randomised(
        nn.TransformerDecoderLayer(6, 3, 10, dropout=0, batch_first=True, norm_first=first)
    )
    mine = (PreNormDecoderBlock if first else PostNormDecoderBlock)(6, 3, 10).double()
    copy_torch(mine, theirs)
    inputs = [
        [t.clone().requires_grad_() for t in (draw(0, 4, 5, 6), draw(1, 4, 7, 6))] for _ in range(2)
    ]
    masks = {"mask": causal_mask(5)}
    their_masks = {"tgt_mask": ~causal_mask(5)}
    if padded:
        masks = {"mask": causal_mask(5) & KEEP, "memory_mask": MEMORY_KEEP}
        their_masks |= {
            "tgt_key_padding_mask": ~KEEP[:, 0],
            "memory_key_padding_mask": ~MEMORY_KEEP[:, 0],
        }
    out, expected = mine(*inputs[0], **masks), theirs(*inputs[1], **their_masks)
    assert close(out, expected)
    assert_same_gradients(mine, out, theirs, expected)
    for ours, torchs in zip(*inputs, strict=True):
        assert close(ours.grad, torchs.grad)


@pytest.mark.parametrize("norm", [nn.LayerNorm, nn.RMSNorm])
def test_a_pre_norm_block_equals_the_one_derived_in_numpy(norm):
    block = randomised(PreNormBlock(6, 3, 10, norm=norm))
    for sublayer in (block.attend, block.feed):
        sublayer.norm.eps = 1e-5  # torch's RMSNorm takes a smaller one
    attend, feed = block.attend.branch, block.feed.branch
    linears = attend.query, attend.key, attend.value, attend.out
    kind = backprop.LayerNorm if norm is nn.LayerNorm else backprop.RMSNorm
    parts = (
        kind(*block.attend.norm.parameters()),
        backprop.Attention(*(m.weight for m in linears), *(m.bias for m in linears)),
        kind(*block.feed.norm.parameters()),
        backprop.Branch(*feed.parameters()),
    )
    arrays = backprop.TransformerBlock(
        *(type(part)(*(w.detach().numpy() for w in part)) for part in parts)
    )
    h = draw(0, 4, 5, 6).requires_grad_()
    out, dH = block(h, mask=causal_mask(5)), draw(1, 4, 5, 6)
    H, cache = backprop.pre_norm_forward(arrays, h.detach().numpy(), 3, causal_mask(5).numpy())
    dh, gradients = backprop.pre_norm_backward(arrays, cache, dH.numpy())
    out.backward(dH)
    assert close(torch.from_numpy(H), out)
    assert close(torch.from_numpy(dh), h.grad)
    for part, weights in zip(gradients, parts, strict=True):
        for mine, weight in zip(part, weights, strict=True):
            assert close(torch.from_numpy(mine), weight.grad)


@pytest.mark.parametrize("name", ENCODERS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), seq=st.integers(2, 6), data=st.data())
def test_behind_a_causal_mask_the_past_does_not_see_the_future(name, seed, seq, data):
    torch.manual_seed(seed)
    block, h = randomised(ENCODERS[name](6, 3, 8), seed), draw(seed, 2, seq, 6)
    place = data.draw(st.integers(0, seq - 1))
    changed = h.clone()
    changed[:, place] += 1 + draw(seed + 1, 2, 6).abs()
    before, after = block(h, mask=causal_mask(seq)), block(changed, mask=causal_mask(seq))
    assert torch.equal(before[:, :place], after[:, :place])
    assert not torch.equal(before[:, place:], after[:, place:])


@pytest.mark.parametrize("name", ENCODERS)
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), seq=st.integers(1, 6))
def test_without_a_mask_a_permutation_goes_through(name, seed, seq):
    torch.manual_seed(seed)
    block, h = randomised(ENCODERS[name](6, 3, 8), seed), draw(seed, 2, seq, 6)
    order = torch.randperm(seq)
    assert close(block(h[:, order]), block(h)[:, order])


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), keys=st.integers(1, 6))
def test_a_decoder_does_not_care_for_the_order_of_its_memory(seed, keys):
    torch.manual_seed(seed)
    block = randomised(PreNormDecoderBlock(6, 3, 8), seed)
    h, memory = draw(seed, 2, 4, 6), draw(seed + 1, 2, keys, 6)
    order = torch.randperm(keys)
    assert close(block(h, memory[:, order]), block(h, memory))
    alone = block(h, memory[:, :1])
    cut = torch.arange(keys)[None] < 1
    assert close(block(h, memory, memory_mask=cut), alone)


@pytest.mark.parametrize("name", ENCODERS)
def test_the_jacobian_is_the_identity_plus_that_of_the_branch(name):
    block, h = randomised(ENCODERS[name](6, 3, 8)), draw(0, 4, 6)

    def jacobian(function):
        return torch.autograd.functional.jacobian(function, h).reshape(24, 24)

    for sublayer in (block.attend, block.feed):
        wiring, gate = sublayer.wiring, 1 if sublayer.gate is None else sublayer.gate

        def branch(h, sublayer=sublayer, wiring=wiring, gate=gate):
            u = sublayer.norm(h) if wiring.norm in ("pre", "peri") else h
            return gate * sublayer.norm_after(sublayer.branch(u))

        expected = torch.eye(24, dtype=torch.double) + jacobian(branch)
        assert close(jacobian(sublayer), expected) == wiring.keeps_identity
        assert wiring.keeps_identity == (name not in ("post", "DeepNorm", "none"))


def test_deep_norm_has_the_gains_of_its_paper():
    torch.manual_seed(0)
    block = DeepNormBlock(64, 4, depth=24)
    assert block.attend.wiring == Wiring((2 * 24) ** 0.25, norm="post") == block.feed.wiring
    attend, feed, beta = block.attend.branch, block.feed.branch, (8 * 24) ** -0.25
    gains = {"query": 1, "key": 1, "value": beta, "out": beta}
    linears = {getattr(attend, name): gain for name, gain in gains.items()}
    for linear, gain in (linears | {feed.inner: beta, feed.outer: beta}).items():
        bound = gain * (6 / sum(linear.weight.shape)) ** 0.5
        assert 0.99 * bound < linear.weight.abs().max() <= bound
    with pytest.raises(ValueError, match="got 0"):
        DeepNormBlock(8, 2, depth=0)


def test_rezero_has_no_norm_and_its_numbers_learn():
    block, h = ReZeroBlock(6, 3).double(), draw(0, 4, 5, 6)
    assert not any("norm" in name for name, _ in block.named_parameters())
    block(h).square().sum().backward()
    assert block.attend.gate.grad.any()
    assert block.feed.gate.grad.any()


@pytest.mark.parametrize("name", [n for n in ENCODERS if n not in ("none",)])
def test_every_norm_is_the_one_asked_for(name):
    block = ENCODERS[name](6, 3)
    kinds = {type(m) for m in block.modules() if isinstance(m, nn.LayerNorm | nn.RMSNorm)}
    assert kinds == {"pre, RMSNorm": {nn.RMSNorm}, "ReZero": set()}.get(name, {nn.LayerNorm})


@pytest.mark.parametrize("name", ENCODERS)
def test_copies_under_vmap_equal_one_by_one(name):
    torch.manual_seed(0)
    blocks, h = [randomised(ENCODERS[name](6, 3), i) for i in range(3)], draw(0, 4, 5, 6)
    stacked, _ = torch.func.stack_module_state(blocks)

    def call(parameters, h):
        return torch.func.functional_call(blocks[0], parameters, (h,), {"mask": KEEP})

    together = torch.func.vmap(call, (0, None))(stacked, h)
    together.square().sum().backward()
    for i, block in enumerate(blocks):
        alone = block(h, mask=KEEP)
        assert close(together[i], alone)
        alone.square().sum().backward()
        for weight_name, parameter in block.named_parameters():
            assert close(stacked[weight_name].grad[i], parameter.grad, 1e-9), weight_name


@pytest.mark.parametrize("name", ENCODERS)
def test_blocks_can_be_copied_and_stored(name):
    block, h = ENCODERS[name](6, 3), torch.randn(4, 5, 6)
    for other in (copy.deepcopy(block), pickle.loads(pickle.dumps(block))):
        assert torch.equal(other(h), block(h))


def test_a_row_says_what_it_is():
    for word in ("EncoderBlock", "h ← h + F(norm(h))", "Xiong", "10_norm_placement"):
        assert word in PreNormBlock.__doc__


def test_a_decoder_takes_any_wiring():
    block = DecoderBlock(6, 3, wiring=Wiring(norm="peri"), norm=nn.RMSNorm)
    assert block(torch.ones(1, 2, 6), torch.ones(1, 3, 6)).shape == (1, 2, 6)
