"""Measure for lesson 06 which recipes make use of 1202 blocks: `make results ARGS=06`."""

import numpy as np
import torch
from torch import nn

from course_utils import data, recipes, setup, training
from course_utils.environment import progress

SETTINGS = {
    "recipes": [
        "residual, 1/√L",
        "residual, 1/L",
        "post-norm",
        "pre-norm",
        "pre-norm, 1/√L",
        "ReZero",
        "LayerScale",
        "Fixup-like",
    ],
    "depth": 1202,
    "shallow": {"one block": 1, "three blocks": 3},  # what the other 1201 have to be worth
    "width": 16,
    "steps": [60, 240],
    "batch": 64,
    "learning_rates": [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1, 3e-1],
    "seeds": [0, 1, 2, 3, 4],
}
TOLERANCE = {"accuracy": 0.1}
CHANCE = 0.5  # what a copy counts whose numbers stopped being finite
CONTROL = "no blocks"


def build(name, settings):
    """Build the net of one recipe, or a control: without blocks, or with few and no gain.

    Parameters
    ----------
    name : str
    settings : dict

    Returns
    -------
    nn.Module
    """
    if name == CONTROL:
        return nn.Sequential(nn.Linear(64, settings["width"]), nn.Linear(settings["width"], 10))
    if name in settings["shallow"]:
        return recipes.classifier("residual, b = 1", settings["shallow"][name], settings["width"])
    return recipes.classifier(name, settings["depth"], settings["width"])


def train(name, steps, settings) -> dict:
    """Train one net to tell even digits from odd ones, at the rate that suits it best.

    Parameters
    ----------
    name : str
    steps : int
    settings : dict

    Returns
    -------
    dict
        ``accuracy`` on the training digits for each seed, and the ``learning_rate``.
    """
    digits = data.digits()
    x, odd = torch.from_numpy(digits.x_train), torch.from_numpy(digits.y_train) % 2
    draw_digits = data.digits_task(settings["batch"])

    def draw(generator):
        images, labels = draw_digits(generator)
        return images, labels % 2

    def accuracies(rate):
        run = training.fit(
            lambda: build(name, settings),
            draw,
            steps=steps,
            learning_rates=(rate,),
            seeds=settings["seeds"],
            loss=training.cross_entropy,
        )
        lost = np.isin(run.seeds, [divergence.seed for divergence in run.diverged])
        return np.where(lost, CHANCE, run.evaluate(x, odd, training.accuracy)[0])

    rate, found = training.at_best_rate(accuracies, settings["learning_rates"])
    return {"accuracy": found.tolist(), "learning_rate": rate}


def measure(settings) -> dict:
    """Train every recipe and the controls.

    Parameters
    ----------
    settings : dict
        As `SETTINGS`.

    Returns
    -------
    dict
        For each recipe a list over the numbers of steps.
    """
    setup(seed=0)
    names = [CONTROL, *settings["shallow"], *settings["recipes"]]
    jobs = [(name, steps) for name in names for steps in settings["steps"]]
    found = {job: train(*job, settings) for job in progress(jobs, "nets of lesson 06")}
    return {name: [found[name, steps] for steps in settings["steps"]] for name in names}
