"""Train many copies of a network at once: every learning rate with every seed."""

import itertools
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch.func import functional_call, stack_module_state, vmap

from course_utils.environment import progress
from course_utils.fast import tapes
from course_utils.training.adam import Adam
from course_utils.training.divergence import Divergence, first_nonfinite_layer
from course_utils.training.losses import mse

BATCH_SEED = 1_000_000


@dataclass(frozen=True)
class Run:
    """Hold what `fit` measured and what it trained.

    Attributes
    ----------
    loss : ndarray, shape (steps, learning_rates, seeds)
        Training loss before each step; shorter where training was interrupted, every copy
        had diverged, or all had reached what was asked for.
    learning_rates : tuple of float
    seeds : tuple of int
    diverged : tuple of Divergence
        One for each copy that stopped being finite, in the order of its step.
    measured : ndarray, shape (steps, learning_rates, seeds), or None
        What `measure` found on the batch of each step, before the step.
    """

    loss: np.ndarray
    learning_rates: tuple
    seeds: tuple
    _model: torch.nn.Module
    _parameters: dict
    diverged: tuple = ()
    measured: np.ndarray | None = None

    @property
    def best(self) -> int:
        """Index of the learning rate with the lowest training loss over the last tenth.

        The mean over seeds decides; a learning rate at which a copy diverged loses.

        Raises
        ------
        ValueError
            If every learning rate diverged.
        """
        tail = self.loss[-max(1, len(self.loss) // 10) :]
        mean = tail.mean((0, 2))
        for copy in self.diverged:
            mean[self.learning_rates.index(copy.learning_rate)] = np.inf
        if not np.isfinite(mean).any():
            raise ValueError(f"training diverged at every learning rate, {self.learning_rates}")
        return int(np.argmin(np.where(np.isfinite(mean), mean, np.inf)))

    def steps_to(self, level, mean=1) -> np.ndarray:
        """Count the batches until each copy's measure first was at least `level`.

        Parameters
        ----------
        level : float
        mean : int
            How many batches are averaged, against chance.

        Returns
        -------
        ndarray, shape (learning_rates, seeds)
            Infinite where that did not happen.

        Examples
        --------
        >>> measured = np.array([0.1, 0.6, 0.4, 0.9]).reshape(4, 1, 1)
        >>> run = Run(measured, (0.1,), (0,), None, {}, (), measured)
        >>> run.steps_to(0.5), run.steps_to(0.95)
        (array([[2.]]), array([[inf]]))
        """
        windows = np.lib.stride_tricks.sliding_window_view(np.nan_to_num(self.measured), mean, 0)
        reached = windows.mean(-1) >= level
        return np.where(reached.any(0), reached.argmax(0) + float(mean), np.inf)

    def evaluate(self, x, y, loss=mse) -> np.ndarray:
        """Measure the loss of every trained copy on one batch.

        Parameters
        ----------
        x, y : Tensor, shape (batch, ...)
        loss : callable
            Maps (copies, batch, ...) predictions and targets to (copies,).

        Returns
        -------
        ndarray, shape (learning_rates, seeds)
        """
        copies = len(self.learning_rates) * len(self.seeds)
        with torch.no_grad():
            prediction = _apply(self._model, self._parameters, x.expand(copies, *x.shape))
            value = loss(prediction, y.expand(copies, *y.shape))
        return value.reshape(len(self.learning_rates), -1).numpy()

    def model(self, rate, seed=0) -> torch.nn.Module:
        """Take one trained copy out as an ordinary module.

        Parameters
        ----------
        rate, seed : int
            Places in `learning_rates` and `seeds`.

        Returns
        -------
        nn.Module
        """
        copy = range(len(self.learning_rates))[rate] * len(self.seeds)
        copy += range(len(self.seeds))[seed]
        model = deepcopy(self._model)
        model.load_state_dict({n: p[copy].detach() for n, p in self._parameters.items()}, False)
        return model


def fit(
    make_model,
    draw,
    *,
    steps,
    learning_rates=(1e-3, 3e-3, 1e-2),
    seeds=(0, 1, 2),
    loss=mse,
    clip=None,
    warmup=0,
    measure=None,
    until=None,
    mean=1,
):
    """Train one copy of a model per learning rate and seed, all in one batched tensor.

    A seed decides the initial weights and, by a generator of their own, the batches;
    copies that differ only in the learning rate share both. The random numbers of the
    notebook stay as they were. The optimiser is Adam without weight decay. A copy whose
    numbers stop being finite leaves the others alone; when all have, training stops.

    Parameters
    ----------
    make_model : callable
        Builds one ordinary module; called once per seed.
    draw : callable
        Maps a `torch.Generator` to one batch (x, y), each of shape (batch, ...).
    steps : int
        Optimiser steps.
    learning_rates : sequence of float
    seeds : sequence of int
    loss : callable
        Maps (copies, batch, ...) predictions and targets to (copies,).
    clip : float, optional
        Longest gradient; a copy's longer one is shortened to it.
    warmup : int
        Steps over which the learning rate grows linearly to its full size.
    measure : callable, optional
        Maps predictions and targets to (copies,), as `loss` does; kept for every step.
    until : float, optional
        Training stops once each copy has had a measure of at least this.
    mean : int
        How many batches in a row are averaged for that.

    Returns
    -------
    Run
        The same to the last bit each time on one machine. Interrupting the kernel ends
        training early and keeps what it has.

    Raises
    ------
    ValueError
        If `steps` is smaller than 1, there is no seed or no learning rate, or `until` has no
        measure.

    References
    ----------
    Kingma and Ba (2015), "Adam", algorithm 1.
    Used from notebooks/01_residual_block.ipynb on.

    Examples
    --------
    >>> def draw(generator):
    ...     x = torch.randn(32, 2, generator=generator)
    ...     return x, 3 * x
    >>> run = fit(lambda: torch.nn.Linear(2, 2), draw, steps=200, learning_rates=(1e-3, 1e-1))
    >>> run.loss.shape, run.best
    ((200, 2, 3), 1)
    """
    learning_rates, seeds = tuple(learning_rates), tuple(seeds)
    if steps < 1 or not learning_rates or not seeds:
        raise ValueError(
            "fit needs at least one step, one learning rate and one seed, got "
            f"steps={steps}, learning_rates={learning_rates}, seeds={seeds}"
        )
    if until is not None and measure is None:
        raise ValueError(f"until needs a measure, got until={until} and measure=None")
    models = []
    with torch.random.fork_rng(devices=[]):
        for seed in seeds:
            torch.manual_seed(seed)
            models.append(make_model())
    model, copies = models[0], list(itertools.product(learning_rates, seeds))
    flat, parameters = _one_tensor(stack_module_state(models * len(learning_rates))[0])
    # another seed than the weights', or the first batches would repeat their numbers
    generators = [torch.Generator().manual_seed(BATCH_SEED + seed) for seed in seeds]
    adam = Adam(flat, torch.tensor(learning_rates).repeat_interleave(len(seeds)), clip, warmup)
    history, measured, diverged, done = [], [], {}, torch.zeros(len(copies), dtype=torch.bool)
    try:
        for step in progress(range(steps), "training"):
            batches = [draw(generator) for generator in generators] * len(learning_rates)
            x, y = (torch.stack(parts) for parts in zip(*batches, strict=True))
            prediction = _apply(model, parameters, x)
            losses = loss(prediction, y)
            # the copies share no weight, so the gradient of the sum is each one's own
            gradients = torch.autograd.grad(losses.sum(), list(parameters.values()))
            if measure is not None:
                measured.append(measure(prediction.detach(), y))
            history.append(losses.detach())
            for copy in (~(losses.isfinite() & adam.take(gradients))).nonzero().flatten().tolist():
                if copy not in diverged:
                    place = first_nonfinite_layer(model, parameters, gradients, x, losses, copy)
                    diverged[copy] = Divergence(*copies[copy], step, *place)
            if len(diverged) == len(copies):
                print(f"Training stopped, every copy diverged. {next(iter(diverged.values()))}.")
                break
            if until is not None:
                if len(measured) >= mean:
                    done |= torch.stack(measured[-mean:]).mean(0) >= until
                done[list(diverged)] = True
                if done.all():
                    break
            adam.step()
    except KeyboardInterrupt:
        if not history:
            raise
        print(f"Training was interrupted after {len(history)} of {steps} steps; those are kept.")
    finally:
        tapes.free()
    loss_array, measured_array = (
        torch.stack(kept).reshape(-1, len(learning_rates), len(seeds)).numpy() if kept else None
        for kept in (history, measured[: len(history)])
    )
    copies_lost = tuple(diverged.values())
    return Run(loss_array, learning_rates, seeds, model, parameters, copies_lost, measured_array)


def _apply(model, parameters, x):
    if len(x) == 1:  # one copy is faster without vmap, for most modules by a half
        alone = {name: parameter[0] for name, parameter in parameters.items()}
        return functional_call(model, alone, (x[0],))[None]
    return vmap(lambda p, x_one: functional_call(model, p, (x_one,)))(parameters, x)


def _one_tensor(stacked):
    """Lay all weights into one tensor, (copies, weights), and name the views into it."""
    flat = torch.cat([value.detach().flatten(1) for value in stacked.values()], 1)
    parts = flat.split([value[0].numel() for value in stacked.values()], 1)
    views = zip(stacked.items(), parts, strict=True)
    return flat, {
        name: part.view_as(value).detach().requires_grad_() for (name, value), part in views
    }
