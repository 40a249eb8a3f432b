"""Measure for lesson 03 at which depth plain nets fail: `make results ARGS=03`."""

import torch
from torch import nn

from course_utils import blocks, data, setup, training, wiring
from course_utils.environment import progress

SETTINGS = {
    "chi": {"χ = 1": 1, "χ = 0.5": 0.5, "PyTorch, χ = 1/6": 1 / 6, "χ = 0.85": 0.85, "χ = 2": 2},
    "depths": [4, 8, 16, 32],
    # 64 layers h ← a h + b relu(W h), after He but for the second
    "deep": {
        "He": {},
        "W = I": {"identity": True},
        "b = 1": {"a": 1},
        "b = 1, clipped": {"a": 1, "clip": 1.0},
        "1/√64": {"a": 1, "b": 1 / 8},
    },
    "deep_depth": 64,
    "steps": 100,
    "width": 32,
    "batch": 64,
    "learning_rates": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1],
    "seeds": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
}
TOLERANCE = {"accuracy": 0.1}


def train(depth, settings, a=0, b=1.0, identity=False, clip=None) -> dict:
    """Train a stack at the learning rates around its best.

    Parameters
    ----------
    depth : int
    settings : dict
    a, b : float
        Gains of shortcut and branch; the variance of plain layers is multiplied by b².
    identity : bool
        Start from W = I instead of He's weights.
    clip : float, optional
        Longest gradient.

    Returns
    -------
    dict
        That of `training.search`, with ``accuracy`` on the training digits.
    """
    width, digits = settings["width"], data.digits()
    images, labels = torch.from_numpy(digits.x_train), torch.from_numpy(digits.y_train)

    def make():
        stack = blocks.DeepStack(depth, width, wiring.Wiring(a=a, b=b))
        if identity:
            stack.layers.data.copy_(torch.eye(width, width + 1))  # without bias
        return nn.Sequential(nn.Linear(64, width), stack, nn.Linear(width, 10))

    return training.search(
        make,
        data.digits_task(settings["batch"]),
        lambda run: {"accuracy": run.evaluate(images, labels, training.accuracy)[0]},
        lambda found: found["accuracy"],
        learning_rates=settings["learning_rates"],
        steps=settings["steps"],
        seeds=settings["seeds"],
        loss=training.cross_entropy,
        clip=clip,
    )


def measure(settings) -> dict:
    """Train every plain net at every depth, and the deep ones.

    Parameters
    ----------
    settings : dict
        As `SETTINGS`.

    Returns
    -------
    dict
        ``plain``: for each χ and each depth a dict of `train`; ``deep``: one for each net.
    """
    setup(seed=0)
    plain = {
        name: {str(depth): train(depth, settings, b=chi**0.5) for depth in settings["depths"]}
        for name, chi in progress(settings["chi"].items(), "plain nets of lesson 03")
    }
    deep = {
        name: train(settings["deep_depth"], settings, **options)
        for name, options in progress(settings["deep"].items(), "deep nets of lesson 03")
    }
    return {"plain": plain, "deep": deep}
