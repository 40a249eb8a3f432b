import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from course_utils import blocks, fast
from course_utils.blocks import MLP, Block, Stack
from course_utils.wiring import PLAIN, RESIDUAL, Wiring

X = torch.randn(7, 6, generator=torch.Generator().manual_seed(0), dtype=torch.double)
NUMBERS = st.floats(-2, 2, allow_nan=False)


@settings(max_examples=30, deadline=None)
@given(
    a=NUMBERS,
    b=NUMBERS,
    place=st.sampled_from(["none", "pre", "post", "peri"]),
    norm=st.sampled_from([nn.LayerNorm, nn.RMSNorm]),
    gate=st.sampled_from([None, 0.25]),  # exact in float32
)
def test_a_block_computes_its_wiring(a, b, place, norm, gate):
    torch.manual_seed(0)
    block = Block(MLP(6), Wiring(a, b, place), width=6, norm=norm, gate=gate).double()
    pure = norm(6).double()
    f = block.branch(pure(X) if place in ("pre", "peri") else X)
    f = (gate or 1) * (pure(f) if place == "peri" else f)
    expected = pure(a * X + b * f) if place == "post" else a * X + b * f
    assert torch.allclose(block(X), expected, rtol=0, atol=1e-12)


def test_the_jacobian_is_the_identity_plus_that_of_the_branch():
    block = Block(MLP(6), RESIDUAL).double()
    J = torch.autograd.functional.jacobian(block, X[0])
    J_F = torch.autograd.functional.jacobian(block.branch, X[0])
    assert torch.allclose(J, torch.eye(6, dtype=torch.double) + J_F, rtol=0, atol=1e-12)


def test_a_zero_branch_is_the_identity_to_the_last_bit():
    assert torch.equal(Stack(5, 6, RESIDUAL, zero_last=True).double()(X), X)


def test_a_plain_stack_of_zero_branches_returns_zero():
    assert torch.equal(Stack(2, 6, PLAIN, zero_last=True).double()(X), torch.zeros_like(X))


def test_a_projection_stands_on_the_shortcut_where_shapes_differ():
    block = Block(MLP(6, d_out=4), RESIDUAL, width=6, d_out=4).double()
    expected = X @ block.shortcut.weight.T + block.branch(X)
    assert torch.allclose(block(X), expected, rtol=0, atol=1e-12)
    assert isinstance(Block(MLP(6), RESIDUAL, width=6, d_out=6).shortcut, nn.Identity)


def test_a_post_norm_after_a_projection_has_the_new_width():
    block = Block(MLP(6, d_out=4), Wiring(norm="post"), width=6, d_out=4).double()
    assert block(X).shape == (7, 4)


def test_the_branch_keeps_the_squared_length_on_average():
    torch.manual_seed(0)
    x = torch.randn(400, 64)
    ratios = [(MLP(64)(x).square().sum() / x.square().sum()).item() for _ in range(20)]
    assert 0.9 < sum(ratios) / 20 < 1.1


def test_errors_quote_what_came():
    with pytest.raises(ValueError, match="width=None"):
        Block(MLP(6), Wiring(norm="pre"))


def test_fast_modules_can_be_had_beside_the_blocks():
    assert blocks.DeepStack is fast.DeepStack
    assert blocks.StochasticDepth is fast.StochasticDepth
    with pytest.raises(AttributeError, match="no attribute 'FastStack'"):
        blocks.FastStack  # noqa: B018
