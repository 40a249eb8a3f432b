import numpy as np
import pytest
import torch
from torch import nn

from course_utils import training
from course_utils.data import reversal_task
from course_utils.transformers import PostNormBlock, PreNormBlock, ReZeroBlock, TokenNet

BLOCKS = {"pre": PreNormBlock, "post": PostNormBlock, "ReZero": ReZeroBlock}


def small(kind):
    def make():
        blocks = [BLOCKS[kind](16, 2, 32) for _ in range(2)]
        return TokenNet(blocks, 6, 4, 16, norm=nn.LayerNorm if kind == "pre" else None)

    return make


@pytest.mark.parametrize("kind", BLOCKS)
def test_fit_trains_a_small_one_until_it_says_sequences_backwards(kind):
    run = training.fit(
        small(kind), reversal_task(32, tokens=6, seq=4), steps=120, learning_rates=(3e-3,),
        loss=training.cross_entropy, measure=training.accuracy,
    )  # fmt: skip
    assert run.measured[0].max() < 0.5
    assert run.measured[-10:].mean() > 0.95


def test_a_copy_in_fit_is_trained_as_if_it_were_alone():
    draw = reversal_task(8, tokens=6, seq=4)
    run = training.fit(
        small("pre"), draw, steps=5, learning_rates=(1e-3, 1e-2), loss=training.cross_entropy
    )
    torch.manual_seed(2)
    net, generator = small("pre")(), torch.Generator().manual_seed(training.BATCH_SEED + 2)
    adam = torch.optim.Adam(net.parameters(), lr=1e-2)
    for step in range(5):
        x, y = draw(generator)
        loss = nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten())
        np.testing.assert_allclose(run.loss[step, 1, 2], loss.item(), rtol=1e-4)
        adam.zero_grad()
        loss.backward()
        adam.step()


def test_without_positions_a_net_cannot_tell_first_from_last():
    net, x = small("pre")(), torch.tensor([[0, 1, 2, 3]])
    with torch.no_grad():
        net.position.zero_()
    assert torch.allclose(net(x).flip(1), net(x.flip(1)), atol=1e-5)
    assert not torch.allclose(small("pre")()(x).flip(1), small("pre")()(x.flip(1)), atol=1e-2)
