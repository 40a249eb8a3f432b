import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from course_utils import backprop
from tests.backprop import close


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 999), width=st.integers(2, 9), axis=st.sampled_from([0, -1]))
def test_layer_norm_equals_autograds(seed, width, axis):
    h, dy = np.random.default_rng(seed).normal(size=(2, 4, width))
    h_torch = torch.tensor(h, requires_grad=True)
    expected = torch.nn.functional.layer_norm(h_torch, (width,))
    (dh,) = torch.autograd.grad(expected, h_torch, torch.tensor(dy))
    turn = (lambda array: array.T) if axis == 0 else (lambda array: array)
    y, cache = backprop.layer_norm_forward(turn(h), axis)
    assert close(turn(y), expected.detach().numpy(), 1e-10)
    assert close(turn(backprop.layer_norm_backward(cache, turn(dy), axis)), dh.numpy(), 1e-10)
