import numpy as np
import pytest

from course_utils import backprop
from course_utils.backprop import joined_backward, joined_forward
from course_utils.fast import tapes
from course_utils.wiring import PERI_NORM, PLAIN, POST_NORM, PRE_NORM, RESIDUAL, Wiring
from tests.backprop import close

WIRINGS = PLAIN, RESIDUAL, Wiring(0.9, -0.5), PRE_NORM, POST_NORM, Wiring(1.7, 0.5, "post")


def one_block(seed=0, width=4):
    rng = np.random.default_rng(seed)
    norm = backprop.LayerNorm(*rng.normal(1, 0.3, size=(2, width)))
    return norm, backprop.random_branch(rng, width), *rng.normal(size=(2, 5, width))


def forward(wiring, norm, branch, h):
    return joined_forward(
        h,
        lambda u: backprop.branch_forward(branch, u),
        wiring,
        lambda h: backprop.norm_forward(norm, h),
    )


@pytest.mark.parametrize("wiring", WIRINGS, ids=Wiring.equation)
def test_a_joined_block_is_what_its_wiring_says_and_its_gradient_that_of_differences(wiring):
    norm, branch, h, dH = one_block()
    H, branch_cache, norm_cache = forward(wiring, norm, branch, h)
    normed = lambda h: backprop.norm_forward(norm, h)[0]  # noqa: E731
    F, _ = backprop.branch_forward(branch, normed(h) if wiring.norm == "pre" else h)
    total = wiring.a * h + wiring.b * F
    assert np.array_equal(H, normed(total) if wiring.norm == "post" else total)
    dh, dbranch, dnorm = joined_backward(
        dH,
        lambda dF: backprop.branch_backward(branch, branch_cache, dF),
        wiring,
        lambda dy: backprop.norm_backward(norm, norm_cache, dy),
    )
    assert (dnorm is None) == (norm_cache is None) == (wiring.norm == "none")

    def slope(value, change):
        """∂L/∂value for L = Σ dH·H, one entry after the other."""
        found = np.empty_like(value)
        for i in np.ndindex(value.shape):
            step = np.zeros_like(value)
            step[i] = 1e-6
            up, down = (forward(wiring, *change(value + s))[0] for s in (step, -step))
            found[i] = (dH * (up - down)).sum() / 2e-6
        return found

    assert close(dh, slope(h, lambda value: (norm, branch, value)), 1e-6)
    expected = slope(branch.W1, lambda value: (norm, branch._replace(W1=value), h))
    assert close(dbranch.W1, expected, 1e-6)
    if dnorm is not None:
        expected = slope(norm.gain, lambda value: (norm._replace(gain=value), branch, h))
        assert close(dnorm.gain, expected, 1e-6)


def test_two_norms_are_refused():
    h = one_block()[2]
    for step in (joined_forward, joined_backward):
        with pytest.raises(ValueError, match="at most one norm fits"):
            step(h, lambda u: (u, None), PERI_NORM)
    assert backprop.joined_forward is joined_forward


def test_backprop_still_frees_the_memory_of_fast_kernels():
    assert backprop.free is tapes.free
    with pytest.raises(AttributeError, match="no attribute 'fast_forward'"):
        backprop.fast_forward  # noqa: B018
