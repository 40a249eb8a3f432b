import numpy as np
import pytest
import torch
from torch import nn

from course_utils import training, transformers
from course_utils.data import reversal_task
from course_utils.fast import DeepTransformer
from course_utils.transformers import EncoderBlock, TokenNet, causal_mask
from course_utils.wiring import PLAIN, RESIDUAL, Wiring
from tests.transformers import close, draw, randomised

NETS = {
    "ReZero": {"gate": 0.0},
    "pre-norm": {"wiring": Wiring(norm="pre")},
    "pre-norm, gate, b": {"wiring": Wiring(b=0.5, norm="pre"), "gate": 0.1},
    "post-norm": {"wiring": Wiring(norm="post")},
    "post-norm, gate, a, b": {"wiring": Wiring(1.7, 0.5, norm="post"), "gate": 0.1},
    "scaled": {"wiring": Wiring(0.9, 0.3)},
    "plain": {"wiring": PLAIN},
    "causal": {"wiring": Wiring(norm="pre"), "causal": True},
}


def deep(name, depth=7, seed=0):
    torch.manual_seed(seed)
    return randomised(DeepTransformer(depth, 6, 3, 10, **NETS[name]), seed)


def run_ordinary(net, h):
    """The same net, module by module."""
    blocks = [net.block(i) for i in range(len(net.qkv))]
    assert all(isinstance(block, EncoderBlock) for block in blocks)
    for block in blocks:
        h = block(h, mask=causal_mask(h.shape[-2]) if net.causal else None)
    return blocks, h


def gradients_of_blocks(net, blocks):
    """The gradients of ordinary blocks, laid out as those of the net."""
    into = DeepTransformer(len(blocks), 6, 3, 10, wiring=net.wiring, gate=0.0).double()

    def rows(*linears):
        return torch.cat([torch.cat([m.weight.grad, m.bias.grad[:, None]], 1) for m in linears])

    attends, feeds = [b.attend.branch for b in blocks], [b.feed.branch for b in blocks]
    found = {
        "qkv": [rows(a.query, a.key, a.value) for a in attends],
        "out": [rows(a.out) for a in attends],
        "inner": [rows(f.inner) for f in feeds],
        "outer": [rows(f.outer) for f in feeds],
    }
    if net.gate is not None:
        found["gate"] = [torch.cat([b.attend.gate.grad, b.feed.gate.grad]) for b in blocks]
    if net.gain is not None:
        norms = [(b.attend.norm, b.feed.norm) for b in blocks]
        found["gain"] = [torch.stack([n.weight.grad for n in pair]) for pair in norms]
        found["bias"] = [torch.stack([n.bias.grad for n in pair]) for pair in norms]
    assert into.qkv.shape == net.qkv.shape
    return {name: torch.stack(parts) for name, parts in found.items()}


@pytest.mark.parametrize("name", NETS)
def test_it_equals_its_blocks_one_by_one_with_every_gradient(name):
    net, inputs = deep(name), [draw(0, 4, 5, 6).requires_grad_() for _ in range(2)]
    out, (blocks, expected) = net(inputs[0]), run_ordinary(net, inputs[1])
    assert close(out, expected)
    for result in (out, expected):
        result.backward(draw(1, 4, 5, 6))
    assert close(inputs[0].grad, inputs[1].grad)
    wanted = gradients_of_blocks(net, blocks)
    assert set(wanted) == {n for n, _ in net.named_parameters()}
    for weight_name, parameter in net.named_parameters():
        assert close(parameter.grad, wanted[weight_name], 1e-9), weight_name


@pytest.mark.parametrize("name", ["ReZero", "pre-norm", "post-norm"])
def test_96_layers_in_float32_equal_ordinary_modules(name):
    torch.manual_seed(0)
    net = DeepTransformer(96, 6, 3, 10, **NETS[name])
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.02 * torch.randn_like(parameter)
    h = torch.randn(4, 5, 6)
    out, (blocks, expected) = net(h), run_ordinary(net, h)
    assert close(out, expected, 1e-4)
    for result in (out, expected):
        result.sum().backward()
    wanted = gradients_of_blocks(net, blocks)
    for weight_name, parameter in net.named_parameters():
        assert close(parameter.grad, wanted[weight_name], 1e-3), weight_name


@pytest.mark.parametrize("name", NETS)
def test_copies_under_vmap_equal_one_by_one(name):
    nets, h = [deep(name, seed=seed) for seed in range(3)], draw(0, 4, 5, 6)
    stacked, _ = torch.func.stack_module_state(nets)
    call = torch.func.vmap(lambda p, h: torch.func.functional_call(nets[0], p, (h,)), (0, None))
    together = call(stacked, h)
    together.square().sum().backward()
    for i, net in enumerate(nets):
        alone = net(h)
        assert close(together[i], alone)
        alone.square().sum().backward()
        for weight_name, parameter in net.named_parameters():
            assert close(stacked[weight_name].grad[i], parameter.grad, 1e-9), weight_name


def test_a_sequence_may_come_without_a_batch_and_need_no_gradient():
    net, h = deep("causal"), draw(0, 4, 5, 6)
    with torch.no_grad():
        assert close(net(h[1]), net(h)[1])
        changed = h.clone()
        changed[:, 3] += 1
        assert torch.equal(net(h)[:, :3], net(changed)[:, :3])


def test_beta_makes_all_but_queries_and_keys_smaller_at_the_start():
    torch.manual_seed(0)
    usual = DeepTransformer(4, 6, 3, 10)
    torch.manual_seed(0)
    quiet = DeepTransformer(4, 6, 3, 10, beta=0.5)
    assert torch.equal(quiet.qkv[:, :12], usual.qkv[:, :12])
    assert torch.equal(quiet.qkv[:, 12:], 0.5 * usual.qkv[:, 12:])
    for name in ("out", "inner", "outer"):
        assert torch.equal(getattr(quiet, name), 0.5 * getattr(usual, name))


def test_rezero_starts_as_the_identity_and_its_gates_learn():
    net, h = DeepTransformer(96, 6, 3, gate=0.0).double(), draw(0, 4, 5, 6)
    assert torch.equal(net(h), h)
    net(h).square().sum().backward()
    assert net.gate.grad.all()
    assert not net.outer.grad.any()


def test_the_start_is_that_of_ordinary_blocks():
    torch.manual_seed(0)
    net, block = DeepTransformer(20, 32, 4), EncoderBlock(32, 4, wiring=RESIDUAL)
    levels = torch.linspace(0, 1, 11)
    feed, attend = block.feed.branch, block.attend.branch
    pairs = {"qkv": attend.key, "out": attend.out, "inner": feed.inner, "outer": feed.outer}
    for name, linear in pairs.items():
        W = getattr(net, name).detach()
        assert not W[..., -1].any()
        quantiles = [t.flatten().quantile(levels) for t in (W[..., :-1], linear.weight.detach())]
        assert torch.allclose(*quantiles, atol=0.03)


def token_net(**options):
    return TokenNet([DeepTransformer(5, 16, 2, 32, **options)], 6, 4, 16)


def fit(make_model, **options):
    return training.fit(
        make_model,
        reversal_task(8, tokens=6, seq=4),
        steps=6,
        learning_rates=(1e-2,),
        loss=training.cross_entropy,
        **options,
    )


def test_fit_trains_it_as_it_trains_ordinary_blocks():
    def deep_net():
        return token_net(gate=0.0)

    def ordinary():
        net = deep_net()
        net.blocks = nn.Sequential(*(net.blocks[0].block(i) for i in range(5)))
        return net

    np.testing.assert_allclose(fit(deep_net).loss, fit(ordinary).loss, rtol=1e-4)


def test_the_block_that_overflows_is_named():
    def broken():
        net = token_net()
        with torch.no_grad():
            net.blocks[0].inner[3] = torch.inf
        return net

    (copy,) = fit(broken, seeds=(0,)).diverged
    assert (copy.layer, copy.in_pass) == ("blocks.0, block 3", "forward")


def test_it_can_be_had_beside_the_blocks():
    assert transformers.DeepTransformer is DeepTransformer
    with pytest.raises(AttributeError, match="no attribute 'FastTransformer'"):
        transformers.FastTransformer  # noqa: B018


def test_it_says_what_it_cannot_build():
    with pytest.raises(ValueError, match="got 0"):
        DeepTransformer(0, 6, 3)
    with pytest.raises(ValueError, match="divide d_model=6, got 4"):
        DeepTransformer(2, 6, 4)
    with pytest.raises(ValueError, match="norm='peri'"):
        DeepTransformer(2, 6, 3, wiring=Wiring(norm="peri"))
