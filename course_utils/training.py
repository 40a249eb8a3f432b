"""Train many copies of a network at once: every learning rate with every seed."""

from dataclasses import dataclass

import numpy as np
import torch
from torch.func import functional_call, stack_module_state, vmap

from course_utils.environment import progress

BATCH_SEED = 1_000_000


def mse(prediction, target):
    """Average the squared error over all but the first axis.

    Parameters
    ----------
    prediction, target : Tensor, shape (copies, ...)
        Compared entry by entry.

    Returns
    -------
    Tensor, shape (copies,)

    Examples
    --------
    >>> mse(torch.zeros(2, 3, 1), torch.ones(2, 3, 1))
    tensor([1., 1.])
    """
    return (prediction - target).square().flatten(1).mean(1)


@dataclass(frozen=True)
class Run:
    """Hold what `fit` measured and what it trained.

    Attributes
    ----------
    loss : ndarray, shape (steps, learning_rates, seeds)
        Training loss before each step; shorter where training was interrupted.
    learning_rates : tuple of float
    seeds : tuple of int
    """

    loss: np.ndarray
    learning_rates: tuple
    seeds: tuple
    _model: torch.nn.Module
    _parameters: dict

    @property
    def best(self) -> int:
        """Index of the learning rate with the lowest training loss over the last tenth.

        The mean over seeds decides; a learning rate with a loss that is not finite there
        loses.

        Raises
        ------
        ValueError
            If every learning rate diverged.
        """
        tail = self.loss[-max(1, len(self.loss) // 10) :]
        mean = tail.mean((0, 2))
        if not np.isfinite(mean).any():
            raise ValueError(f"training diverged at every learning rate, {self.learning_rates}")
        return int(np.argmin(np.where(np.isfinite(mean), mean, np.inf)))

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


def fit(make_model, draw, *, steps, learning_rates=(1e-3, 3e-3, 1e-2), seeds=(0, 1, 2), loss=mse):
    """Train one copy of a model per learning rate and seed, all in one batched tensor.

    A seed decides the initial weights and, by a generator of their own, the batches;
    copies that differ only in the learning rate share both. The random numbers of the
    notebook stay as they were. The optimiser is Adam without weight decay.

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

    Returns
    -------
    Run
        Interrupting the kernel ends training early and keeps what it has.

    Raises
    ------
    ValueError
        If `steps` is smaller than 1, or there is no seed or no learning rate.

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
    models = []
    with torch.random.fork_rng(devices=[]):
        for seed in seeds:
            torch.manual_seed(seed)
            models.append(make_model())
    model, copies = models[0], models * len(learning_rates)
    parameters = {
        name: value.detach().clone().requires_grad_()
        for name, value in stack_module_state(copies)[0].items()
    }
    # another seed than the weights', or the first batches would repeat their numbers
    generators = [torch.Generator().manual_seed(BATCH_SEED + seed) for seed in seeds]
    adam = _Adam(parameters.values(), torch.tensor(learning_rates).repeat_interleave(len(seeds)))
    history = []
    try:
        for _ in progress(range(steps), "training"):
            batches = [draw(generator) for generator in generators] * len(learning_rates)
            x, y = (torch.stack(parts) for parts in zip(*batches, strict=True))
            losses = loss(_apply(model, parameters, x), y)
            # the copies share no weight, so the gradient of the sum is each one's own
            adam.step(torch.autograd.grad(losses.sum(), list(parameters.values())))
            history.append(losses.detach())
    except KeyboardInterrupt:
        if not history:
            raise
        print(f"Training was interrupted after {len(history)} of {steps} steps; those are kept.")
    loss_array = torch.stack(history).reshape(-1, len(learning_rates), len(seeds)).numpy()
    return Run(loss_array, learning_rates, seeds, model, parameters)


def _apply(model, parameters, x):
    return vmap(lambda p, x_one: functional_call(model, p, (x_one,)))(parameters, x)


class _Adam:
    """Adam on all copies at once; torch.optim costs 2 s and 76 MB to import."""

    def __init__(self, parameters, learning_rates, betas=(0.9, 0.999), eps=1e-8):
        self.parameters = list(parameters)
        self.learning_rates, self.betas, self.eps, self.t = learning_rates, betas, eps, 0
        flat = torch.cat([p.detach().flatten(1) for p in self.parameters], 1)
        self.m, self.v = torch.zeros_like(flat), torch.zeros_like(flat)

    def step(self, gradients):
        self.t += 1
        g = torch.cat([gradient.flatten(1) for gradient in gradients], 1)  # (copies, all weights)
        beta1, beta2 = self.betas
        self.m.lerp_(g, 1 - beta1)
        self.v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
        scale = (self.learning_rates / (1 - beta1**self.t)).unsqueeze(1)
        update = scale * self.m / ((self.v / (1 - beta2**self.t)).sqrt() + self.eps)
        with torch.no_grad():
            parts = update.split([p[0].numel() for p in self.parameters], dim=1)
            for parameter, part in zip(self.parameters, parts, strict=True):
                parameter -= part.view_as(parameter)
