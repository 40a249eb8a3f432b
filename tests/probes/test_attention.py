import numpy as np
import pytest
import torch

from course_utils import backprop, probes
from course_utils.wiring import Wiring


def test_the_spread_of_tokens_is_the_part_that_is_not_their_mean():
    x = np.array([[[3.0, 0.0], [3.0, 2.0]], [[1.0, 1.0], [1.0, 1.0]]])
    assert np.allclose(probes.token_spread(x), [(2 / 22) ** 0.5, 0])
    shifted = x - x.mean(-2, keepdims=True) + 1e-3
    assert probes.token_spread(shifted)[0] > 0.99


@pytest.mark.parametrize(
    "wire", [Wiring(), Wiring(a=0.5, b=0.3, norm="pre"), Wiring(norm="post"), Wiring(a=0)]
)
def test_rank_collapse_runs_every_sublayer_as_wired(wire):
    rng = np.random.default_rng(0)
    layers = [
        (backprop.random_attention(rng, 8, seeds=(2,)), feed)
        for feed in (backprop.random_branch(rng, 8, 16, seeds=(2,)), None)
    ]
    x = rng.normal(size=(2, 5, 8))
    spreads = probes.rank_collapse(layers, x, 2, wire)
    assert spreads.shape == (3, 2)
    h, norm = x, lambda u: backprop.layer_norm_forward(u)[0]
    for f, g in layers:
        for run in (
            lambda u, f=f: backprop.multi_head_forward(f, u, 2)[0],
            lambda u, g=g: backprop.feed_forward(g, u)[0],
        )[: 1 if g is None else 2]:
            h = wire.a * h + wire.b * run(norm(h) if wire.norm == "pre" else h)
            h = norm(h) if wire.norm == "post" else h
    assert np.allclose(spreads[-1], probes.token_spread(h))
    with pytest.raises(ValueError, match="one norm"):
        probes.rank_collapse(layers, x, 2, Wiring(norm="peri"))


def test_attention_alone_loses_the_third_power_of_the_spread():
    rng = np.random.default_rng(0)
    layers = [(backprop.random_attention(rng, 32), None)]
    mean, rest = rng.normal(size=(1, 32)), rng.normal(size=(16, 32))
    small, smaller = (
        probes.rank_collapse(layers, mean + size * rest, 4, Wiring(a=0))[1] for size in (1e-2, 1e-3)
    )
    assert 990 < small / smaller < 1010


def test_behind_a_causal_mask_attention_loses_a_part_of_the_spread():
    rng = np.random.default_rng(0)
    layers = [(backprop.random_attention(rng, 32), None)] * 2
    mean, rest = rng.normal(size=(1, 32)), rng.normal(size=(16, 32))
    mask = np.tri(16, dtype=bool)
    small, smaller = (
        probes.rank_collapse(layers, mean + size * rest, 4, Wiring(a=0), mask)
        for size in (1e-2, 1e-3)
    )
    assert np.allclose(small / smaller, 10, rtol=0.02)
    h = mean + 1e-3 * rest
    for attention, _ in layers:
        h = backprop.multi_head_forward(attention, h, 4, mask)[0]
    assert np.allclose(smaller[-1], probes.token_spread(h))


def follow(norm, mask=None, seed=0):
    rng = np.random.default_rng(seed)
    norms = [
        backprop.LayerNorm(*(rng.normal(size=(2, 6)) + np.array([[1.0], [0.0]]))) for _ in range(2)
    ]
    parts = backprop.random_attention(rng, 6), backprop.random_branch(rng, 6, 10)
    block = backprop.TransformerBlock(norms[0], parts[0], norms[1], parts[1])
    h, target = rng.normal(size=(2, 4, 6))
    wiring = norm if isinstance(norm, Wiring) else Wiring(norm=norm)
    return block, h, target, probes.block_tensors(block, h, 3, wiring, target, mask)


@pytest.mark.parametrize("mask", [None, np.tri(4, dtype=bool)], ids=["none", "causal"])
def test_the_tensors_of_a_pre_norm_block_are_those_of_its_backward_pass(mask):
    block, h, target, found = follow("pre", mask)
    H, cache = backprop.pre_norm_forward(block, h, 3, mask)
    dh, _ = backprop.pre_norm_backward(block, cache, H - target)
    assert np.array_equal(found[-1][1], H)
    assert np.allclose(found[0][2], dh)
    assert np.array_equal(found[3][1], cache[1][2][3])
    assert np.array_equal(found[7][1], np.maximum(cache[3][1], 0))
    assert [name for name, *_ in found] == [
        "stream h", "norm(h)", "queries, keys, values", "attention weights",
        "F(h): heads joined and mixed", "h + F(h)", "norm(h)", "inner layer after ReLU",
        "F(h): outer layer", "h + F(h)",
    ]  # fmt: skip


@pytest.mark.parametrize("norm", ["none", "pre", "post", Wiring(a=0.5, b=2.0, norm="post")])
@pytest.mark.parametrize("mask", [None, np.tri(4, dtype=bool)], ids=["none", "causal"])
def test_every_gradient_on_the_way_is_that_of_autograd(norm, mask):
    block, h, target, found = follow(norm, mask)
    wiring = norm if isinstance(norm, Wiring) else Wiring(norm=norm)
    f, g = block.attention, block.branch
    kept = []

    def keep(array):
        kept.append(array.requires_grad_() if array.is_leaf else array)
        kept[-1].retain_grad()
        return kept[-1]

    def normed(norm, u):
        gain, bias = map(torch.from_numpy, norm)
        return torch.nn.functional.layer_norm(u, (6,), gain, bias)

    def attend(u):
        qkv = torch.stack([u @ torch.from_numpy(W).T for W in f[:3]])
        q, k, v = keep(qkv.unflatten(-1, (3, 2)).transpose(-2, -3))
        z = q @ k.mT / 2**0.5
        z = z if mask is None else z.masked_fill(~torch.from_numpy(mask), -torch.inf)
        heads = keep(z.softmax(-1)) @ v
        return keep(heads.transpose(-2, -3).flatten(-2) @ torch.from_numpy(f.Wo).T)

    def feed(u):
        inner = keep(torch.relu(u @ torch.from_numpy(g.W1).T))
        return keep(inner @ torch.from_numpy(g.W2).T)

    stream = keep(torch.from_numpy(h))
    for weights, run in ((block.norm1, attend), (block.norm2, feed)):
        u = keep(normed(weights, stream)) if wiring.norm == "pre" else stream
        stream = keep(wiring.a * stream + wiring.b * run(u))
        stream = keep(normed(weights, stream)) if wiring.norm == "post" else stream
    (0.5 * (stream - torch.from_numpy(target)) ** 2).sum().backward()
    for (name, tensor, gradient), expected in zip(found, kept, strict=True):
        assert np.allclose(tensor, expected.detach()), name
        assert np.allclose(gradient, expected.grad), name


def test_a_block_with_two_norms_is_not_followed():
    with pytest.raises(ValueError, match="one norm"):
        follow("peri")
