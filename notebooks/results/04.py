"""Measure for lesson 04 how deep each recipe trains: `make results ARGS=04`."""

import itertools

import numpy as np
import torch

from course_utils import data, recipes, setup, training
from course_utils.environment import progress

SETTINGS = {
    "recipes": [
        "plain, PyTorch",
        "plain, He",
        "plain, LayerNorm",
        "plain, orthogonal tanh",
        "residual, b = 1",
        "residual, 1/√L",
        "residual, 1/L",
        "post-norm",
        "pre-norm",
        "ReZero",
    ],
    "depths": [10, 100, 300],
    "steps": 150,
    # does a net that has not learned yet learn later?
    "catch_up": {"plain, PyTorch": 20, "plain, He": 50, "post-norm": 50, "residual, b = 1": 50},
    "catch_up_steps": [150, 600, 2400],
    "width": 32,
    "batch": 64,
    "clip": 1.0,
    "learning_rates": [3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2],
    "seeds": [0, 1, 2, 3, 4],
}
TOLERANCE = {"accuracy": 0.1}
CHANCE = 0.1  # what a copy counts whose numbers stopped being finite


def train(name, depth, steps, settings) -> dict:
    """Train one recipe at the learning rate that suits it best.

    Parameters
    ----------
    name : str
        One of `recipes.RECIPES`.
    depth, steps : int
    settings : dict

    Returns
    -------
    dict
        ``accuracy`` on the training digits for each seed, and the ``learning_rate``.
    """
    rate, found = training.at_best_rate(
        lambda rate: accuracies(name, depth, steps, rate, settings), settings["learning_rates"]
    )
    return {"accuracy": found.tolist(), "learning_rate": rate}


def accuracies(name, depth, steps, rate, settings):
    """Train one recipe at one learning rate, all seeds at once.

    Parameters
    ----------
    name : str
    depth, steps : int
    rate : float
    settings : dict

    Returns
    -------
    ndarray, shape (seeds,)
    """
    run = training.fit(
        lambda: recipes.classifier(name, depth, settings["width"]),
        data.digits_task(settings["batch"]),
        steps=steps,
        learning_rates=(rate,),
        seeds=settings["seeds"],
        loss=training.cross_entropy,
        clip=settings["clip"],
    )
    d = data.digits()
    x, y = torch.from_numpy(d.x_train), torch.from_numpy(d.y_train)
    lost = np.isin(run.seeds, [divergence.seed for divergence in run.diverged])
    return np.where(lost, CHANCE, run.evaluate(x, y, training.accuracy)[0])


def measure(settings) -> dict:
    """Train every recipe at every depth, and four of them for longer.

    Parameters
    ----------
    settings : dict
        As `SETTINGS`.

    Returns
    -------
    dict
        ``by_depth`` and ``by_steps``: for each recipe, a list over the depths or the steps.
    """
    setup(seed=0)
    by_depth = {
        name: [(name, depth, settings["steps"]) for depth in settings["depths"]]
        for name in settings["recipes"]
    }
    by_steps = {
        name: [(name, depth, steps) for steps in settings["catch_up_steps"]]
        for name, depth in settings["catch_up"].items()
    }
    jobs = list(itertools.chain(*by_depth.values(), *by_steps.values()))
    found = {job: train(*job, settings) for job in progress(jobs, "nets of lesson 04")}
    return {
        "by_depth": {name: [found[job] for job in row] for name, row in by_depth.items()},
        "by_steps": {name: [found[job] for job in row] for name, row in by_steps.items()},
    }
