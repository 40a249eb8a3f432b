import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import backprop
from course_utils.backprop import Branch, Gated
from course_utils.blocks import Stack
from course_utils.wiring import PLAIN, RESIDUAL, Wiring
from tests.backprop import close

GAINS = st.floats(-2, 2, allow_nan=False)
SHAPES = {
    "depth": st.integers(1, 6),
    "width": st.integers(1, 5),
    "hidden": st.integers(1, 7),
    "batch": st.integers(1, 4),
}


def network(seed, depth, width, hidden, seeds=()):
    """Branches with biases that are not 0."""
    rng = np.random.default_rng(seed)
    drawn = [backprop.random_branch(rng, width, hidden, seeds=seeds) for _ in range(depth)]
    return [Branch(*(part + 0.1 * rng.normal(size=part.shape) for part in b)) for b in drawn], rng


def torch_stack(branches, wiring):
    """The same network as modules."""
    hidden, width = branches[0].W1.shape
    stack = Stack(len(branches), width, wiring, hidden=hidden).double()
    for block, branch in zip(stack, branches, strict=True):
        names = ("inner.weight", "inner.bias", "outer.weight", "outer.bias")
        parts = (torch.from_numpy(part) for part in branch)
        block.branch.load_state_dict(dict(zip(names, parts, strict=True)))
    return stack


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 999), a=GAINS, b=GAINS, **SHAPES)
def test_hand_derived_gradients_equal_autograds(seed, a, b, depth, width, hidden, batch):
    branches, rng = network(seed, depth, width, hidden)
    x, dH = rng.normal(size=(2, batch, width))
    wiring = Wiring(a, b)

    stack, x_torch = torch_stack(branches, wiring), torch.tensor(x, requires_grad=True)
    out = stack(x_torch)
    parameters = [p for block in stack for p in block.branch.parameters()]
    expected = torch.autograd.grad(
        out, [x_torch, *parameters], torch.from_numpy(dH), materialize_grads=True, allow_unused=True
    )

    H, caches = backprop.forward(branches, x, wiring)
    stream, gradients = backprop.backward(branches, caches, dH, wiring)
    assert close(H, out.detach().numpy(), 1e-10)
    got = [stream[0], *(part for gradient in gradients for part in gradient)]
    for mine, theirs in zip(got, expected, strict=True):
        assert close(mine, theirs.numpy(), 1e-10)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 999), a=GAINS, b=GAINS, **SHAPES)
def test_they_equal_finite_differences_away_from_kinks(seed, a, b, depth, width, hidden, batch):
    branches, rng = network(seed, depth, width, hidden)
    x, dH, direction = rng.normal(size=(3, batch, width))
    wiring, eps = Wiring(a, b), 1e-6
    _, caches = backprop.forward(branches, x, wiring)
    ends = [backprop.forward(branches, x + sign * eps * direction, wiring) for sign in (1, -1)]
    kinks = [
        np.any((up[1] > 0) != (down[1] > 0))
        for up, down in zip(ends[0][1], ends[1][1], strict=True)
    ]
    if any(kinks):  # a ReLU switched in between: the difference quotient means nothing there
        return
    measured = ((ends[0][0] - ends[1][0]) * dH).sum() / (2 * eps)
    stream, _ = backprop.backward(branches, caches, dH, wiring)
    assert close((stream[0] * direction).sum(), measured, 1e-6 * max(1.0, np.abs(ends[0][0]).max()))


def test_seeds_on_a_leading_axis_are_networks_of_their_own():
    branches, rng = network(0, depth=4, width=3, hidden=5, seeds=(2, 3))
    x, dH = rng.normal(size=(2, 2, 3, 6, 3))
    H, caches = backprop.forward(branches, x, RESIDUAL)
    stream, gradients = backprop.backward(branches, caches, dH, RESIDUAL)
    one = [Branch(*(part[1, 2] for part in branch)) for branch in branches]
    H_one, caches_one = backprop.forward(one, x[1, 2], RESIDUAL)
    stream_one, gradients_one = backprop.backward(one, caches_one, dH[1, 2], RESIDUAL)
    assert np.allclose(H[1, 2], H_one, rtol=0, atol=1e-12)
    assert np.allclose(stream[0][1, 2], stream_one[0], rtol=0, atol=1e-12)
    assert np.allclose(gradients[0].W1[1, 2], gradients_one[0].W1, rtol=0, atol=1e-11)


def test_float32_stays_float32():
    branches, rng = network(0, depth=3, width=4, hidden=4)
    branches = [Branch(*(part.astype(np.float32) for part in branch)) for branch in branches]
    x = rng.normal(size=(2, 4)).astype(np.float32)
    H, caches = backprop.forward(branches, x, Wiring(b=0.5))
    stream, gradients = backprop.backward(branches, caches, x, Wiring(b=0.5))
    found = {H.dtype, stream[0].dtype, *(part.dtype for part in gradients[0])}
    assert found == {np.dtype("float32")}


def test_the_shortcut_passes_the_gradient_on():
    branches, rng = network(0, depth=5, width=4, hidden=4)
    silent = [Branch(b.W1, b.c1, 0 * b.W2, b.c2) for b in branches]
    x, dH = rng.normal(size=(2, 3, 4))
    for wiring, expected in ((RESIDUAL, dH), (PLAIN, 0 * dH), (Wiring(a=0.5), dH / 32)):
        _, caches = backprop.forward(silent, x, wiring)
        stream, _ = backprop.backward(silent, caches, dH, wiring)
        assert np.array_equal(stream[0], expected)


def test_arguments_are_left_alone():
    branches, rng = network(0, depth=2, width=3, hidden=3)
    x, dH = rng.normal(size=(2, 3, 3))
    kept = x.copy(), dH.copy(), [part.copy() for branch in branches for part in branch]
    _, caches = backprop.forward(branches, x, RESIDUAL)
    backprop.backward(branches, caches, dH, RESIDUAL)
    assert np.array_equal(x, kept[0])
    assert np.array_equal(dH, kept[1])
    now = [part for branch in branches for part in branch]
    assert all(np.array_equal(old, new) for old, new in zip(kept[2], now, strict=True))


NORMS = st.sampled_from(["none", "pre", "post"])


def gated_by_torch(branches, x, wiring):
    """The same network in one line of torch for each block."""
    norm = lambda h: torch.nn.functional.layer_norm(h, h.shape[-1:])  # noqa: E731
    h = x
    for W1, c1, W2, c2, gate in branches:
        u = norm(h) if wiring.norm == "pre" else h
        F = gate * (torch.relu(u @ W1.mT + c1) @ W2.mT + c2)
        h = wiring.a * h + wiring.b * F
        h = norm(h) if wiring.norm == "post" else h
    return h


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 999), a=GAINS, b=GAINS, norm=NORMS, vector=st.booleans(), **SHAPES)
def test_norms_gates_and_layer_scale_equal_autograd(
    seed, a, b, norm, vector, depth, width, hidden, batch
):
    branches, rng = network(seed, depth, width, hidden)
    gates = rng.normal(size=(depth, width if vector else 1))
    branches = [Gated(*branch, gate) for branch, gate in zip(branches, gates, strict=True)]
    x, dH = rng.normal(size=(2, batch, width))
    wiring = Wiring(a, b, norm)
    leaves = [[torch.tensor(part, requires_grad=True) for part in branch] for branch in branches]
    x_torch = torch.tensor(x, requires_grad=True)
    out = gated_by_torch(leaves, x_torch, wiring)
    inputs = [x_torch, *(part for branch in leaves for part in branch)]
    expected = torch.autograd.grad(out, inputs, torch.from_numpy(dH))

    H, caches = backprop.forward(branches, x, wiring)
    stream, gradients = backprop.backward(branches, caches, dH, wiring)
    got = [stream[0], *(part for gradient in gradients for part in gradient)]
    assert close(H, out.detach().numpy(), 1e-10)
    largest = max(np.abs(theirs.numpy()).max() for theirs in expected)
    for mine, theirs in zip(got, expected, strict=True):
        assert mine.shape == theirs.shape
        assert np.abs(mine - theirs.numpy()).max() <= 1e-10 * max(1, largest)
