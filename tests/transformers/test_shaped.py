import pytest
import torch
from torch import nn

from course_utils import data, training
from course_utils.blocks import Block
from course_utils.transformers import (
    FeedForward,
    MultiHeadAttention,
    ShapedAttention,
    ShapedBlock,
    TokenNet,
    attention_weights,
    causal_mask,
    mirror,
)
from course_utils.wiring import PLAIN


def test_shaped_attention_starts_as_a_rotation_of_each_position_alone():
    torch.manual_seed(0)
    attend, x = ShapedAttention(8, 2).double(), torch.randn(3, 5, 8, dtype=torch.double)
    other = x.clone()
    other[:, 2] += 1
    before, after = attend(x), attend(other)
    kept = [0, 1, 3, 4]
    assert torch.allclose(before[:, kept], after[:, kept])
    assert torch.allclose(before.norm(dim=-1), x.norm(dim=-1))


def test_shaped_attention_is_the_formula():
    torch.manual_seed(0)
    attend, x = ShapedAttention(6, 1).double(), torch.randn(4, 6, dtype=torch.double)
    with torch.no_grad():
        for parameter in attend.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    A = attention_weights(attend.query(x), attend.key(x))
    mix = attend.alpha[0] * torch.eye(4) + attend.beta[0] * A - attend.gamma[0] / 4
    assert torch.allclose(attend(x), attend.out(mix @ attend.value(x)))


def test_shaped_attention_obeys_a_mask():
    torch.manual_seed(0)
    attend, x = ShapedAttention(6, 2).double(), torch.randn(4, 6, dtype=torch.double)
    nn.init.normal_(attend.query.weight)
    later = x.clone()
    later[3] += 1
    mask = causal_mask(4)
    assert torch.allclose(attend(x, mask=mask)[:3], attend(later, mask=mask)[:3])
    assert not torch.allclose(attend(x)[:3], attend(later)[:3])


def test_a_mirrored_feed_forward_is_the_identity_until_it_is_trained():
    torch.manual_seed(0)
    feed, x = mirror(FeedForward(6, 12).double()), torch.randn(4, 6, dtype=torch.double)
    assert torch.allclose(feed(x), x)
    with torch.no_grad():
        feed.inner.weight[0] += 1
    assert not torch.allclose(feed(x), x)
    with pytest.raises(ValueError, match="d_ff must be 2·d_model = 12, got 24"):
        mirror(FeedForward(6))


def test_a_net_without_any_shortcut_trains():
    def make():
        return TokenNet([ShapedBlock(16, 2) for _ in range(2)], 4, 4, 16)

    task = data.reversal_task(16, 4, 4)
    run = training.fit(make, task, steps=60, learning_rates=(1e-2,), loss=training.cross_entropy)
    assert run.loss[-5:].mean() < run.loss[:5].mean() / 2
    wires = [part.wiring for part in make().blocks.modules() if isinstance(part, Block)]
    assert wires == 4 * [PLAIN]


def test_each_part_of_a_shaped_block_can_be_left_as_usual():
    usual = ShapedBlock(8, 2, shaped=False, mirrored=False)
    assert type(usual.attend.branch) is MultiHeadAttention
    h = torch.randn(3, 8)
    assert not torch.allclose(usual.feed.branch(h), h, atol=0.1)
    assert torch.allclose(ShapedBlock(8, 2, shaped=False).feed.branch(h), h, atol=1e-5)
