import numpy as np
import pytest

from course_utils import backprop, probes
from course_utils.wiring import PLAIN, Wiring


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
