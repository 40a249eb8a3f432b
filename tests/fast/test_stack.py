import pytest
import torch
from torch import nn

from course_utils.fast import DeepStack, OneLayer
from course_utils.wiring import PLAIN, RESIDUAL, Wiring

X = torch.randn(7, 6, generator=torch.Generator().manual_seed(0), dtype=torch.double)
RECIPES = {
    "plain": (PLAIN, {}),
    "residual": (RESIDUAL, {}),
    "1/depth": (Wiring(b=1 / 20), {}),
    "pre-norm": (Wiring(norm="pre"), {}),
    "post-norm": (Wiring(norm="post"), {}),
    "rezero": (RESIDUAL, {"gate": 0.0}),
    "layer-scale": (RESIDUAL, {"gate": torch.full((6,), 0.1)}),
    "fixup": (RESIDUAL, {"gate": 1.0, "gain": 20**-0.5}),
    "torch": (PLAIN, {"start": "torch"}),
    "tanh": (PLAIN, {"activation": "tanh", "start": "orthogonal"}),
    "near identity": (PLAIN, {"activation": "tanh", "start": "near identity"}),
    "tanh, gate": (Wiring(norm="pre"), {"activation": "tanh", "gate": torch.full((6,), 0.1)}),
}


def deep(recipe, depth=20):
    torch.manual_seed(1)
    wiring, options = RECIPES[recipe]
    net = DeepStack(depth, 6, wiring, **options).double()
    with torch.no_grad():  # no gate at 0, no bias at 0
        for parameter in net.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    return net


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_deep_stack_equals_a_sequential_of_its_blocks(recipe):
    net = deep(recipe)
    ordinary = nn.Sequential(*(net.block(i) for i in range(20)))
    assert all(isinstance(block, OneLayer) for block in ordinary)
    inputs = [X.clone().requires_grad_() for _ in range(2)]
    outputs = [net(inputs[0]), ordinary(inputs[1])]
    assert torch.allclose(*outputs, rtol=0, atol=1e-10)
    for out in outputs:
        (out**2).sum().backward()
    scale = inputs[1].grad.abs().max()
    assert torch.allclose(inputs[0].grad, inputs[1].grad, rtol=0, atol=1e-10 * scale)
    for i, block in enumerate(ordinary):
        expected = torch.cat([block.linear.weight.grad, block.linear.bias.grad[:, None]], 1)
        atol = 1e-10 * max(1, expected.abs().max())
        assert torch.allclose(net.layers.grad[i], expected, rtol=0, atol=atol)
        if net.gate is not None:
            atol = 1e-10 * max(1, block.gate.grad.abs().max())
            assert torch.allclose(net.gate.grad[i], block.gate.grad, rtol=0, atol=atol)


@pytest.mark.parametrize("recipe", RECIPES)
def test_copies_under_vmap_equal_one_by_one(recipe):
    nets = [deep(recipe) for _ in range(3)]
    for i, net in enumerate(nets):
        net.layers.data *= 1 + 0.01 * i
    stacked, _ = torch.func.stack_module_state(nets)
    call = torch.func.vmap(lambda p, x: torch.func.functional_call(nets[0], p, (x,)), (0, None))
    together = call(stacked, X)
    (together**2).sum().backward()
    for i, net in enumerate(nets):
        alone = net(X)
        assert torch.equal(together[i], alone)
        (alone**2).sum().backward()
        for name, parameter in net.named_parameters():
            assert torch.equal(stacked[name].grad[i], parameter.grad)


def test_a_batch_may_have_more_axes_and_need_no_gradient():
    net = deep("pre-norm")
    with torch.no_grad():
        flat = net(X[:6])
        assert torch.equal(net(X[:6].reshape(2, 3, 6)).reshape(6, 6), flat)


def test_rezero_starts_as_the_identity_and_its_gates_learn():
    net = DeepStack(1202, 6, RESIDUAL, gate=0.0).double()
    out = net(X)
    assert torch.equal(out, X)
    (out**2).sum().backward()
    assert net.gate.grad.abs().min() > 0
    assert not net.layers.grad.any()


def test_the_first_block_that_overflows_is_found():
    net = DeepStack(30, 6, RESIDUAL)
    with torch.no_grad():
        net.layers[17] = torch.inf
    assert net.first_nonfinite(X.float()) == 17
    relu, tanh = (DeepStack(9, 6, Wiring(b=1e9), activation=name) for name in ("relu", "tanh"))
    assert relu.first_nonfinite(X.float()) is not None
    assert tanh.first_nonfinite(X.float()) is None  # its F is at most 1
    assert deep("rezero").first_nonfinite(X) is None


def test_the_start_of_a_deep_stack_is_the_one_asked_for():
    torch.manual_seed(0)
    he, torchs, orthogonal, near = (
        DeepStack(50, 32, PLAIN, gain=0.5, start=start).layers.detach()
        for start in ("he", "torch", "orthogonal", "near identity")
    )
    assert 0.97 < (he[..., :-1].var() / (0.25 * 2 / 32)).item() < 1.03
    assert not he[..., -1].any()
    bound = 32**-0.5
    assert 0.99 * bound < torchs[..., -1].abs().max() <= bound  # gain is not for the biases
    assert 0.99 * bound / 2 < torchs[..., :-1].abs().max() <= bound / 2
    W = orthogonal[..., :-1] / 0.5
    assert torch.allclose(W.mT @ W, torch.eye(32), atol=1e-5)
    assert W.diagonal(dim1=1, dim2=2).mean().abs() < 0.02  # without R's signs it is not 0
    assert not orthogonal[..., -1].any()
    rest = near[..., :-1] / 0.5 - torch.eye(32)
    assert 0.049 < rest.std() < 0.051
    assert not near[..., -1].any()


def test_a_torch_start_is_that_of_linear_layers():
    torch.manual_seed(0)
    mine = DeepStack(200, 16, PLAIN, start="torch").layers.detach()
    theirs = [nn.Linear(16, 16) for _ in range(200)]
    theirs = torch.stack([torch.cat([n.weight, n.bias[:, None]], 1) for n in theirs]).detach()
    for part in (slice(-1), slice(-1, None)):
        levels = torch.linspace(0, 1, 11)
        quantiles = [t[..., part].flatten().quantile(levels) for t in (mine, theirs)]
        assert torch.allclose(*quantiles, atol=0.02)


def test_a_thousand_orthogonal_layers_keep_every_length():
    net = DeepStack(1000, 16, PLAIN, activation="tanh", start="orthogonal").double()
    x = 1e-6 * torch.ones(1, 16, dtype=torch.double)  # where tanh is the identity
    assert torch.allclose(net(x).norm(), x.norm(), rtol=1e-3)


def test_a_deep_stack_says_what_it_cannot_build():
    with pytest.raises(ValueError, match="one of relu, tanh, got 'gelu'"):
        DeepStack(2, 6, RESIDUAL, activation="gelu")
    with pytest.raises(ValueError, match="one of relu, tanh, got 'gelu'"):
        OneLayer(6, RESIDUAL, activation="gelu")
    with pytest.raises(
        ValueError, match="one of he, torch, orthogonal, near identity, got 'xavier'"
    ):
        DeepStack(2, 6, RESIDUAL, start="xavier")
    with pytest.raises(ValueError, match="norm='peri'"):
        DeepStack(2, 6, Wiring(norm="peri"))
    with pytest.raises(ValueError, match="got 0"):
        DeepStack(0, 6, RESIDUAL)
    with pytest.raises(ValueError, match="one number or 6, got 4"):
        DeepStack(2, 6, RESIDUAL, gate=torch.zeros(4))


def test_blocks_are_left_out_moved_and_used_twice():
    torch.manual_seed(0)
    net, x = DeepStack(4, 6, RESIDUAL, gate=torch.rand(6)), torch.randn(5, 6)
    h = x
    for i in (3, 1, 1):
        h = net.block(i)(h)
    chosen = net.only([3, 1, 1])
    assert torch.allclose(chosen(x), h, atol=1e-5)
    with torch.no_grad():
        chosen.layers.zero_()
        chosen.gate.zero_()
    assert net.layers.any(), "the copy has parameters of its own"
    assert net.gate.any()
    with pytest.raises(ValueError, match="at least one block"):
        net.only([])
    with pytest.raises(IndexError):
        net.only([4])
