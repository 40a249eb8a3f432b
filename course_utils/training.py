"""Train many copies of a network at once: every learning rate with every seed."""

import itertools
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
import torch
from torch.func import functional_call, stack_module_state, vmap

from course_utils.environment import progress
from course_utils.fast import tapes

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


def cross_entropy(prediction, target, ignore=None):
    """Average −log of the probability that softmax gives to the right class.

    Parameters
    ----------
    prediction : Tensor, shape (copies, batch, ..., classes)
    target : Tensor, shape (copies, batch, ...), int64
    ignore : int, optional
        A class, such as padding, whose places are left out of the average.

    Returns
    -------
    Tensor, shape (copies,)

    Examples
    --------
    >>> cross_entropy(torch.zeros(2, 3, 10), torch.zeros(2, 3, dtype=torch.int64)).exp().round()
    tensor([10., 10.])
    """
    log_probability = prediction.log_softmax(-1).gather(-1, target.unsqueeze(-1))
    if ignore is None:
        return -log_probability.flatten(1).mean(1)
    counts = (target != ignore).flatten(1).to(log_probability)
    return -(log_probability.flatten(1) * counts).sum(1) / counts.sum(1)


def accuracy(prediction, target):
    """Count the share of right classes; for `Run.evaluate`, or as `measure` of `fit`.

    Parameters
    ----------
    prediction : Tensor, shape (copies, batch, ..., classes)
    target : Tensor, shape (copies, batch, ...), int64

    Returns
    -------
    Tensor, shape (copies,)

    Examples
    --------
    >>> accuracy(torch.eye(2)[None], torch.tensor([[0, 0]]))
    tensor([0.5000])
    """
    return (prediction.argmax(-1) == target).float().flatten(1).mean(1)


@dataclass(frozen=True)
class Divergence:
    """Say where the numbers of one copy first stopped being finite.

    Attributes
    ----------
    learning_rate : float
    seed : int
    step : int
        Counted from 0.
    layer : str
        Name of the module, such as ``"1, block 187"``.
    in_pass : {"forward", "backward"}
    """

    learning_rate: float
    seed: int
    step: int
    layer: str
    in_pass: str

    def __str__(self):
        return (
            f"learning rate {self.learning_rate:g}, seed {self.seed}: not finite at step "
            f"{self.step} in the {self.in_pass} pass of {self.layer}"
        )


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
    adam = _Adam(flat, torch.tensor(learning_rates).repeat_interleave(len(seeds)), clip, warmup)
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
                    place = _first_nonfinite(model, parameters, gradients, x, losses, copy)
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


def at_best_rate(score, learning_rates):
    """Find the learning rate that suits best: three in the middle, then on while an end is best.

    Parameters
    ----------
    score : callable
        Maps a learning rate to numbers, one for each seed; larger is better.
    learning_rates : sequence of float
        In increasing order, at least three.

    Returns
    -------
    learning_rate : float
    scores : ndarray, shape (seeds,)
        With the highest mean among the rates that were tried.

    Raises
    ------
    ValueError
        If there are fewer than three rates.

    Examples
    --------
    >>> rate, scores = at_best_rate(lambda rate: [-abs(rate - 1e-1)] * 3, [1e-4, 1e-3, 1e-2, 1e-1])
    >>> rate, scores.shape
    (0.1, (3,))
    """
    if len(learning_rates) < 3:
        raise ValueError(f"at least three learning rates are needed, got {learning_rates}")
    middle = len(learning_rates) // 2
    tried, wanted = {}, {middle - 1, middle, middle + 1} & set(range(len(learning_rates)))
    while wanted:
        tried |= {i: np.array(score(learning_rates[i])) for i in sorted(wanted)}
        best = max(sorted(tried), key=lambda i: tried[i].mean())
        wanted = {best - 1, best + 1} & set(range(len(learning_rates))) - set(tried)
    return learning_rates[best], tried[best]


def soonest(make_model, draw, *, steps, learning_rates, level=0.99, mean=20, **options) -> dict:
    """Train at the learning rate that reaches a level of the measure first, or comes closest.

    Parameters
    ----------
    make_model, draw, steps
        Those of `fit`.
    learning_rates : sequence of float
        Those of `at_best_rate`.
    level : float
    mean : int
        How many batches are averaged.
    **options
        Other arguments of `fit`; `measure` is `accuracy` if not given.

    Returns
    -------
    dict
        For each seed ``accuracy``, the mean of the last batches, and ``steps`` until the level
        (all steps, if it is never reached); and the ``learning_rate``. Once every seed has
        reached the level, training stops.

    Examples
    --------
    >>> def draw(generator):
    ...     x = torch.randn(32, 2, generator=generator)
    ...     return x, (x[:, 0] > 0).long()
    >>> rates, options = (1e-3, 1e-2, 1e-1), {"loss": cross_entropy, "mean": 5}
    >>> soonest(lambda: torch.nn.Linear(2, 2), draw, steps=60, learning_rates=rates, **options)[
    ...     "learning_rate"
    ... ]
    0.1
    """
    tried = {}

    def score(rate):
        stop = {"measure": accuracy, "until": level, "mean": mean}
        run = fit(make_model, draw, steps=steps, learning_rates=(rate,), **stop | options)
        last = np.nan_to_num(run.measured[-mean:, 0]).mean(0)
        taken = np.minimum(run.steps_to(level, mean=mean)[0], steps)
        tried[rate] = {"accuracy": last.tolist(), "steps": taken.tolist()}
        # the sooner the better, among those who get there; the rest by how far they get
        return last - taken / steps

    rate, _ = at_best_rate(score, learning_rates)
    return tried[rate] | {"learning_rate": rate}


def search(make_model, draw, evaluate, score, *, learning_rates, **options) -> dict:
    """Train at the learning rate that suits best, and keep what came at every rate tried.

    Parameters
    ----------
    make_model, draw
        Those of `fit`.
    evaluate : callable
        Maps a `Run` at one learning rate to a dict of arrays, shape (seeds,).
    score : callable
        Maps such a dict to numbers, one for each seed; larger is better.
    learning_rates : sequence of float
        Those of `at_best_rate`.
    **options
        Other arguments of `fit`.

    Returns
    -------
    dict
        What `evaluate` gave at the best rate, as lists; that ``learning_rate``; and ``tried``,
        from each rate as text, such as ``"0.003"``, to what it gave.

    Examples
    --------
    >>> def draw(generator):
    ...     x = torch.randn(32, 2, generator=generator)
    ...     return x, 3 * x
    >>> found = search(
    ...     lambda: torch.nn.Linear(2, 2),
    ...     draw,
    ...     lambda run: {"loss": run.loss[-1, 0]},
    ...     lambda found: -found["loss"],
    ...     learning_rates=(1e-3, 1e-2, 1e-1),
    ...     steps=60,
    ... )
    >>> found["learning_rate"], list(found["tried"])
    (0.1, ['0.001', '0.01', '0.1'])
    """
    tried = {}

    def at(rate):
        run = fit(make_model, draw, learning_rates=(rate,), **options)
        found = evaluate(run)
        tried[f"{rate:g}"] = {name: values.tolist() for name, values in found.items()}
        return score(found)

    rate, _ = at_best_rate(at, learning_rates)
    return tried[f"{rate:g}"] | {"learning_rate": rate, "tried": tried}


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


def _first_nonfinite(model, parameters, gradients, x, losses, copy):
    """Name the layer, and the pass, where one copy's numbers first are not finite."""
    if losses[copy].isfinite():
        return _last_bad_gradient(model, parameters, gradients, copy), "backward"
    found = []

    def watch(name, module):
        def look(module, inputs, output):
            if not found and not output.isfinite().all():
                block = module.first_nonfinite(*inputs) if _is_deep(module) else None
                found.append(_name(name, module, block))

        return module.register_forward_hook(look)

    handles = [watch(name, module) for name, module in model.named_modules()]
    try:
        with torch.no_grad():
            functional_call(model, {n: p[copy] for n, p in parameters.items()}, (x[copy],))
    finally:
        for handle in handles:
            handle.remove()
    return found[0] if found else "the loss", "forward"


def _last_bad_gradient(model, parameters, gradients, copy):
    """Name the layer nearest to the loss: the backward pass meets it first."""
    for name, gradient in reversed(list(zip(parameters, gradients, strict=True))):
        bad = ~gradient[copy].isfinite()
        if bad.any():
            owner = name.rpartition(".")[0]
            module, block = model.get_submodule(owner), None
            if _is_deep(module):
                block = bad.flatten(1).any(1).nonzero().max().item()
            return _name(owner, module, block)
    raise AssertionError("no gradient of a diverged copy is bad")


def _is_deep(module):
    """Whether one module holds many blocks, on axis 0 of each weight."""
    return hasattr(module, "first_nonfinite")


def _name(name, module, block):
    name = name or type(module).__name__
    return name if block is None else f"{name}, block {block}"


class _Adam:
    """Adam on all copies at once; torch.optim costs 2 s and 76 MB to import."""

    BLOCK = 2**14  # weights of a copy that are worked on while they are in the cache

    def __init__(self, flat, learning_rates, clip=None, warmup=0, betas=(0.9, 0.999), eps=1e-8):
        self.flat, self.learning_rates, self.clip, self.warmup = flat, learning_rates, clip, warmup
        self.betas, self.eps, self.t = betas, eps, 0
        self.g, self.m, self.v = (torch.zeros_like(flat) for _ in range(3))

    def take(self, gradients):
        """Take the gradients in; tell which copies have finite ones."""
        torch.cat([gradient.flatten(1) for gradient in gradients], 1, out=self.g)
        return (self.g * 0).sum(1) == 0

    def step(self):
        """Move the weights."""
        self.t += 1
        if self.clip is not None:
            norm = self.g.norm(dim=1, keepdim=True)
            if norm.isinf().any():  # float32 squares overflow from 2e19 on; g / inf would be 0
                norm = self.g.double().norm(dim=1, keepdim=True)
            self.g *= (self.clip / norm).clamp(max=1)
        beta1, beta2 = self.betas
        rate = self.learning_rates * min(1, self.t / max(1, self.warmup))
        scale = (rate / (1 - beta1**self.t)).unsqueeze(1)
        tensors = (self.flat, self.g, self.m, self.v)
        for p, g, m, v in zip(*(t.split(self.BLOCK, 1) for t in tensors), strict=True):
            m.lerp_(g, 1 - beta1)
            v.mul_(beta2).addcmul_(g, g, value=1 - beta2)
            size = (v / (1 - beta2**self.t)).sqrt_().add_(self.eps)
            p.sub_((scale * m).div_(size))
