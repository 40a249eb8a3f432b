import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from course_utils import backprop
from course_utils.backprop import Branch
from tests.backprop import close, gradients_of

BATCH = st.lists(st.integers(1, 4), max_size=3)
WIDTH = st.integers(1, 6)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 999), batch=BATCH, d_in=WIDTH, d_out=WIDTH)
def test_a_linear_map_equals_autograds(seed, batch, d_in, d_out):
    rng = np.random.default_rng(seed)
    W, c = rng.normal(size=(d_out, d_in)), rng.normal(size=d_out)
    x, dy = rng.normal(size=(*batch, d_in)), rng.normal(size=(*batch, d_out))
    out, expected = gradients_of(functional.linear, [x, W, c], dy)
    assert close(backprop.linear_forward(W, c, x), out, 1e-10)
    for mine, theirs in zip(backprop.linear_backward(W, x, dy), expected, strict=True):
        assert close(mine, theirs, 1e-10)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 999), batch=BATCH, width=WIDTH, hidden=WIDTH)
def test_a_feed_forward_layer_equals_autograds(seed, batch, width, hidden):
    rng = np.random.default_rng(seed)
    shapes = (hidden, width), hidden, (width, hidden), width
    branch = Branch(*(rng.normal(size=shape) for shape in shapes))
    x, dF = rng.normal(size=(2, *batch, width))
    out, expected = gradients_of(
        lambda x, W1, c1, W2, c2: functional.linear(functional.linear(x, W1, c1).relu(), W2, c2),
        [x, *branch],
        dF,
    )
    F, cache = backprop.feed_forward(branch, x)
    dx, gradients = backprop.feed_backward(branch, cache, dF)
    assert close(F, out, 1e-10)
    for mine, theirs in zip((dx, *gradients), expected, strict=True):
        assert close(mine, theirs, 1e-10)


def test_positions_do_not_meet_and_copies_neither():
    rng = np.random.default_rng(0)
    branch, x = backprop.random_branch(rng, 4, 8, seeds=(2,)), rng.normal(size=(2, 3, 5, 4))
    F, _ = backprop.feed_forward(branch, x)
    one, _ = backprop.feed_forward(Branch(*(part[1] for part in branch)), x[1, 2, 3])
    assert close(F[1, 2, 3], one, 1e-12)
