"""Measure for lesson 04 every net at each learning rate: `make results ARGS=04_rates`."""

import torch
from torch import nn

from course_utils import blocks, data, recipes, setup, training, wiring
from course_utils.environment import progress

SETTINGS = {
    "recipes": [
        "plain, PyTorch",
        "plain, He",
        "plain, LayerNorm",
        "plain, orthogonal tanh",
        "residual, b = 1",
        "residual, 1/L",
        "post-norm",
        "pre-norm",
        "ReZero",
    ],
    "depths": [5, 20, 50],
    # one half of orthogonal tanh each: the activation, the matrices; gains keep the length
    "halves": {
        "tanh": {"activation": "tanh", "gain": 2**-0.5},
        "orthogonal ReLU": {"start": "orthogonal", "gain": 2**0.5},
    },
    # what the text says of a net of 50 layers, tried: without clipping, another order, other widths
    "control_depth": 50,
    "widths": [64, 128],
    "steps": 150,
    "width": 32,
    "batch": 64,
    "clip": 1.0,
    "learning_rates": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1],
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
        That of `training.search`, with ``accuracy`` on the training digits.
    """
    digits = data.digits()
    images, labels = torch.from_numpy(digits.x_train), torch.from_numpy(digits.y_train)
    return training.search(
        make,
        data.digits_task(settings["batch"]),
        lambda run: {"accuracy": run.evaluate(images, labels, training.accuracy)[0]},
        lambda found: found["accuracy"],
        learning_rates=settings["learning_rates"],
        steps=settings["steps"],
        seeds=settings["seeds"],
        loss=training.cross_entropy,
        clip=settings["clip"],
    )


def half(options, settings) -> nn.Module:
    """Build a plain net that has one half of orthogonal tanh.

    Parameters
    ----------
    options : dict
        Of `blocks.DeepStack`.
    settings : dict

    Returns
    -------
    nn.Module
    """
    width = settings["width"]
    stack = blocks.DeepStack(settings["control_depth"], width, wiring.PLAIN, **options)
    return nn.Sequential(nn.Linear(64, width), stack, nn.Linear(width, 10))


def norm_inside(depth, width) -> nn.Module:
    """Build a plain net with the norm before the ReLU: h ← relu(norm(W h + c)).

    Parameters
    ----------
    depth, width : int

    Returns
    -------
    nn.Module
    """
    layers = []
    for _ in range(depth):
        linear = nn.Linear(width, width)
        nn.init.kaiming_normal_(linear.weight)
        nn.init.zeros_(linear.bias)
        layers += [linear, nn.LayerNorm(width, elementwise_affine=False), nn.ReLU()]
    return nn.Sequential(nn.Linear(64, width), *layers, nn.Linear(width, 10))


def controls(settings) -> dict:
    """Train what could refute the explanations of the lesson.

    Parameters
    ----------
    settings : dict

    Returns
    -------
    dict
        A dict of `train` for each control.
    """
    depth, width = settings["control_depth"], settings["width"]
    unclipped = {**settings, "clip": None}
    found = {
        "residual, b = 1, unclipped": train(
            lambda: recipes.classifier("residual, b = 1", depth, width), unclipped
        ),
        "norm before the ReLU": train(lambda: norm_inside(depth, width), settings),
    }
    for wider in settings["widths"]:
        found[f"plain, He, width {wider}"] = train(
            lambda wider=wider: recipes.classifier("plain, He", depth, wider), settings
        )
    return found


def measure(settings) -> dict:
    """Train every net.

    Parameters
    ----------
    settings : dict
        As `SETTINGS`.

    Returns
    -------
    dict
        ``nets``: for each recipe and each depth a dict of `train`; ``halves``, ``controls``.
    """
    setup(seed=0)
    nets = {
        name: {
            str(depth): train(
                lambda name=name, depth=depth: recipes.classifier(name, depth, settings["width"]),
                settings,
            )
            for depth in settings["depths"]
        }
        for name in progress(settings["recipes"], "nets of lesson 04")
    }
    halves = {
        name: train(lambda options=options: half(options, settings), settings)
        for name, options in settings["halves"].items()
    }
    return {"nets": nets, "halves": halves, "controls": controls(settings)}
