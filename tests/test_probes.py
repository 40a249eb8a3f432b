import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils import backprop, probes
from course_utils.blocks import MLP, DeepStack
from course_utils.wiring import PLAIN, Wiring


@given(st.floats(0, 2.5), st.floats(0.1, 2), st.integers(0, 12))
def test_descent_is_the_loop_it_stands_for(learning_rate, curvature, steps):
    w, path = 1.0, [1.0]
    for _ in range(steps):
        w = w - learning_rate * curvature * w
        path.append(w)
    assert np.allclose(probes.descent(learning_rate, curvature, steps=steps), path)


def test_differences_agree_with_autograd():
    net, x = MLP(4, d_out=3).double(), torch.randn(4, dtype=torch.double)
    by_differences = probes.jacobian_by_differences(lambda x: probes.output(net, x), x.numpy())
    assert by_differences.shape == (3, 4)
    assert np.allclose(by_differences, probes.jacobian(net, x), rtol=0, atol=1e-8)


def test_differences_leave_x_alone():
    x = np.array([1.0, 2.0])
    probes.jacobian_by_differences(np.sin, x)
    assert np.array_equal(x, [1.0, 2.0])


def test_the_grid_reaches_its_corners():
    lines = probes.grid_lines(lines=3, points=5, x_max=2, y_max=1)
    assert lines.min(axis=(0, 1)).tolist() == [-2, -1]
    assert lines.max(axis=(0, 1)).tolist() == [2, 1]
    assert np.ptp(lines[0], axis=0).tolist() == [4, 0]  # horizontal lines come first
    assert np.ptp(lines[-1], axis=0).tolist() == [0, 2]


def test_gradient_norms_are_relative_to_the_output_and_keep_seeds_apart():
    rng = np.random.default_rng(0)
    branches = [backprop.random_branch(rng, 4, seeds=(3,)) for _ in range(5)]
    x, dH = rng.normal(size=(2, 3, 6, 4))
    norms = probes.gradient_norms(branches, x, dH, PLAIN)
    assert norms.shape == (6, 3)
    assert np.array_equal(norms[-1], np.ones(3))
    one = [backprop.Branch(*(part[1] for part in branch)) for branch in branches]
    assert np.allclose(norms[:, 1], probes.gradient_norms(one, x[1], 7 * dH[1], PLAIN))


def stack(seeds=(3,), width=6, depth=4):
    rng = np.random.default_rng(0)
    branches = [backprop.random_branch(rng, width, seeds=seeds) for _ in range(depth)]
    return branches, rng.normal(size=(*seeds, 5, width))


@pytest.mark.parametrize("wire", [PLAIN, Wiring(a=0.8, b=0.6), Wiring(norm="pre")], ids=str)
def test_a_ledger_adds_up_to_the_length_of_the_stream(wire):
    branches, x = stack()
    shares = probes.variance_ledger(branches, x, wire)
    lengths = probes.stream_lengths(branches, x, wire)
    assert shares.shape == (3, 4, 3)
    assert np.allclose(np.cumprod(shares.sum(0), axis=0), lengths[1:] ** 2)
    assert np.allclose(shares[0], wire.a**2)


def test_a_ledger_of_a_silent_stream_is_zero_and_a_post_norm_is_refused():
    branches, x = stack()
    shares = probes.variance_ledger(branches, x, Wiring(a=0, b=0))
    assert np.array_equal(shares, np.zeros_like(shares))
    with pytest.raises(ValueError, match="without a post-norm, got Wiring"):
        probes.variance_ledger(branches, x, Wiring(norm="post"))


def test_stream_lengths_follow_the_forward_pass():
    branches, x = stack()
    H, _ = backprop.forward(branches, x, Wiring(b=0.3))
    last = probes.stream_lengths(branches, x, Wiring(b=0.3))[-1]
    assert np.allclose(last, np.sqrt((H**2).sum((1, 2)) / (x**2).sum((1, 2))))


def test_cosines_compare_the_first_two_examples():
    branches, x = stack()
    H, _ = backprop.forward(branches, x, PLAIN)
    one, other = H[:, 0], H[:, 1]
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    found = probes.cosines(branches, x, PLAIN)[-1]
    assert np.allclose(found * lengths, (one * other).sum(-1))
    assert np.array_equal(found == 0, lengths == 0)


def test_stream_gradients_are_one_length_for_each_part():
    first, second = MLP(4).double(), MLP(4, d_out=3).double()
    x = torch.randn(5, 4, dtype=torch.double)
    lengths = probes.stream_gradients(torch.nn.Sequential(first, second), x, torch.sum)
    h = first(x).detach().requires_grad_()
    second(h).sum().backward()
    assert np.allclose(lengths, [h.grad.norm().item(), 15**0.5], rtol=1e-12, atol=0)


@pytest.mark.parametrize("gate", [None, 0.3])
def test_paths_of_all_lengths_add_up_to_the_gradient(gate):
    torch.manual_seed(0)
    stack = DeepStack(6, 5, Wiring(a=0.9, b=0.5), gate=gate)
    x, dH = torch.randn(2, 3, 5)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(stack(x), x, dH)
    shares = probes.path_shares(stack, x, dH, longest=6)
    assert shares.sum() == pytest.approx(1)
    few = probes.path_shares(stack, x, dH, longest=2)  # what is left out is missing in the sum
    assert np.allclose(few, shares[:3])
    assert abs(few.sum() - 1) > 0.01
    # paths of length 0 take every shortcut
    assert shares[0] == pytest.approx(0.9**6 * (dH * gradient).sum() / gradient.square().sum())
    stack.wiring = Wiring(a=0.9, b=0.0)
    assert np.allclose(probes.path_shares(stack, x, dH, longest=6), np.eye(7)[0])


def test_paths_are_counted_in_relu_stacks_without_a_norm():
    for stack in (
        DeepStack(2, 3, Wiring(norm="pre")),
        DeepStack(2, 3, Wiring(), activation="tanh"),
    ):
        with pytest.raises(ValueError, match="ReLUs without a norm are needed, got"):
            probes.path_shares(stack, torch.ones(1, 3), torch.ones(1, 3))


def test_branch_jacobians_multiply_to_the_jacobian_of_the_stack():
    torch.manual_seed(0)
    for wire, options in (
        (Wiring(), {"gate": 0.5}),
        (Wiring(a=0), {"activation": "tanh", "start": "orthogonal"}),
        (Wiring(norm="post"), {}),
    ):
        stack, h = DeepStack(4, 5, wire, **options), torch.randn(3, 5)
        M = probes.branch_jacobians(stack, h)
        whole = np.eye(5)
        for block in M:
            whole = (np.eye(5) + block) @ whole
        chain = torch.nn.Sequential(*map(stack.block, range(4)))
        for i in range(3):
            assert np.allclose(whole[i], probes.jacobian(chain, h[i]), atol=1e-4)


def test_cpu_seconds_are_the_least_of_all_runs():
    calls = []

    def work():
        calls.append(sum(range(200_000 if not calls else 100)))

    assert 0 <= probes.cpu_seconds(work, times=4) < 1e-3
    assert len(calls) == 4


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


def test_dilution_follows_the_input_through_a_norm_on_the_trunk():
    rng = np.random.default_rng(0)
    branches = [backprop.random_branch(rng, 6, seeds=(2,)) for _ in range(3)]
    x = rng.normal(size=(2, 5, 6))
    for wire in (Wiring(a=0.8, b=0.5), Wiring(norm="pre"), Wiring(a=2.0, norm="post")):
        left, turned = probes.dilution(branches, x, wire)
        assert left.shape == (4, 2)
        assert turned.shape == (3, 2)
        h, kept = x, x
        for branch in branches:
            u = backprop.layer_norm_forward(h)[0] if wire.norm == "pre" else h
            h = wire.a * h + wire.b * backprop.branch_forward(branch, u)[0]
            kept = wire.a * kept
            if wire.norm == "post":
                scale = 1 / np.sqrt(h.var(-1, keepdims=True) + 1e-5)
                h, kept = (h - h.mean(-1, keepdims=True)) * scale, kept * scale
        assert np.allclose(left[-1], (kept**2).sum((1, 2)) / (h**2).sum((1, 2)))


def test_a_block_that_only_stretches_turns_nothing():
    still = [backprop.random_branch(np.random.default_rng(0), 4, gain=0)]
    _, turned = probes.dilution(still, np.ones((2, 4)), Wiring(a=3.0))
    assert np.allclose(turned, 0)
