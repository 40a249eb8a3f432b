import numpy as np
import pytest

from course_utils import backprop, probes
from course_utils.wiring import PLAIN, Wiring


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
