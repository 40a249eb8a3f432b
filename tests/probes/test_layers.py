import numpy as np
import torch

from course_utils import probes
from course_utils.blocks import MLP, DeepStack
from course_utils.wiring import Wiring


def test_stream_gradients_are_one_length_for_each_part():
    first, second = MLP(4).double(), MLP(4, d_out=3).double()
    x = torch.randn(5, 4, dtype=torch.double)
    lengths = probes.stream_gradients(torch.nn.Sequential(first, second), x, torch.sum)
    h = first(x).detach().requires_grad_()
    second(h).sum().backward()
    assert np.allclose(lengths, [h.grad.norm().item(), 15**0.5], rtol=1e-12, atol=0)


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
