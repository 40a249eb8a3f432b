import numpy as np
import pytest
import torch
from torch import nn

from course_utils import training
from course_utils.blocks import Stack
from course_utils.wiring import RESIDUAL

TARGET = torch.tensor([[1.0, 2.0], [-1.0, 0.5]])


def draw(generator):
    x = torch.randn(16, 2, generator=generator)
    return x, x @ TARGET


def make_model():
    return Stack(2, 2, RESIDUAL, hidden=4)


def test_each_copy_is_trained_as_if_it_were_alone_with_torchs_adam():
    run = training.fit(make_model, draw, steps=20, learning_rates=(1e-3, 1e-2), seeds=(3, 5))
    for i, learning_rate in enumerate((1e-3, 1e-2)):
        for j, seed in enumerate((3, 5)):
            torch.manual_seed(seed)
            model = make_model()
            generator = torch.Generator().manual_seed(training.BATCH_SEED + seed)
            adam = torch.optim.Adam(model.parameters(), lr=learning_rate)
            for step in range(20):
                x, y = draw(generator)
                loss = (model(x) - y).square().mean()
                assert run.loss[step, i, j] == pytest.approx(loss.item(), rel=1e-4)
                adam.zero_grad()
                loss.backward()
                adam.step()


def test_two_runs_agree_bit_for_bit():
    first, second = (training.fit(make_model, draw, steps=10).loss for _ in range(2))
    assert np.array_equal(first, second)


def test_a_seed_gives_the_same_copy_whoever_trains_beside_it():
    alone = training.fit(make_model, draw, steps=10, learning_rates=(1e-2,), seeds=(1,)).loss
    beside = training.fit(make_model, draw, steps=10, learning_rates=(1e-2,), seeds=(0, 1)).loss
    assert np.allclose(alone[:, 0, 0], beside[:, 0, 1], rtol=1e-5)


def test_evaluate_gives_one_number_per_copy():
    run = training.fit(make_model, draw, steps=5)
    x, y = draw(torch.Generator().manual_seed(9))
    assert run.evaluate(x, y).shape == (3, 3)


def test_a_rate_that_diverges_is_never_the_best():
    run = training.fit(lambda: nn.Linear(2, 2), draw, steps=30, learning_rates=(1e30, 1e-1))
    assert run.best == 1
    loss = np.full((10, 2, 3), np.nan)
    loss[:, 1] = 5.0
    assert training.Run(loss, (1.0, 2.0), (0, 1, 2), None, {}).best == 1


def test_where_every_rate_diverges_there_is_no_best():
    run = training.Run(np.full((10, 2, 3), np.nan), (1.0, 2.0), (0, 1, 2), None, {})
    with pytest.raises(ValueError, match=r"every learning rate, \(1.0, 2.0\)"):
        _ = run.best


def test_training_leaves_the_notebooks_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.randn(2)
    torch.manual_seed(3)
    training.fit(make_model, draw, steps=2)
    assert torch.equal(torch.randn(2), expected)


def test_an_interrupt_keeps_what_was_trained(capsys):
    calls = []

    def interrupted(generator):
        calls.append(1)
        if len(calls) > 7:
            raise KeyboardInterrupt
        return draw(generator)

    run = training.fit(make_model, interrupted, steps=100, learning_rates=(1e-2,), seeds=(0,))
    assert run.loss.shape == (7, 1, 1)
    assert "after 7 of 100 steps" in capsys.readouterr().out


def test_errors_quote_what_came():
    with pytest.raises(ValueError, match="steps=0"):
        training.fit(make_model, draw, steps=0)
    with pytest.raises(ValueError, match=r"seeds=\(\)"):
        training.fit(make_model, draw, steps=1, seeds=())
