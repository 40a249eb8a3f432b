import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from course_utils import backprop, data, probes
from course_utils.blocks import MLP, DeepStack
from course_utils.transformers import EncoderDecoder, cut_skips
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


def line(points=40, width=16, seeds=3):
    rng = np.random.default_rng(1)
    branches = [backprop.random_branch(rng, width, seeds=(seeds,)) for _ in range(4)]
    w, start, readout = rng.normal(size=(3, seeds, 1, width))
    return branches, w, w * np.linspace(-2, 2, points)[:, None] + start, readout


@pytest.mark.parametrize("wire", [PLAIN, Wiring(), Wiring(a=0.8, b=0.3)], ids=str)
def test_input_gradients_are_those_of_the_backward_pass(wire):
    branches, _, h, readout = line()
    _, caches = backprop.forward(branches, h, wire)
    stream, _ = backprop.backward(branches, caches, np.broadcast_to(readout, h.shape), wire)
    assert np.allclose(probes.input_gradients(branches, h, readout, wire), stream[0])
    in_32 = [backprop.Branch(*(part.astype(np.float32) for part in f)) for f in branches]
    short = probes.input_gradients(in_32, h.astype(np.float32), readout.astype(np.float32), wire)
    assert short.dtype == np.float32


def test_input_gradients_with_batch_norm_hold_mean_and_variance_still():
    (branch, *_), w, h, readout = line()
    gradient = probes.input_gradients([branch], h, readout, PLAIN, batch_norm=True)
    z = h @ branch.W1.mT
    mean, std = z.mean(-2, keepdims=True), np.sqrt(z.var(-2, keepdims=True) + 1e-5)

    def y(h):
        F = np.maximum((h @ branch.W1.mT - mean) / std, 0) @ branch.W2.mT
        return (F * readout).sum(-1)

    slopes = (y(h + 1e-6 * w) - y(h - 1e-6 * w)) / 2e-6
    assert np.allclose((gradient * w).sum(-1), slopes, atol=1e-5)


def test_formulas_and_gradients_of_a_line_want_no_norm():
    branches, _, h, readout = line()
    for call in (
        lambda wire: probes.input_gradients(branches, h, readout, wire),
        lambda wire: probes.wide_cosines(0.5, 3, wire),
    ):
        with pytest.raises(ValueError, match="without a norm is needed, got Wiring"):
            call(Wiring(norm="pre"))


@pytest.mark.parametrize("wire", [PLAIN, Wiring(), Wiring(b=0.3), Wiring(a=0.5, b=1)], ids=str)
def test_wide_nets_follow_the_formula_for_streams_and_gradients(wire):
    rng, width, angle = np.random.default_rng(0), 128, 1.0
    branches = [backprop.random_branch(rng, width, seeds=(60,)) for _ in range(5)]
    pair = np.zeros((60, 2, width))
    pair[:, 0, 0], pair[:, 1, 0], pair[:, 1, 1] = 1, np.cos(angle), np.sin(angle)
    stream, gradient = probes.wide_cosines(np.cos(angle), 5, wire)
    assert np.allclose(probes.cosines(branches, pair, wire).mean(1), stream, atol=0.05)
    readout = rng.normal(size=(60, 1, width))
    for depth in (1, 5):
        found = probes.input_gradients(branches[:depth], pair, readout, wire)
        cosine = probes.pair_cosines(found)[:, 0, 1].mean()
        assert cosine == pytest.approx(gradient[depth], abs=0.06)


def test_wide_cosines_keep_equal_inputs_equal_and_know_the_silent_stack():
    stream, gradient = probes.wide_cosines(1.0, 50, Wiring())
    assert np.array_equal(stream, gradient)
    assert np.array_equal(stream, np.ones(51))
    silent = probes.wide_cosines(np.array([0.5, 1.0]), 2, Wiring(a=0, b=0))
    assert [part[-1].tolist() for part in silent] == [[0, 0], [0, 0]]


def test_autocorrelation_tells_white_noise_from_a_random_walk():
    noise = np.random.default_rng(0).normal(size=(300, 64))
    white = probes.autocorrelation(noise).mean(1)
    walk = probes.autocorrelation(noise.cumsum(1)).mean(1)
    assert white.shape == (64,)
    assert np.allclose([white[0], walk[0]], 1)
    assert abs(white[1:20]).max() < 0.05
    assert walk[1] > 0.8
    raw = probes.autocorrelation(noise.cumsum(1), centred=False).mean(1)
    assert walk[30] < 0 < 0.2 < raw[30]


def test_lags_of_pairs_of_vectors_are_averages_of_cosines():
    vectors = np.random.default_rng(0).normal(size=(3, 7, 4))
    vectors[0, 2] = 0
    pairs = probes.pair_cosines(vectors)
    assert np.array_equal(pairs[0, 2], np.zeros(7))
    assert probes.by_lag(pairs).shape == (7, 3)
    assert probes.by_lag(pairs)[2, 1] == pytest.approx(
        np.mean([pairs[1, i, i + 2] for i in range(5)])
    )


def squares(prediction, target):
    return (prediction - target).square().flatten(1).mean(1)


def test_step_cosines_follow_the_gradient_and_leave_the_net_alone():
    net, x = MLP(4), torch.randn(8, 4)
    before = [p.clone() for p in net.parameters()]

    def loss(net):
        return net(x).square().mean()

    near, far = probes.step_cosines(net, loss, [1e-4, 3.0])
    assert near > 0.999 > far
    assert all(torch.equal(p, old) for p, old in zip(net.parameters(), before, strict=True))


def test_directions_are_as_long_as_the_rows_and_leave_the_rest_alone():
    stack = DeepStack(3, 4, Wiring(), gate=torch.ones(4), start="torch")
    net = torch.nn.Sequential(stack, torch.nn.BatchNorm1d(4), torch.nn.Conv1d(4, 2, 3))
    one, other = probes.filter_directions(net)
    W = stack.layers[..., :-1]
    assert torch.allclose(one["0.layers"][..., :-1].norm(dim=-1), W.norm(dim=-1))
    assert torch.count_nonzero(one["0.layers"][..., -1]) == 0
    kernels = net[2].weight.flatten(1).norm(dim=1)
    assert torch.allclose(one["2.weight"].flatten(1).norm(dim=1), kernels)
    assert all(torch.count_nonzero(one[name]) == 0 for name in ("0.gate", "1.weight", "2.bias"))
    assert not torch.equal(one["2.weight"], other["2.weight"])
    again = probes.filter_directions(net, count=1)[0]
    assert all(torch.equal(again[name], one[name]) for name in one)


def test_losses_on_a_plane_are_those_of_the_moved_net():
    net, (x, y) = MLP(4), torch.randn(2, 8, 4)
    directions = probes.filter_directions(net)
    found = probes.losses_at(net, directions, probes.plane(3, 0.5), squares, x, y, together=4)
    assert found.shape == (3, 3)
    assert np.isclose(found[1, 1], squares(net(x)[None], y[None]).item())
    for name, p in net.named_parameters():
        p.data += 0.5 * directions[0][name] - 0.5 * directions[1][name]
    assert np.isclose(found[2, 0], squares(net(x)[None], y[None]).item())


def test_curvatures_are_second_derivatives():
    net, (x, y) = torch.nn.Linear(4, 2).double(), torch.randn(2, 8, 4, dtype=torch.double)
    y = y[:, :2]
    directions = probes.filter_directions(net, count=3)
    found = probes.curvatures(net, directions, squares, x, y)
    exact = [2 * (x @ d["weight"].T).square().mean().item() for d in directions]
    assert np.allclose(found, exact)


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


def small_translator(steps=6):
    torch.manual_seed(0)
    net = EncoderDecoder(len(data.WORDS), len(data.DIGITS), 8, 16, n_heads=4, depth=2)
    source = torch.from_numpy(data.numbers().words_test[:40])
    return net, source, net.write(source, data.START, data.END, steps)


def test_what_is_right_step_by_step_is_what_the_net_writes_on_its_own():
    net, source, written = small_translator()
    x, y = torch.cat([source, written[:, :-1]], 1), written[:, 1:].clone()
    assert probes.written_right(net, x, y).all()
    y[3, 0] = y[3, 0] % 12 + 1  # neither padding nor what it was
    y[5, 1:] = data.PAD
    right = probes.written_right(net, x, y)
    assert np.flatnonzero(~right).tolist() == [3]


def test_cross_weights_are_shares_of_the_words_and_leave_no_hook():
    net, source, written = small_translator()
    x = torch.cat([source, written[:, :-1]], 1)
    weights = probes.cross_weights(net, x)
    assert weights.shape == (2, 40, 4, 6, 8)
    assert np.allclose(weights.sum(-1), 1, atol=1e-5)
    assert (weights[:, (source == data.PAD)[:, None, None].expand(40, 4, 6, 8)] == 0).all()
    assert not any(block.cross.branch._forward_hooks for block in net.decoder)
    alone = probes.cross_weights(net, x[7:8])
    assert np.allclose(alone[:, 0], weights[:, 7], atol=1e-5)


def test_paths_of_each_length_are_summed_as_if_one_listed_them():
    rng = np.random.default_rng(0)
    M, v = rng.normal(size=(4, 2, 3, 3)), rng.normal(size=(2, 3))
    parts = np.zeros((5, 2, 3))
    for path in np.ndindex(*4 * (2,)):
        product = v
        for block in M[np.array(path) == 1]:
            product = np.einsum("sij,sj->si", block, product)
        parts[sum(path)] += product
    found = probes.squares_by_length(M, v)
    assert found.shape == (5, 5, 2)
    assert np.allclose(found[-1], (parts**2).sum(-1))
    assert np.allclose(found[2], np.r_[probes.squares_by_length(M[:2], v)[-1], np.zeros((2, 2))])


def test_random_stacks_have_the_predicted_shares():
    rng = np.random.default_rng(0)
    M = 0.7 * rng.normal(size=(6, 400, 16, 16)) / 4
    squares = probes.squares_by_length(M, rng.normal(size=(400, 16)))[-1].sum(-1)
    predicted = probes.path_length_shares(6, 0.7)
    assert np.allclose(squares / squares.sum(), predicted, atol=0.02)
    assert predicted.sum() == pytest.approx(1)
    assert predicted @ np.arange(7) == pytest.approx(6 * 0.49 / 1.49)
    assert probes.path_length_shares(3, 0.0).tolist() == [1, 0, 0, 0]


def test_blocks_that_share_their_weights_follow_the_flow_ever_closer():
    rng = np.random.default_rng(0)
    W, c, x = rng.normal(size=(2, 2)), rng.normal(size=2), rng.normal(size=(5, 2))
    exact = probes.exact_flow(x, lambda h: np.tanh(h @ W.T + c))
    assert exact.shape == (65, 5, 2)
    errors = []
    for depth in (16, 32, 64):
        path = probes.flow(x, np.broadcast_to(W, (depth, 2, 2)), 1 / depth, c)
        assert path.shape == (depth + 1, 5, 2)
        errors.append(np.linalg.norm(path[-1] - exact[-1]))
    assert np.allclose(np.divide(errors[:-1], errors[1:]), 2, atol=0.2)
    twice = probes.exact_flow(x, lambda h: np.tanh(h @ W.T + c), steps=128)
    assert abs(twice[-1] - exact[-1]).max() < 1e-7
    longer = probes.exact_flow(x, lambda h: np.tanh(h @ W.T + c), time=2.0, steps=128)
    assert np.allclose(longer[64], exact[-1])


def test_each_block_of_a_flow_has_its_own_weights_and_seeds_stay_apart():
    rng = np.random.default_rng(0)
    W, c = rng.normal(size=(4, 3, 2, 2)), rng.normal(size=(4, 3, 1, 2))
    x = rng.normal(size=(5, 2))
    paths = probes.flow(x, W, 0.3, c)
    assert paths.shape == (5, 3, 5, 2)
    h = x
    for block, bias in zip(W[:, 1], c[:, 1], strict=True):
        h = h + 0.3 * np.tanh(h @ block.T + bias)
    assert np.allclose(paths[-1, 1], h)
    assert np.array_equal(paths[0, 2], x)


def test_own_share_counts_squares_of_the_jacobian_by_word(monkeypatch):
    net, source, _ = small_translator()
    mix = torch.rand(8, 8)

    def read(h):
        seq = h.shape[1]
        return mix[:seq, :seq] @ h

    monkeypatch.setattr(net, "read", read)
    for row, share in zip(source[:5], probes.own_share(net, source[:5]), strict=True):
        seq = int((row != data.PAD).sum())
        part = mix[:seq, :seq].square()
        assert share == pytest.approx((part.diagonal() / part.sum(1)).mean().item(), rel=1e-5)


def test_a_skip_around_attention_keeps_the_own_word():
    net, source, _ = small_translator()
    with_skip = probes.own_share(net, source[:8])
    cut_skips(net.encoder, "attend")
    without = probes.own_share(net, source[:8])
    counts = (source[:8] != data.PAD).sum(1).numpy()
    assert (without[counts > 2] < 0.6).all()
    assert (with_skip[counts > 2] > without[counts > 2] + 0.2).all()
