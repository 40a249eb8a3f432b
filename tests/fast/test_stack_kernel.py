import numpy as np
import pytest
import torch

from course_utils.fast import DeepStack, stack_kernel
from course_utils.fast.stack_kernel import Layers
from course_utils.wiring import PLAIN, RESIDUAL, Wiring
from tests.backprop import close


def deep_case(seed, copies=3, depth=37, width=4, batch=5, gate=1):
    """Layers with biases and gates of their own, more of them than go into one product."""
    rng = np.random.default_rng(seed)
    W = rng.normal(size=(copies, depth, width, width + 1)) / width
    layers = Layers(W, None if gate is None else rng.normal(size=(copies, depth, gate)) / 4)
    return layers, *rng.normal(size=(2, copies, batch, width))


def deep_by_torch(layers, x, wiring, activation):
    """One copy of the same network in a few lines of torch for each block."""
    norm = lambda h: torch.nn.functional.layer_norm(h, h.shape[-1:])  # noqa: E731
    h = x
    for i, W in enumerate(layers.W):
        u = norm(h) if wiring.norm == "pre" else h
        F = getattr(torch, activation)(u @ W[:, :-1].mT + W[:, -1])
        F = F if layers.gate is None else layers.gate[i] * F
        h = wiring.a * h + wiring.b * F
        h = norm(h) if wiring.norm == "post" else h
    return h


WIRINGS = pytest.mark.parametrize(
    "wiring",
    [
        PLAIN, RESIDUAL, Wiring(b=0.2), Wiring(0.9, -0.5), Wiring(norm="pre"), Wiring(norm="post"),
        Wiring(a=0, norm="pre"), Wiring(a=0, norm="post"),
    ],
    ids=Wiring.equation,
)  # fmt: skip


@pytest.mark.parametrize("activation", stack_kernel.ACTIVATIONS)
@pytest.mark.parametrize("gate", [None, 1, 4])
@WIRINGS
def test_a_thousand_layers_at_once_equal_autograd(wiring, gate, activation):
    layers, x, dH = deep_case(0, gate=gate)
    H, cache = stack_kernel.deep_forward(layers, x, wiring, activation=activation)
    dx, gradients = stack_kernel.deep_backward(layers, cache, dH, wiring)
    for copy in range(len(x)):
        parts = [torch.tensor(t[copy], requires_grad=True) for t in (x, *layers) if t is not None]
        out = deep_by_torch(Layers(*parts[1:]), parts[0], wiring, activation)
        expected = torch.autograd.grad(out, parts, torch.from_numpy(dH[copy]))
        assert close(H[copy], out.detach().numpy(), 1e-10)
        got = [t[copy] for t in (dx, *gradients) if t is not None]
        for mine, theirs in zip(got, expected, strict=True):
            assert mine.shape == theirs.shape
            assert close(mine, theirs.numpy(), 1e-10)


@pytest.mark.parametrize("gate", [None, 1, 4])
@WIRINGS
def test_a_thousand_layers_at_once_equal_an_ordinary_sequential(wiring, gate):
    layers, x, dH = deep_case(0, gate=gate)
    H, cache = stack_kernel.deep_forward(layers, x, wiring)
    dx, gradients = stack_kernel.deep_backward(layers, cache, dH, wiring)
    for copy in range(len(x)):
        deep = DeepStack(37, 4, wiring, gate=None if gate is None else torch.zeros(gate)).double()
        with torch.no_grad():
            deep.layers.copy_(torch.from_numpy(layers.W[copy]))
            if gate is not None:
                deep.gate.copy_(torch.from_numpy(layers.gate[copy]))
        ordinary = torch.nn.Sequential(*(deep.block(i) for i in range(37)))
        x_torch = torch.tensor(x[copy], requires_grad=True)
        out = ordinary(x_torch)
        out.backward(torch.from_numpy(dH[copy]))
        assert close(H[copy], out.detach().numpy(), 1e-10)
        assert close(dx[copy], x_torch.grad.numpy(), 1e-10)
        dW = [torch.cat([b.linear.weight.grad, b.linear.bias.grad[:, None]], 1) for b in ordinary]
        assert close(gradients.W[copy], torch.stack(dW).numpy(), 1e-10)
        if gate is not None:
            dgate = torch.stack([block.gate.grad for block in ordinary])
            assert close(gradients.gate[copy], dgate.numpy(), 1e-10)


@pytest.mark.parametrize("activation", stack_kernel.ACTIVATIONS)
def test_deep_passes_keep_float32(activation):
    layers, x, dH = deep_case(0)
    layers = Layers(*(part.astype(np.float32) for part in layers))
    x, dH = x.astype(np.float32), dH.astype(np.float32)
    H, cache = stack_kernel.deep_forward(layers, x, Wiring(b=0.5), activation=activation)
    dx, gradients = stack_kernel.deep_backward(layers, cache, dH, Wiring(b=0.5))
    assert {part.dtype for part in (H, dx, *gradients)} == {np.dtype("float32")}


def test_a_tape_of_relu_is_not_lent_to_tanh():
    layers, x, dH = deep_case(0)
    expected = stack_kernel.deep_forward(layers, x, RESIDUAL, activation="tanh")[0]
    _, cache = stack_kernel.deep_forward(layers, x, RESIDUAL)
    stack_kernel.deep_backward(layers, cache, dH, RESIDUAL)
    assert np.array_equal(
        stack_kernel.deep_forward(layers, x, RESIDUAL, activation="tanh")[0], expected
    )


def test_an_unknown_activation_is_named():
    layers, x, _ = deep_case(0)
    with pytest.raises(ValueError, match="one of relu, tanh, got 'gelu'"):
        stack_kernel.deep_forward(layers, x, RESIDUAL, activation="gelu")


def test_without_keep_the_values_are_the_same_and_nothing_goes_back():
    layers, x, dH = deep_case(1)
    kept, _ = stack_kernel.deep_forward(layers, x, RESIDUAL)
    H, cache = stack_kernel.deep_forward(layers, x, RESIDUAL, keep=False)
    assert np.array_equal(H, kept)
    with pytest.raises(ValueError, match="keep=True"):
        stack_kernel.deep_backward(layers, cache, dH, RESIDUAL)


def test_a_cache_serves_one_backward_pass():
    layers, x, dH = deep_case(2)
    _, cache = stack_kernel.deep_forward(layers, x, RESIDUAL)
    stack_kernel.deep_backward(layers, cache, dH, RESIDUAL)
    with pytest.raises(ValueError, match="one backward pass"):
        stack_kernel.deep_backward(layers, cache, dH, RESIDUAL)


def test_two_passes_under_way_do_not_share_memory():
    layers, x, dH = deep_case(3)
    expected = [
        stack_kernel.deep_backward(
            layers, stack_kernel.deep_forward(layers, v, RESIDUAL)[1], dH, RESIDUAL
        )
        for v in (x, -x)
    ]
    caches = [stack_kernel.deep_forward(layers, v, RESIDUAL)[1] for v in (x, -x)]
    for cache, (dx, _) in zip(caches, expected, strict=True):
        assert np.array_equal(stack_kernel.deep_backward(layers, cache, dH, RESIDUAL)[0], dx)


def test_a_dead_relu_passes_no_gradient_at_exactly_zero():
    layers = Layers(np.zeros((1, 2, 3, 4)))
    _, cache = stack_kernel.deep_forward(layers, np.ones((1, 5, 3)), RESIDUAL)
    _, gradients = stack_kernel.deep_backward(layers, cache, np.ones((1, 5, 3)), RESIDUAL)
    assert not gradients.W.any()
