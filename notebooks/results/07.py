"""Measure for lesson 07 the learning rate of each net: `make results ARGS=07`."""

import numpy as np
import torch
from torch import nn

from course_utils import blocks, data, recipes, setup, training, wiring
from course_utils.environment import progress

SETTINGS = {
    "nets": [
        "residual, 1/√L",
        "pre-norm",
        "post-norm",
        "plain, orthogonal tanh",
        "plain, near identity",
    ],
    "depth": 24,
    "plain_depth": 8,  # of the plain net with stochastic depth, so that it has a chance
    "steps": 250,
    "width": 32,
    "batch": 64,
    "clip": 1.0,
    "learning_rates": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2],
    "seeds": [0, 1, 2, 3, 4],
}
TOLERANCE = {"accuracy": 0.1}


def train(make, settings) -> dict:
    """Train one net at the learning rates around its best.

    Parameters
    ----------
    make : callable
        Builds the net.
    settings : dict

    Returns
    -------
    dict
        That of `training.search`: ``loss`` on the training digits, which decides, and
        ``accuracy`` on the test digits, both with every block.
    """
    digits = data.digits()
    seen = torch.from_numpy(digits.x_train), torch.from_numpy(digits.y_train)
    new = torch.from_numpy(digits.x_test), torch.from_numpy(digits.y_test)

    def evaluate(run):
        nets = [run.model(0, place).eval() for place in range(len(settings["seeds"]))]
        values = {"loss": (training.cross_entropy, *seen), "accuracy": (training.accuracy, *new)}
        with torch.no_grad():
            return {
                name: np.array([measure(net(x)[None], y[None]).item() for net in nets])
                for name, (measure, x, y) in values.items()
            }

    return training.search(
        make,
        data.digits_task(settings["batch"]),
        evaluate,
        lambda found: -found["loss"],
        learning_rates=settings["learning_rates"],
        steps=settings["steps"],
        seeds=settings["seeds"],
        loss=training.cross_entropy,
        clip=settings["clip"],
    )


def measure(settings) -> dict:
    """Train every net.

    Parameters
    ----------
    settings : dict
        As `SETTINGS`.

    Returns
    -------
    dict
        A dict of `train` for each net: ``nets``, and ``always`` and ``stochastic depth``, the
        same three stacks with all blocks at every step and with those that a coin chooses.
    """
    setup(seed=0)
    depth, width = settings["depth"], settings["width"]
    tanh = {"activation": "tanh", "start": "orthogonal"}
    stacks = {
        "residual": (depth, width, wiring.scaled(depth)),
        "pre-norm": (depth, width, wiring.Wiring(norm="pre")),
        "plain, 8": (settings["plain_depth"], width, wiring.PLAIN),
    }

    def build(kind, name):
        options = tanh if "plain" in name else {}
        stack = kind(*stacks[name], **options)
        return nn.Sequential(nn.Linear(64, width), stack, nn.Linear(width, 10))

    found = {
        "nets": {
            name: train(lambda name=name: recipes.classifier(name, depth, width), settings)
            for name in progress(settings["nets"], "nets of lesson 07")
        }
    }
    kinds = {"always": blocks.DeepStack, "stochastic depth": blocks.StochasticDepth}
    for way, kind in kinds.items():
        found[way] = {
            name: train(lambda name=name, kind=kind: build(kind, name), settings)
            for name in progress(stacks, f"stacks of lesson 07, {way}")
        }
    return found
