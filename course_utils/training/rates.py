"""Find the learning rate that suits each net, before nets are compared."""

import numpy as np

from course_utils.training.copies import fit
from course_utils.training.losses import accuracy


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
    >>> import torch
    >>> from course_utils.training import cross_entropy
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
    >>> import torch
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
