import numpy as np
import pytest
import torch
from torch import nn

from course_utils import training
from course_utils.blocks import Stack
from course_utils.data import digits_task
from course_utils.fast import DeepStack, tapes
from course_utils.training import divergence
from course_utils.training.adam import Adam
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


def test_training_stops_when_every_copy_is_good_enough():
    options = {"learning_rates": (1e-3, 1e30), "seeds": (0, 1), "measure": training.accuracy}
    run = fit_digits(deep_model(gate=0.0), steps=300, until=0.7, **options)
    steps = run.steps_to(0.7)
    assert (run.measured[:, 0].max(0) >= 0.7).all()
    assert len(run.loss) == steps[0].max() < 300
    assert np.isinf(steps[1]).all()  # these diverged, and nobody waits for them
    longer = fit_digits(deep_model(gate=0.0), steps=len(run.loss) + 5, **options)
    assert np.array_equal(longer.loss[: len(run.loss)], run.loss, equal_nan=True)


def test_errors_quote_what_came():
    with pytest.raises(ValueError, match=r"until needs a measure, got until=0.9"):
        training.fit(make_model, draw, steps=1, until=0.9)
    with pytest.raises(ValueError, match="steps=0"):
        training.fit(make_model, draw, steps=0)
    with pytest.raises(ValueError, match=r"seeds=\(\)"):
        training.fit(make_model, draw, steps=1, seeds=())


def deep_model(depth=40, **options):
    def make():
        return nn.Sequential(
            nn.Linear(64, 8), DeepStack(depth, 8, RESIDUAL, **options), nn.Linear(8, 10)
        )

    return make


def fit_digits(make, steps=8, **options):
    return training.fit(make, digits_task(32), steps=steps, loss=training.cross_entropy, **options)


def test_a_deep_net_is_trained_as_its_ordinary_sequential_is():
    run = fit_digits(deep_model(gate=0.0), learning_rates=(1e-2,), seeds=(4,), steps=15)
    torch.manual_seed(4)
    first, stack, last = deep_model(gate=0.0)()
    model = nn.Sequential(first, *(stack.block(i) for i in range(40)), last)
    generator = torch.Generator().manual_seed(training.BATCH_SEED + 4)
    adam, draw_digits = torch.optim.Adam(model.parameters(), lr=1e-2), digits_task(32)
    for step in range(15):
        x, y = draw_digits(generator)
        loss = nn.functional.cross_entropy(model(x), y)
        assert run.loss[step, 0, 0] == pytest.approx(loss.item(), rel=1e-3)
        adam.zero_grad()
        loss.backward()
        adam.step()


def test_deep_copies_are_the_same_to_the_last_bit_whatever_rates_run_beside_them():
    options = {"seeds": (0, 1), "learning_rates": (3e-3,)}
    first, second = (fit_digits(deep_model(gate=0.0), **options).loss for _ in range(2))
    assert np.array_equal(first, second)
    more = fit_digits(deep_model(gate=0.0), seeds=(0, 1), learning_rates=(3e-3, 1e-2)).loss
    assert np.array_equal(more[:, :1], first)


def test_a_long_gradient_is_clipped_for_each_copy_by_itself():
    adam = Adam(torch.zeros(2, 4), torch.ones(2), clip=1.0)
    adam.take([torch.tensor([[3.0, 0, 0, 4.0], [0.3, 0, 0, 0.4]])])
    adam.step()
    assert torch.allclose(adam.g.norm(dim=1), torch.tensor([1.0, 0.5]))


def test_a_gradient_whose_square_overflows_is_clipped_and_not_lost():
    adam = Adam(torch.zeros(2, 2), torch.ones(2), clip=1.0)
    adam.take([torch.tensor([[3e29, 4e29], [0.3, 0.4]])])
    adam.step()
    assert torch.allclose(adam.g, torch.tensor([[0.6, 0.8], [0.3, 0.4]]))


def test_warm_up_starts_with_small_steps():
    adam = Adam(torch.zeros(1, 3), torch.tensor([0.1]), warmup=10)
    adam.take([torch.ones(1, 3)])
    adam.step()
    assert torch.allclose(adam.flat, torch.tensor(-0.01))
    assert run_loss(warmup=0) != run_loss(warmup=5)


def run_loss(**options):
    return training.fit(make_model, draw, steps=3, seeds=(0,), **options).loss[-1, 0, 0]


def test_a_residual_net_of_1202_layers_without_scaling_stops_and_says_where(capsys):
    run = fit_digits(deep_model(1202), learning_rates=(1e-3,), seeds=(0, 1))
    assert run.loss.shape == (1, 1, 2)
    assert "every copy diverged" in capsys.readouterr().out
    for seed, copy in enumerate(run.diverged):
        torch.manual_seed(seed)
        first, stack, _ = deep_model(1202)()
        generator = torch.Generator().manual_seed(training.BATCH_SEED + seed)
        h = first(digits_task(32)(generator)[0])
        for i in range(1202):
            h = stack.block(i)(h)
            if not h.isfinite().all():
                break
        assert (copy.seed, copy.step, copy.in_pass) == (seed, 0, "forward")
        assert copy.layer == f"1, block {i}"
    with pytest.raises(ValueError, match="diverged"):
        _ = run.best


def test_the_others_train_on_where_one_copy_diverges():
    options = {"seeds": (0, 1), "steps": 12}
    run = fit_digits(deep_model(gate=0.0), learning_rates=(3e-3, 1e30), **options)
    alone = fit_digits(deep_model(gate=0.0), learning_rates=(3e-3,), **options)
    assert np.array_equal(run.loss[:, :1], alone.loss)
    assert [(copy.learning_rate, copy.seed) for copy in run.diverged] == [(1e30, 0), (1e30, 1)]
    assert {copy.step for copy in run.diverged} == {1}
    assert run.best == 0


class BadBackward(nn.Module):
    """A square root at 0: the value is finite, its slope is not."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = (nn.Linear(2, 2) for _ in range(3))

    def forward(self, x):
        return self.last((self.second(self.first(x)) * 0).abs().sqrt())


def test_a_gradient_that_is_not_finite_is_told_from_a_value_that_is_not():
    run = training.fit(BadBackward, draw, steps=5, learning_rates=(1e-3,), seeds=(0,))
    (copy,) = run.diverged
    # the backward pass comes from the end: second before first
    assert (copy.step, copy.layer, copy.in_pass) == (0, "second", "backward")
    assert np.isfinite(run.loss).all()
    with pytest.raises(ValueError, match="diverged"):
        _ = run.best


def test_a_bad_gradient_inside_a_deep_stack_is_given_its_block():
    model = deep_model(depth=9, gate=0.0)()
    parameters = dict(model.named_parameters())
    gradients = [torch.zeros(2, *value.shape) for value in parameters.values()]
    bad = gradients[list(parameters).index("1.layers")]
    bad[1, :7, 0, 0] = torch.inf
    assert divergence.last_bad_gradient(model, parameters, gradients, 1) == "1, block 6"


def test_adam_in_pieces_is_adam(monkeypatch):
    expected = fit_digits(deep_model(gate=0.0), seeds=(0,)).loss
    monkeypatch.setattr(Adam, "BLOCK", 1000)
    assert np.array_equal(fit_digits(deep_model(gate=0.0), seeds=(0,)).loss, expected)


def test_accuracy_and_cross_entropy_are_torchs():
    logits, y = torch.randn(3, 50, 10), torch.randint(10, (3, 50))
    expected = [nn.functional.cross_entropy(p, t) for p, t in zip(logits, y, strict=True)]
    assert torch.allclose(training.cross_entropy(logits, y), torch.stack(expected))
    share = (logits.argmax(-1) == y).double().mean(1)
    assert torch.allclose(training.accuracy(logits, y).double(), share, atol=1e-7)


def test_what_is_ignored_counts_neither_above_nor_below_the_line():
    logits, y = torch.randn(3, 5, 4, 10), torch.randint(10, (3, 5, 4))
    expected = [
        nn.functional.cross_entropy(p.flatten(0, 1), t.flatten(), ignore_index=2)
        for p, t in zip(logits, y, strict=True)
    ]
    assert torch.allclose(training.cross_entropy(logits, y, ignore=2), torch.stack(expected))


def test_no_memory_is_held_after_training():
    fit_digits(deep_model(gate=0.0), steps=2)
    assert tapes.lent() is None


def test_a_trained_copy_is_taken_out_as_a_module():
    run = training.fit(make_model, draw, steps=10, learning_rates=(1e-3, 1e-2), seeds=(0, 1))
    x, y = draw(torch.Generator().manual_seed(9))
    expected = run.evaluate(x, y)
    for rate in (0, 1):
        for seed in (0, 1):
            found = (run.model(rate, seed)(x) - y).square().mean().item()
            assert found == pytest.approx(expected[rate, seed], rel=1e-5)
    assert torch.equal(run.model(-1, -1)(x), run.model(1, 1)(x))
    with torch.no_grad():
        next(run.model(0).parameters()).zero_()  # a copy: what was trained stays as it is
    assert np.array_equal(run.evaluate(x, y), expected)
    with pytest.raises(IndexError):
        run.model(2)


def test_rates_are_tried_on_while_an_end_is_best():
    tried = []

    def score(rate):
        tried.append(rate)
        return [rate, rate]

    rate, scores = training.at_best_rate(score, [1, 2, 3, 4, 5])
    assert (rate, scores.tolist(), tried) == (5, [5, 5], [2, 3, 4, 5])
    with pytest.raises(ValueError, match=r"at least three learning rates are needed, got \[1, 2\]"):
        training.at_best_rate(score, [1, 2])


def test_a_measure_is_taken_on_each_batch_before_its_step():
    def half_loss(prediction, target):
        assert not prediction.requires_grad
        return training.mse(prediction, target) / 2

    run = training.fit(lambda: nn.Linear(2, 2), draw, steps=4, measure=half_loss)
    np.testing.assert_array_equal(run.measured, run.loss / 2)
    assert training.fit(lambda: nn.Linear(2, 2), draw, steps=1).measured is None


def test_steps_to_a_level_that_a_mean_of_steps_reaches():
    curve = np.zeros((10, 2, 3))
    curve[4:, 0] = 1.0
    curve[4, 1] = 5.0  # one lucky step is no mean
    curve[7, 0, 2] = np.nan
    run = training.Run(curve, (0.1, 0.2), (0, 1, 2), None, {}, (), curve)
    assert run.steps_to(0.99, mean=4).tolist() == [[8.0, 8.0, np.inf], [5.0, 5.0, 5.0]]
    assert np.isinf(run.steps_to(5.5)).all()


def test_soonest_prefers_the_rate_that_arrives_first_and_else_the_one_that_comes_closest():
    def draw(generator):
        x = torch.randn(64, 2, generator=generator)
        return x, (x[:, 0] > 0).long()

    options = {"loss": training.cross_entropy, "mean": 5, "learning_rates": (1e-4, 1e-2, 1e-1)}
    sure = training.soonest(lambda: torch.nn.Linear(2, 2), draw, steps=80, level=0.95, **options)
    assert sure["learning_rate"] == 0.1
    assert max(sure["steps"]) < 80
    assert min(sure["accuracy"]) > 0.95
    never = training.soonest(lambda: torch.nn.Linear(2, 2), draw, steps=20, level=1.1, **options)
    assert never["steps"] == [20] * 3
    assert never["learning_rate"] > 1e-4
