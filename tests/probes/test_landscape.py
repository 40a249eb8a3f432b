import numpy as np
import torch

from course_utils import probes
from course_utils.blocks import MLP, DeepStack
from course_utils.wiring import Wiring


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


def test_rows_keep_their_length_on_a_plane_where_that_is_asked_for():
    net = torch.nn.Sequential(
        DeepStack(2, 4, Wiring(), gate=0.5, start="torch"), torch.nn.Linear(4, 3)
    )
    x, y = torch.randn(8, 4), torch.randn(8, 3)
    (direction,) = probes.filter_directions(net, count=1)
    (found,) = probes.losses_at(net, [direction], [[2.0]], squares, x, y, keep_rows=True)
    for name, p in net.named_parameters():
        rows = p.data[..., :-1] if name == "0.layers" else p.data  # without the bias
        if name in ("0.layers", "1.weight"):
            lengths = rows.norm(dim=-1, keepdim=True)
            step = direction[name][..., :-1] if name == "0.layers" else direction[name]
            rows += 2 * step
            rows *= lengths / rows.norm(dim=-1, keepdim=True)
    assert np.isclose(found, squares(net(x)[None], y[None]).item())


def test_a_longer_row_changes_nothing_where_rows_keep_their_length():
    net, x, y = torch.nn.Linear(4, 3), torch.randn(8, 4), torch.randn(8, 3)
    longer = {name: p.detach() * (p.ndim > 1) for name, p in net.named_parameters()}
    free, kept = (
        probes.losses_at(net, [longer], [[0.0], [2.0]], squares, x, y, keep_rows=keep)
        for keep in (False, True)
    )
    assert not np.isclose(free[1], free[0])
    assert np.isclose(kept[1], kept[0])


def test_curvatures_are_second_derivatives():
    net, (x, y) = torch.nn.Linear(4, 2).double(), torch.randn(2, 8, 4, dtype=torch.double)
    y = y[:, :2]
    directions = probes.filter_directions(net, count=3)
    found = probes.curvatures(net, directions, squares, x, y)
    exact = [2 * (x @ d["weight"].T).square().mean().item() for d in directions]
    assert np.allclose(found, exact)
