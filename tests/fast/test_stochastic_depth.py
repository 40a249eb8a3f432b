from copy import deepcopy

import numpy as np
import pytest
import torch

from course_utils import training
from course_utils.fast import StochasticDepth
from course_utils.wiring import PLAIN, RESIDUAL, Wiring


@pytest.mark.parametrize("wire", [RESIDUAL, PLAIN, Wiring(norm="pre")])
def test_stochastic_depth_runs_the_blocks_its_coins_choose(wire):
    torch.manual_seed(0)
    net, x = StochasticDepth(12, 6, wire, last=0.3), torch.randn(5, 6)
    kept = np.flatnonzero(deepcopy(net._coins).random(12) < net.survival)
    assert 0 < len(kept) < 12
    h = x
    for i in kept:
        h = net.block(i)(h)
    assert torch.allclose(net(x), h, atol=1e-5)
    assert np.array_equal(net.only(kept).survival, net.survival[kept])


def test_stochastic_depth_in_evaluation_goes_the_expected_part_of_each_way():
    torch.manual_seed(0)
    net, x = StochasticDepth(3, 6, RESIDUAL, last=0.4, gate=1.0).eval(), torch.randn(5, 6)
    h = x
    for i, p in enumerate((0.8, 0.6, 0.4)):
        h = h + p * torch.relu(h @ net.layers[i, :, :-1].T)
    assert torch.allclose(net(x), h, atol=1e-5)
    always = StochasticDepth(3, 6, PLAIN, last=1.0)
    assert torch.allclose(always(x), always.eval()(x), atol=1e-5)


def test_stochastic_depth_can_leave_out_every_block():
    net = StochasticDepth(1, 6, PLAIN, last=1e-9)
    x = torch.randn(5, 6)
    assert torch.equal(net(x), x)
    for last in (0, 1.1, -0.5):
        with pytest.raises(ValueError, match=f"got {last}"):
            StochasticDepth(2, 6, RESIDUAL, last=last)


def test_a_run_with_stochastic_depth_can_be_repeated_to_the_last_bit():
    def noise(generator):
        return torch.randn(8, 4, generator=generator), torch.zeros(8, 4)

    one, other = (
        training.fit(lambda: StochasticDepth(6, 4, RESIDUAL), noise, steps=5) for _ in range(2)
    )
    assert np.array_equal(one.loss, other.loss)
