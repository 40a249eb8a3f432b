"""Measure for lesson 05 how nets of 2015 degrade: `make results ARGS=05`."""

import numpy as np
import torch

from course_utils import data, resnets, setup, training, wiring
from course_utils.environment import progress

SETTINGS = {
    "nets": ["plain-20", "plain-56", "residual-20", "residual-56", "zero γ-20", "zero γ-56"],
    "steps": 120,
    "late": {"plain-56": [240, 480]},
    "from_identity": "plain-56",
    "conv": ["plain", "residual"],
    "conv_blocks": 3,
    "conv_widths": [4, 8, 16],
    "conv_steps": 60,
    "batch": 64,
    "learning_rates": [3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1],
    "seeds": [0, 1, 2, 3, 4],
}
TOLERANCE = {"training": 0.3, "test": 0.3}
WIRINGS = {"plain": wiring.PLAIN, "residual": wiring.RESIDUAL}


def build(name, identity=False) -> torch.nn.Module:
    """Build one of the dense nets.

    Parameters
    ----------
    name : str
        Kind and number of layers, such as ``"plain-20"``.
    identity : bool
        Start every matrix of a block from I.

    Returns
    -------
    MLPNet
    """
    kind, layers = name.rsplit("-", 1)
    net = resnets.MLPNet(
        (int(layers) - 2) // 2,
        WIRINGS.get(kind, wiring.RESIDUAL),
        zero_gamma=kind == "zero γ",
    )
    if identity:
        for block in list(net)[3:-1]:
            for layer in (block.branch[0], block.branch[3]):
                layer.weight.data = torch.eye(len(layer.weight))
    return net


def train(make, steps, settings) -> dict:
    """Train one net at the learning rates around its best.

    Parameters
    ----------
    make : callable
        Builds the net.
    steps : int
    settings : dict

    Returns
    -------
    dict
        That of `training.search`, with the loss on all ``training`` and all ``test`` digits.
    """
    digits = data.digits()
    sets = {"training": (digits.x_train, digits.y_train), "test": (digits.x_test, digits.y_test)}

    def evaluate(run):
        return {
            name: run.evaluate(*map(torch.from_numpy, pair), training.cross_entropy)[0]
            for name, pair in sets.items()
        }

    return training.search(
        make,
        data.digits_task(settings["batch"]),
        evaluate,
        lambda found: -np.nan_to_num(found["training"], nan=np.inf),
        learning_rates=settings["learning_rates"],
        steps=steps,
        seeds=settings["seeds"],
        loss=training.cross_entropy,
    )


def measure(settings) -> dict:
    """Train every net, plain-56 for longer and from W = I, and the convolutions.

    Parameters
    ----------
    settings : dict
        As `SETTINGS`.

    Returns
    -------
    dict
        A dict of `train` for each net: ``"plain-56, 240 steps"``, ``"plain-56, W = I"`` and
        ``"conv, plain"`` beside the others.
    """
    setup(seed=0)
    jobs = {name: (lambda name=name: build(name), settings["steps"]) for name in settings["nets"]}
    for name, numbers in settings["late"].items():
        for steps in numbers:
            jobs[f"{name}, {steps} steps"] = (lambda name=name: build(name), steps)
    name = settings["from_identity"]
    jobs[f"{name}, W = I"] = (lambda: build(settings["from_identity"], True), settings["steps"])
    for kind in settings["conv"]:
        jobs[f"conv, {kind}"] = (
            lambda kind=kind: resnets.ConvNet(
                settings["conv_blocks"], WIRINGS[kind], widths=settings["conv_widths"]
            ),
            settings["conv_steps"],
        )
    return {
        name: train(*job, settings) for name, job in progress(jobs.items(), "nets of lesson 05")
    }
