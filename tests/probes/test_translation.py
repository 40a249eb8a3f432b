import numpy as np
import pytest
import torch

from course_utils import data, probes
from course_utils.transformers import EncoderDecoder, cut_skips


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
