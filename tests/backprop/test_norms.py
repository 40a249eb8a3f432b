import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from course_utils import backprop
from course_utils.backprop import LayerNorm, RMSNorm
from tests.backprop import close, gradients_of

PURE = {
    "layer": (backprop.layer_norm_forward, backprop.layer_norm_backward, functional.layer_norm),
    "rms": (backprop.rms_norm_forward, backprop.rms_norm_backward, functional.rms_norm),
}


@pytest.mark.parametrize("kind", PURE)
@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 999), width=st.integers(2, 9), axis=st.sampled_from([0, -1]))
def test_a_norm_without_gain_equals_autograds(kind, seed, width, axis):
    forward, backward, theirs = PURE[kind]
    h, dy = np.random.default_rng(seed).normal(size=(2, 4, width))
    out, (dh,) = gradients_of(lambda h: theirs(h, (width,), eps=1e-5), [h], dy)
    turn = (lambda array: array.T) if axis == 0 else (lambda array: array)
    y, cache = forward(turn(h), axis)
    assert close(turn(y), out, 1e-10)
    assert close(turn(backward(cache, turn(dy), axis)), dh, 1e-10)


@pytest.mark.parametrize("kind", [LayerNorm, RMSNorm])
@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 999),
    width=st.integers(2, 9),
    batch=st.lists(st.integers(1, 4), max_size=3),
)
def test_gain_and_bias_equal_autograds(kind, seed, width, batch):
    rng = np.random.default_rng(seed)
    h, dy = rng.normal(size=(2, *batch, width))
    norm = kind(*rng.normal(size=(len(kind._fields), width)))
    theirs = functional.layer_norm if kind is LayerNorm else functional.rms_norm
    out, expected = gradients_of(
        lambda h, *weights: theirs(h, (width,), *weights, eps=1e-5), [h, *norm], dy
    )
    y, cache = backprop.norm_forward(norm, h)
    dh, gradients = backprop.norm_backward(norm, cache, dy)
    assert close(y, out, 1e-10)
    for mine, autograds in zip((dh, *gradients), expected, strict=True):
        assert close(mine, autograds, 1e-10)


@pytest.mark.parametrize("kind", [LayerNorm, RMSNorm])
def test_copies_have_gains_of_their_own(kind):
    rng = np.random.default_rng(0)
    h, dy = rng.normal(size=(2, 3, 4, 5, 6))
    norm = kind(*rng.normal(size=(len(kind._fields), 3, 6)))
    y, cache = backprop.norm_forward(norm, h)
    dh, gradients = backprop.norm_backward(norm, cache, dy)
    one = kind(*(part[1] for part in norm))
    y_one, cache = backprop.norm_forward(one, h[1])
    dh_one, gradients_one = backprop.norm_backward(one, cache, dy[1])
    assert close(y[1], y_one, 1e-12)
    assert close(dh[1], dh_one, 1e-12)
    assert all(close(p[1], q, 1e-12) for p, q in zip(gradients, gradients_one, strict=True))


def test_a_layer_norm_hides_a_shift_and_both_hide_a_stretch():
    h = np.random.default_rng(0).normal(size=(4, 6))
    layer, rms = (lambda h, f=PURE[kind][0]: f(h, eps=0)[0] for kind in PURE)
    assert close(layer(3 * h + 2), layer(h), 1e-12)
    assert close(rms(3 * h), rms(h), 1e-12)
    assert not close(rms(h + 2), rms(h), 0.1)


@pytest.mark.parametrize("kind", [LayerNorm, RMSNorm])
def test_float32_stays_float32(kind):
    h = torch.randn(3, 4).numpy()
    norm = kind(*torch.ones(len(kind._fields), 4).numpy())
    y, cache = backprop.norm_forward(norm, h)
    dh, gradients = backprop.norm_backward(norm, cache, h)
    assert {part.dtype for part in (y, dh, *gradients)} == {np.dtype("float32")}
