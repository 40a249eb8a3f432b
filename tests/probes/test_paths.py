import numpy as np
import pytest
import torch

from course_utils import probes
from course_utils.blocks import DeepStack
from course_utils.wiring import Wiring


@pytest.mark.parametrize("gate", [None, 0.3])
def test_paths_of_all_lengths_add_up_to_the_gradient(gate):
    torch.manual_seed(0)
    stack = DeepStack(6, 5, Wiring(a=0.9, b=0.5), gate=gate)
    x, dH = torch.randn(2, 3, 5)
    x.requires_grad_()
    (gradient,) = torch.autograd.grad(stack(x), x, dH)
    shares = probes.path_shares(stack, x, dH, longest=6)
    assert shares.sum() == pytest.approx(1)
    few = probes.path_shares(stack, x, dH, longest=2)  # what is left out is missing in the sum
    assert np.allclose(few, shares[:3])
    assert abs(few.sum() - 1) > 0.01
    # paths of length 0 take every shortcut
    assert shares[0] == pytest.approx(0.9**6 * (dH * gradient).sum() / gradient.square().sum())
    stack.wiring = Wiring(a=0.9, b=0.0)
    assert np.allclose(probes.path_shares(stack, x, dH, longest=6), np.eye(7)[0])


def test_paths_are_counted_in_relu_stacks_without_a_norm():
    for stack in (
        DeepStack(2, 3, Wiring(norm="pre")),
        DeepStack(2, 3, Wiring(), activation="tanh"),
    ):
        with pytest.raises(ValueError, match="ReLUs without a norm are needed, got"):
            probes.path_shares(stack, torch.ones(1, 3), torch.ones(1, 3))


def test_paths_of_each_length_are_summed_as_if_one_listed_them():
    rng = np.random.default_rng(0)
    M, v = rng.normal(size=(4, 2, 3, 3)), rng.normal(size=(2, 3))
    parts = np.zeros((5, 2, 3))
    for path in np.ndindex(*4 * (2,)):
        product = v
        for block in M[np.array(path) == 1]:
            product = np.einsum("sij,sj->si", block, product)
        parts[sum(path)] += product
    found = probes.squares_by_length(M, v)
    assert found.shape == (5, 5, 2)
    assert np.allclose(found[-1], (parts**2).sum(-1))
    assert np.allclose(found[2], np.r_[probes.squares_by_length(M[:2], v)[-1], np.zeros((2, 2))])


def test_random_stacks_have_the_predicted_shares():
    rng = np.random.default_rng(0)
    M = 0.7 * rng.normal(size=(6, 400, 16, 16)) / 4
    squares = probes.squares_by_length(M, rng.normal(size=(400, 16)))[-1].sum(-1)
    predicted = probes.path_length_shares(6, 0.7)
    assert np.allclose(squares / squares.sum(), predicted, atol=0.02)
    assert predicted.sum() == pytest.approx(1)
    assert predicted @ np.arange(7) == pytest.approx(6 * 0.49 / 1.49)
    assert probes.path_length_shares(3, 0.0).tolist() == [1, 0, 0, 0]
